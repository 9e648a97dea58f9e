"""How the adapter lives beside the gevent hub it stands for."""

import gc
import threading
import weakref

import gevent
import pytest
from gevent._hub_local import get_hub

from gdns.hubs import Waiter
from gdns.hubs.gevent import GeventHub


def in_a_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_a_gevent_hub_has_one_adapter():
    def look():
        hub = get_hub()
        same = GeventHub.of(hub) is GeventHub.of(hub)
        hub.destroy()
        return same

    assert in_a_thread(look)


@pytest.mark.parametrize("ending", ["destroyed", "left to the thread's end"])
def test_an_adapter_keeps_no_hub_alive(ending):
    """One that never ran, that is: gevent itself keeps those that did."""

    def use():
        hub = get_hub()
        adapter = GeventHub.of(hub)
        adapter.call_later(5.0, lambda: None).cancel()
        if ending == "destroyed":
            hub.destroy()
        return weakref.ref(hub)

    gone = in_a_thread(use)
    gc.collect()
    assert gone() is None


def test_gevents_own_timeout_takes_a_greenlet_out_of_its_lookup():
    def use():
        adapter = GeventHub.of(get_hub())

        def lookup():
            with gevent.Timeout(0.005, False):
                Waiter(adapter).park()
                return "answered"
            return "timed out"

        said = gevent.spawn(lookup).get()
        adapter.greenlet.destroy()
        return said

    assert in_a_thread(use) == "timed out"


def test_gevent_wait_returns_when_the_last_lookup_is_answered():
    def use():
        adapter = GeventHub.of(get_hub())
        waiter = Waiter(adapter)
        lookup = gevent.spawn(waiter.park)
        adapter.call_later(0.005, waiter.wake)
        done = gevent.wait(timeout=5)
        adapter.greenlet.destroy()
        return done, lookup.successful()

    assert in_a_thread(use) == (True, True)
