"""What every hub promises: the same tests over each of them."""

import gc
import os
import weakref
from select import EPOLLIN, epoll
from time import monotonic

import pytest
from greenlet import GreenletExit, getcurrent, greenlet

from gdns.hubs import Waiter

PATIENCE = 5.0  # seconds that a test which fails may take
EARLY = 0.002  # seconds by which the contract lets a timer be early


@pytest.fixture
def pipe():
    """A reading and a writing end."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


@pytest.fixture
def watched(hub, pipe):
    """A watch of a pipe that is readable, and the list it writes its calls to."""
    reading, writing = pipe
    os.write(writing, b"x")
    calls = []
    watch = hub.watch(reading, lambda: calls.append(reading))
    yield watch, calls
    watch.close()


# --- watches ---


def test_a_watch_calls_back_when_its_fd_is_readable(stage, hub, pipe):
    reading, writing = pipe
    received = []
    watch = hub.watch(reading, lambda: received.append(os.read(reading, 10)))
    watch.start()
    stage.pause()
    assert received == []
    os.write(writing, b"x")
    stage.wait_until(lambda: received)
    watch.close()
    assert received == [b"x"]


def test_a_watch_runs_in_the_hubs_greenlet(stage, hub, pipe):
    reading, writing = pipe
    os.write(writing, b"x")
    places = []
    watch = hub.watch(reading, lambda: places.append(getcurrent()))
    watch.start()
    stage.wait_until(lambda: places)
    watch.close()
    assert set(places) == {hub.greenlet}


def test_a_watch_is_made_stopped(stage, watched):
    _, calls = watched
    stage.pause()
    assert calls == []


def test_a_watch_calls_back_again_while_something_is_unread(stage, watched):
    watch, calls = watched
    watch.start()
    stage.wait_until(lambda: len(calls) >= 3)


def test_a_stopped_watch_is_silent_until_it_is_started_again(stage, watched):
    watch, calls = watched
    watch.start()
    stage.wait_until(lambda: calls)
    watch.stop()
    calls.clear()
    stage.pause()
    assert calls == []
    watch.start()
    stage.wait_until(lambda: calls)


def test_one_stop_undoes_two_starts(stage, watched):
    watch, calls = watched
    watch.start()
    watch.start()
    stage.wait_until(lambda: calls)
    watch.stop()
    watch.stop()
    calls.clear()
    stage.pause()
    assert calls == []


def test_a_watch_may_stop_itself_in_its_callback(stage, hub, pipe):
    reading, writing = pipe
    os.write(writing, b"x")
    calls = []

    def once():
        calls.append(reading)
        watch.stop()

    watch = hub.watch(reading, once)
    watch.start()
    stage.wait_until(lambda: calls)
    stage.pause()
    watch.close()
    assert len(calls) == 1


def test_a_closed_watch_is_silent_for_good(stage, watched):
    watch, calls = watched
    watch.start()
    watch.close()
    watch.close()
    watch.stop()
    stage.pause()
    assert calls == []
    with pytest.raises(RuntimeError):
        watch.start()


def test_a_new_watch_serves_a_reused_fd(stage, hub):
    for _ in range(2):
        reading, writing = os.pipe()
        os.write(writing, b"x")
        calls = []
        watch = hub.watch(reading, lambda calls=calls: calls.append(1))
        watch.start()
        stage.wait_until(lambda calls=calls: calls)
        watch.close()
        os.close(reading)
        os.close(writing)


def test_an_epoll_set_can_be_watched(stage, hub, pipe):
    reading, writing = pipe
    with epoll() as inner:
        inner.register(reading, EPOLLIN)
        calls = []
        watch = hub.watch(inner.fileno(), lambda: calls.append(os.read(reading, 10)))
        watch.start()
        stage.pause()
        assert calls == []
        os.write(writing, b"x")
        stage.wait_until(lambda: calls)
        watch.close()
    assert calls == [b"x"]


def test_a_watch_that_raises_is_reported_and_goes_on(stage, hub, pipe):
    reading, writing = pipe
    os.write(writing, b"x")

    def fail():
        raise ValueError("from a watch")

    watch = hub.watch(reading, fail)
    watch.start()
    stage.wait_until(lambda: len(stage.errors) >= 2)
    watch.close()
    assert str(stage.errors[0]) == "from a watch"


# --- timers ---


def test_timers_fire_in_the_order_of_their_deadlines(stage, hub):
    fired = []
    for milliseconds in (30, 10, 20):
        hub.call_later(milliseconds / 1000, lambda milliseconds=milliseconds: fired.append(milliseconds))
    stage.wait_until(lambda: len(fired) == 3)
    assert fired == [10, 20, 30]


@pytest.mark.parametrize("seconds", [0.003, 0.02])
def test_a_timer_is_hardly_early(stage, hub, seconds):
    fired = []
    busy_until = monotonic() + 0.02
    while monotonic() < busy_until:  # a hub that counts from its last turn is 20 ms early after this
        pass
    started = monotonic()
    hub.call_later(seconds, lambda: fired.append(monotonic()))
    stage.wait_until(lambda: fired)
    assert fired[0] - started >= seconds - EARLY


@pytest.mark.parametrize("seconds", [0, -1, 0.0001])
def test_a_timer_of_no_time_fires_but_not_at_once(stage, hub, seconds):
    fired = []
    hub.call_later(seconds, lambda: fired.append(1))
    assert fired == []
    stage.wait_until(lambda: fired)


def test_a_timer_fires_once(stage, hub):
    fired = []
    hub.call_later(0.001, lambda: fired.append(1))
    stage.pause()
    assert fired == [1]


def test_a_cancelled_timer_does_not_fire(stage, hub):
    fired = []
    timer = hub.call_later(0.001, lambda: fired.append(1))
    timer.cancel()
    timer.cancel()
    stage.pause()
    assert fired == []


def test_a_timer_can_be_cancelled_after_it_fired_and_while_it_fires(stage, hub):
    fired = []

    def fire():
        fired.append(1)
        timer.cancel()

    timer = hub.call_later(0.001, fire)
    stage.wait_until(lambda: fired)
    timer.cancel()
    assert stage.errors == []


def test_a_timer_that_raises_is_reported_and_the_next_one_fires(stage, hub):
    def fail():
        raise ValueError("from a timer")

    fired = []
    hub.call_later(0.001, fail)
    hub.call_later(0.002, lambda: fired.append(1))
    stage.wait_until(lambda: fired)
    assert [str(error) for error in stage.errors] == ["from a timer"]


# --- calls ---


def test_calls_are_made_later_and_in_order(stage, hub):
    made = []
    for number in range(100):
        hub.call_soon(lambda number=number: made.append(number))
    assert made == []
    stage.wait_until(lambda: len(made) == 100)
    assert made == list(range(100))


def test_a_call_that_calls_itself_again_leaves_io_and_timers_their_turn(stage, hub, pipe):
    reading, writing = pipe
    os.write(writing, b"x")
    received, fired = [], []
    watch = hub.watch(reading, lambda: received.append(os.read(reading, 10)))
    watch.start()
    hub.call_later(0.001, lambda: fired.append(1))

    def again():
        if not (received and fired):
            hub.call_soon(again)

    hub.call_soon(again)
    stage.wait_until(lambda: received and fired)
    watch.close()


def test_a_call_that_raises_is_reported_and_the_next_one_is_made(stage, hub):
    def fail():
        raise ValueError("from a call")

    made = []
    hub.call_soon(fail)
    hub.call_soon(lambda: made.append(1))
    stage.wait_until(lambda: made)
    assert [str(error) for error in stage.errors] == ["from a call"]


# --- greenlets that wait ---


class Parked:
    """A greenlet that waits on a waiter, and what became of it."""

    def __init__(self, stage, hub, ending=None):
        self.waiter = Waiter(hub)
        self.parks = False
        self.went_on = False
        self.raised = None
        self.ending = ending
        self.greenlet = greenlet(self.lookup, hub.greenlet)
        hub.call_soon(self.greenlet.switch)
        stage.wait_until(lambda: self.parks)

    def lookup(self):
        self.parks = True
        try:
            self.waiter.park()
        except BaseException as error:
            self.raised = type(error)
        else:
            self.went_on = True
        if self.ending is not None:
            raise self.ending


def test_a_parked_greenlet_goes_on_when_somebody_switches_to_it(stage, hub):
    me = getcurrent()
    hub.call_soon(me.switch)
    hub.switch()


def test_a_woken_greenlet_goes_on_before_wake_returns(stage, hub):
    parked = Parked(stage, hub)
    seen = []

    def deliver():
        parked.waiter.wake()
        seen.append(parked.went_on)

    hub.call_soon(deliver)
    stage.wait_until(lambda: seen)
    assert seen == [True]


def test_the_main_greenlet_can_park_too(hub):
    waiter = Waiter(hub)
    hub.call_soon(waiter.wake)
    waiter.park()


def test_a_wake_before_the_park_lets_it_return_at_once(hub):
    waiter = Waiter(hub)
    waiter.wake()
    waiter.park()  # would raise, or wait for ever: nothing else keeps this hub going


def test_a_second_wake_does_nothing(stage, hub):
    first, second = Waiter(hub), Waiter(hub)
    passed = []

    def park_twice():
        passed.append(0)
        first.park()
        passed.append(1)
        second.park()
        passed.append(2)

    stage.spawn(park_twice)
    stage.wait_until(lambda: passed == [0])
    hub.call_soon(first.wake)
    hub.call_soon(first.wake)
    first.wake()
    stage.pause()
    assert passed == [0, 1]
    second.wake()
    stage.wait_until(lambda: passed == [0, 1, 2])


def test_a_wake_from_another_greenlet_does_not_switch_under_its_feet(stage, hub):
    parked = Parked(stage, hub)
    seen = []

    def close():
        parked.waiter.wake()
        seen.append(parked.went_on)

    stage.spawn(close)
    stage.wait_until(lambda: parked.went_on)
    assert seen == [False]


def test_a_thousand_waiters_are_each_woken_exactly_once(stage, hub):
    parking, woken = [], []

    def park(number, waiter):
        parking.append(waiter)
        waiter.park()
        woken.append(number)

    for number in range(1000):
        stage.spawn(park, number, Waiter(hub))
    stage.wait_until(lambda: len(parking) == 1000)

    def wake_all():
        for waiter in parking:
            waiter.wake()

    hub.call_soon(wake_all)
    hub.call_soon(wake_all)
    stage.wait_until(lambda: len(woken) >= 1000)
    assert woken == list(range(1000))


def test_a_strangers_switch_is_not_taken_for_the_wake(stage, hub):
    parked = Parked(stage, hub)
    hub.call_soon(parked.greenlet.switch)
    stage.pause()
    assert not parked.went_on
    parked.waiter.wake()
    stage.wait_until(lambda: parked.went_on)


def test_the_hubs_own_greenlet_may_not_park(stage, hub):
    raised = []

    def lookup():
        try:
            Waiter(hub).park()
        except RuntimeError as error:
            raised.append(str(error))

    hub.call_soon(lookup)
    stage.wait_until(lambda: raised)
    assert "made from the hub greenlet itself" in raised[0]


class Timeout(BaseException):
    """Stands for gevent.Timeout, which a timer throws in the same way."""


@pytest.mark.parametrize("error", [GreenletExit, Timeout])
def test_a_greenlet_that_is_thrown_out_leaves_nothing_behind(stage, hub, error):
    parked = Parked(stage, hub)
    hub.call_later(0.001, lambda: parked.greenlet.throw(error))
    stage.wait_until(lambda: parked.raised)
    assert parked.raised is error
    gone = weakref.ref(parked.greenlet)
    waiter = parked.waiter
    parked.greenlet = None
    stage.pause()
    gc.collect()
    assert gone() is None
    hub.call_soon(waiter.wake)
    waiter.wake()
    stage.pause()
    assert stage.errors == []
    assert stage.is_idle()


def test_lookups_killed_by_the_hundred_leave_no_object_behind(stage, hub):
    def lookups():
        tasks = [stage.spawn(Waiter(hub).park) for _ in range(100)]
        stage.pause(0.001)
        for task in tasks:
            task.kill()
        stage.wait_until(lambda: all(task.dead for task in tasks))

    def alive():
        gc.collect()
        return sum(isinstance(thing, (greenlet, Waiter)) for thing in gc.get_objects())

    lookups()
    stage.pause()
    before = alive()
    lookups()
    stage.pause()
    assert alive() <= before


def test_a_wake_never_raises_what_the_greenlet_dies_of(stage, hub):
    parked = Parked(stage, hub, ending=ValueError("from a greenlet"))
    delivered = []

    def deliver():
        parked.waiter.wake()
        delivered.append(1)

    hub.call_soon(deliver)
    stage.wait_until(lambda: delivered)
    assert [str(error) for error in stage.errors] == ["from a greenlet"]


# --- interrupts ---


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_a_callback_is_raised_in_the_main_greenlet(stage, hub, error):
    def interrupt():
        raise error

    bystander = Parked(stage, hub)
    hub.call_soon(interrupt)
    with pytest.raises(error):
        stage.pause(PATIENCE)
    bystander.waiter.wake()
    stage.wait_until(lambda: bystander.went_on)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_a_woken_greenlet_is_raised_in_the_main_greenlet(stage, hub, error):
    parked, bystander = Parked(stage, hub, ending=error()), Parked(stage, hub)
    hub.call_soon(parked.waiter.wake)
    with pytest.raises(error):
        stage.pause(PATIENCE)
    assert parked.went_on
    bystander.waiter.wake()
    stage.wait_until(lambda: bystander.went_on)


# --- ends ---


def test_a_hub_is_idle_when_nothing_is_left_to_wait_for(stage, hub, watched):
    watch, calls = watched
    assert stage.is_idle()
    watch.start()
    assert not stage.is_idle()
    assert calls
    watch.stop()
    assert stage.is_idle()
    timer = hub.call_later(PATIENCE, lambda: None)
    assert not stage.is_idle()
    timer.cancel()
    assert stage.is_idle()


def test_close_ends_the_watches_and_timers_made_through_a_hub(stage, hub, watched):
    watch, calls = watched
    watch.start()
    timer = hub.call_later(0.001, lambda: calls.append("timer"))
    hub.close()
    hub.close()
    with pytest.raises(RuntimeError):
        watch.start()
    timer.cancel()
    assert calls == []


def test_watches_and_timers_outlive_their_hub_safely(stage, hub, watched, pipe):
    watch, _ = watched
    watch.start()
    timer = hub.call_later(PATIENCE, lambda: None)
    forgotten = hub.watch(pipe[1], lambda: None)
    stage.destroy()
    del forgotten
    watch.stop()
    timer.cancel()
    watch.close()
    hub.close()
    del timer
    gc.collect()
    assert stage.errors == []


def test_an_ended_hub_raises_instead_of_waiting_for_ever(stage, hub, pipe):
    stage.pause()
    waiter = Waiter(hub)
    watch = hub.watch(pipe[0], lambda: None)
    stage.destroy()
    with pytest.raises((RuntimeError, AttributeError)):  # the latter is how gevent says it
        waiter.park()
    with pytest.raises(RuntimeError):
        watch.start()
    with pytest.raises(RuntimeError):
        hub.watch(pipe[0], lambda: None)
    with pytest.raises(RuntimeError):
        hub.call_later(0.001, lambda: None)
    hub.call_soon(lambda: None)


def test_a_wake_after_the_hubs_end_does_nothing(stage, hub):
    parked = Parked(stage, hub)
    stage.destroy()
    parked.waiter.wake()
    assert not parked.went_on


SIGNALLED = """
import os, signal, sys
if os.environ.get("GEVENT_LOOP"):
    import gevent
    gevent.get_hub().exception_stream = None
from greenlet import greenlet
from gdns.hubs import Waiter, current

hub = current()
print(hub.name)
pending = Waiter(hub)
def lookup():
    pending.park()
    print("answered")
task = greenlet(lookup, hub.greenlet)
hub.call_soon(task.switch)
answer = hub.call_later(60, pending.wake)
signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
signal.setitimer(signal.ITIMER_REAL, 0.02)
try:
    Waiter(hub).park()
except KeyboardInterrupt:
    print("interrupted")
answer.cancel()
hub.call_later(0.001, pending.wake)
again = Waiter(hub)
hub.call_later(0.01, again.wake)
again.park()
print("done")
"""


@pytest.mark.parametrize("event_loop", ["", "libev-cext", "libuv-cffi"])
def test_ctrl_c_reaches_the_main_greenlet_while_lookups_wait(run_python, event_loop):
    said = run_python(SIGNALLED, GEVENT_LOOP=event_loop)
    assert said == ["gevent" if event_loop else "native", "interrupted", "answered", "done"]
