"""Which addresses failed a short while ago."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from gdns.refusals import Refusals


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_a_refusal_is_remembered_for_a_while():
    clock = Clock()
    refusals = Refusals(keep_for=30.0, clock=clock)
    refusals.note("a")
    clock.now += 29.9
    assert refusals.have("a")
    clock.now += 0.1
    assert not refusals.have("a")


def test_a_connection_made_is_the_end_of_it():
    refusals = Refusals()
    refusals.note("a")
    refusals.forget("a")
    refusals.forget("never noted")
    assert not refusals.have("a")


def test_the_oldest_make_room():
    refusals = Refusals(most=3)
    for address in ("a", "b", "c", "a", "d"):
        refusals.note(address)
    assert [refusals.have(address) for address in "abcd"] == [True, False, True, True]
    assert len(refusals) == 3


@given(st.lists(st.tuples(st.sampled_from("nfw"), st.sampled_from("abc")), max_size=40))
def test_it_agrees_with_a_dict(steps):
    clock = Clock()
    refusals = Refusals(keep_for=10.0, clock=clock)
    model = {}
    for step, address in steps:
        if step == "n":
            refusals.note(address)
            model[address] = clock.now + 10.0
        elif step == "f":
            refusals.forget(address)
            model.pop(address, None)
        else:
            clock.now += 4.0
        assert [refusals.have(a) for a in "abc"] == [model.get(a, 0.0) > clock.now for a in "abc"]


def test_threads_may_use_it_at_once():
    refusals = Refusals(most=8)

    def work(number):
        for turn in range(2000):
            refusals.note((number, turn % 16))
            refusals.have((number, turn % 7))
            refusals.forget((number, turn % 5))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(refusals) <= 8
