"""Things that fall due: found in order, taken out for nothing."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from gdns.deadlines import TICKS, Deadlines


def items_of(slots: list[dict[object, float]]) -> list[object]:
    return [item for slot in slots for item in slot]


def test_an_item_falls_due_at_its_moment_and_not_before():
    due = Deadlines()
    due.put("tea", 10.0)
    assert items_of(due.pop(9.999)) == []
    assert items_of(due.pop(10.0 + 1 / TICKS)) == ["tea"]
    assert due.next_at() == inf


def test_an_item_taken_out_never_falls_due():
    due = Deadlines()
    slot = due.put("tea", 1.0)
    due.put("coffee", 2.0)
    del slot["tea"]
    assert due.next_at() >= 2.0
    assert items_of(due.pop(3.0)) == ["coffee"]


def test_an_item_can_be_taken_out_of_a_slot_that_is_being_gone_through():
    due = Deadlines()
    due.put("first", 1.0)
    slot = due.put("second", 1.0)
    (popped,) = due.pop(2.0)
    assert popped is slot
    assert "second" in popped


def test_what_never_falls_due_leaves_no_slots_behind():
    due = Deadlines()
    for second in range(1000):
        del due.put("question", float(second))["question"]
    assert due.next_at() == inf
    assert items_of(due.pop(2000.0)) == []


@given(st.lists(st.floats(0, 1000), max_size=60), st.lists(st.floats(0, 1100), max_size=20))
def test_everything_falls_due_once_never_early_and_at_most_a_slot_late(moments, looks):
    due = Deadlines()
    for number, moment in enumerate(moments):
        due.put(number, moment)
    seen: list[object] = []
    for now in [*sorted(looks), 2000.0]:
        fallen = items_of(due.pop(now))
        assert all(moments[number] <= now for number in fallen)
        seen += fallen
        left = set(range(len(moments))) - set(seen)
        assert all(moments[number] > now - 1 / TICKS for number in left)
        assert due.next_at() <= min((moments[number] for number in left), default=inf) + 1 / TICKS
    assert sorted(seen) == list(range(len(moments)))
