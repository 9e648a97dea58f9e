"""What the native hub has beside the contract: tasks, idleness, threads, forks."""

import gc
import os
import threading
import weakref
from time import monotonic, process_time

import pytest
from greenlet import GreenletExit, getcurrent

from gdns.hubs import HubIdle, NativeHub, Waiter

PATIENCE = 5.0  # seconds that a test which fails may take


def epoll_sets():
    """How many of the process' fds are epoll sets."""
    links = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{fd}"))
        except FileNotFoundError:  # the one that listed the directory
            continue
    return links.count("anon_inode:[eventpoll]")


# --- tasks ---


def test_a_task_returns_the_value_of_its_function(native):
    task = native.spawn(divmod, 17, 5)
    assert not task.ended
    assert task.get() == (3, 2)
    assert (task.ended, task.value, task.exception) == (True, (3, 2), None)


def test_a_task_takes_keyword_arguments(native):
    assert native.spawn(sorted, [1, 3, 2], reverse=True).get() == [3, 2, 1]


def test_a_task_that_fails_is_reported_and_raises_for_who_asks(native, caplog):
    task = native.spawn(int, "seven")
    assert native.join(task)
    assert [str(record.exc_info[1]) for record in caplog.records] == [str(task.exception)]
    with pytest.raises(ValueError, match="seven"):
        task.get()


def test_a_task_begins_in_the_hubs_next_turn(native):
    steps = []
    task = native.spawn(steps.append, "task")
    steps.append("spawner")
    native.join(task)
    assert steps == ["spawner", "task"]


def test_a_killed_task_ends_quietly(native, caplog):
    task = native.spawn(native.sleep, PATIENCE)
    native.sleep(0)
    task.kill()
    assert native.join(task)
    assert isinstance(task.exception, GreenletExit)
    assert caplog.records == []


def test_a_task_can_be_killed_with_a_reason_it_may_handle(native):
    def patient():
        try:
            native.sleep(PATIENCE)
        except TimeoutError:
            return "handled"

    task = native.spawn(patient)
    native.sleep(0)
    task.kill(TimeoutError())
    assert task.get() == "handled"


@pytest.mark.parametrize("way", ["kill", "throw"])
def test_a_task_killed_before_it_begins_never_runs(native, way):
    ran = []
    if way == "throw":
        native.call_soon(lambda: task.throw(GreenletExit))
    task = native.spawn(ran.append, 1)
    if way == "kill":
        task.kill()
    assert native.join(task)
    assert isinstance(task.exception, GreenletExit)
    assert ran == []


def test_killing_a_task_that_has_ended_does_nothing(native):
    task = native.spawn(divmod, 17, 5)
    native.join(task)
    task.kill()
    native.sleep(0)
    assert task.get() == (3, 2)


def test_a_task_killed_twice_ends_once(native, caplog):
    task = native.spawn(native.sleep, PATIENCE)
    native.sleep(0)
    task.kill(TimeoutError())
    task.kill(TimeoutError())
    assert native.join(task)
    native.sleep(0.001)
    assert len(caplog.records) == 1


def test_join_waits_for_every_task(native):
    tasks = [native.spawn(native.sleep, seconds) for seconds in (0.02, 0.001, 0.01)]
    assert native.join(*tasks)
    assert all(task.ended for task in tasks)


def test_join_of_nothing_returns_at_once(native):
    assert native.join()


def test_join_gives_up_after_its_timeout(native):
    quick, slow = native.spawn(native.sleep, 0.001), native.spawn(native.sleep, PATIENCE)
    started = monotonic()
    assert not native.join(quick, slow, timeout=0.02)
    assert 0.02 <= monotonic() - started < PATIENCE
    assert (quick.ended, slow.ended) == (True, False)
    assert slow.on_end == []


def test_a_join_in_time_takes_its_timeout_along(native):
    assert native.join(native.spawn(native.sleep, 0.001), timeout=PATIENCE)
    started = monotonic()
    with pytest.raises(HubIdle):
        Waiter(native).park()
    assert monotonic() - started < PATIENCE


def test_many_may_join_one_task(native):
    task = native.spawn(native.sleep, 0.005)
    joiners = [native.spawn(native.join, task) for _ in range(10)]
    assert native.join(*joiners)
    assert [joiner.value for joiner in joiners] == [True] * 10


def test_ten_thousand_tasks_sleep_at_once(native):
    def snooze(number):
        native.sleep(0.01)
        return number

    tasks = [native.spawn(snooze, number) for number in range(10_000)]
    assert native.join(*tasks)
    assert [task.value for task in tasks] == list(range(10_000))


def test_an_ended_task_leaves_nothing_behind(native):
    task = native.spawn(lambda: None)
    native.join(task)
    gone = weakref.ref(task)
    del task
    gc.collect()
    assert gone() is None


def test_an_ended_task_lets_go_of_what_its_function_used(native):
    class Used:
        def call(self):
            return "done"

    used = Used()
    gone = weakref.ref(used)
    task = native.spawn(used.call)
    del used
    assert task.get() == "done"
    gc.collect()
    assert gone() is None


def test_an_interrupt_in_a_task_is_raised_in_the_main_greenlet(native):
    def interrupt():
        raise KeyboardInterrupt

    task = native.spawn(interrupt)
    with pytest.raises(KeyboardInterrupt):
        native.join(task)
    assert native.join(task)


# --- turns ---


def test_sleepers_wake_in_the_order_of_their_deadlines(native):
    order = []

    def snooze(milliseconds):
        native.sleep(milliseconds / 1000)
        order.append(milliseconds)

    native.join(*(native.spawn(snooze, milliseconds) for milliseconds in (30, 10, 20)))
    assert order == [10, 20, 30]


def test_sleeping_for_no_time_gives_the_others_a_turn(native):
    steps = []

    def step(name):
        for _ in range(3):
            steps.append(name)
            native.sleep(0)

    native.join(native.spawn(step, "a"), native.spawn(step, "b"))
    assert steps == ["a", "b"] * 3


def test_a_timer_is_never_early(native):
    for seconds in (0.0005, 0.003, 0.0101):
        started = monotonic()
        native.sleep(seconds)
        assert monotonic() - started >= seconds


def test_a_slow_callback_does_not_delay_the_next_timer_twice(native):
    def late():
        """Seconds from a timer's deadline to its call, after a callback that took 50 ms of them."""
        woken = Waiter(native)
        deadline = monotonic() + 0.06

        def dawdle():
            until = monotonic() + 0.05
            while monotonic() < until:
                pass

        native.call_soon(lambda: native.call_later(0, dawdle))
        native.call_later(0.06, woken.wake)
        woken.park()
        return monotonic() - deadline

    assert min(late() for _ in range(5)) < 0.03


def test_a_call_made_in_a_turn_waits_for_the_next_one(native):
    reading, writing = os.pipe()
    os.write(writing, b"x")
    steps = []

    def first():
        steps.append("first call")
        native.call_soon(lambda: steps.append("second call"))

    watch = native.watch(reading, lambda: (steps.append("io"), watch.stop()))
    watch.start()
    native.call_soon(first)
    native.sleep(0.01)
    watch.close()
    os.close(reading)
    os.close(writing)
    assert steps == ["first call", "io", "second call"]


def test_the_hub_uses_no_cpu_while_it_waits(native):
    before = process_time()
    native.sleep(0.1)
    assert process_time() - before < 0.05


def test_cancelled_timers_do_not_pile_up(native):
    def timers():
        gc.collect()
        return sum(type(thing).__name__ == "NativeTimer" for thing in gc.get_objects())

    kept = native.call_later(PATIENCE, lambda: None)
    for _ in range(10_000):
        native.call_later(PATIENCE, lambda: None).cancel()
    assert timers() < 200
    fired = Waiter(native)
    native.call_later(0.001, fired.wake)
    fired.park()
    kept.cancel()


def test_two_watches_of_one_fd_cannot_both_be_started(native):
    reading, writing = os.pipe()
    first, second = native.watch(reading, lambda: None), native.watch(reading, lambda: None)
    first.start()
    with pytest.raises(OSError, match="exists"):
        second.start()
    first.stop()
    second.start()
    second.close()
    os.close(reading)
    os.close(writing)


def test_a_watch_stops_safely_after_its_fd_is_gone(native):
    reading, writing = os.pipe()
    watch = native.watch(reading, lambda: None)
    watch.start()
    os.close(reading)
    os.close(writing)
    watch.stop()
    with pytest.raises(OSError, match="descriptor"):
        watch.start()


# --- idleness ---


def test_waiting_for_nothing_raises_hubidle_and_the_hub_goes_on(native):
    for _ in range(2):
        with pytest.raises(HubIdle):
            Waiter(native).park()
    native.sleep(0.001)


def test_joining_a_task_that_can_never_end_raises_hubidle(native):
    waiter = Waiter(native)
    task = native.spawn(waiter.park)
    with pytest.raises(HubIdle):
        native.join(task)
    native.call_soon(waiter.wake)
    assert native.join(task)


def test_a_cancelled_timer_does_not_keep_the_hub_waiting(native):
    native.call_later(PATIENCE, lambda: None).cancel()
    started = monotonic()
    with pytest.raises(HubIdle):
        Waiter(native).park()
    assert monotonic() - started < PATIENCE


# --- ends ---


def test_close_gives_the_fd_back():
    before = epoll_sets()
    hub = NativeHub()
    hub.sleep(0.001)
    assert epoll_sets() == before + 1
    hub.close()
    hub.close()
    assert epoll_sets() == before


def test_a_closed_hub_can_be_collected():
    hub = NativeHub()
    hub.call_later(PATIENCE, lambda: None)
    hub.join(hub.spawn(hub.sleep, 0.001))
    hub.close()
    gone = weakref.ref(hub)
    del hub
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("place", ["callback", "task"])
def test_a_hub_closed_from_within_tells_who_waits_in_the_main_greenlet(place):
    hub = NativeHub()
    if place == "callback":
        hub.call_later(0.001, hub.close)
    else:
        hub.spawn(hub.close)
    with pytest.raises(RuntimeError, match="closed"):
        Waiter(hub).park()


def test_a_hub_is_made_beneath_the_main_greenlet_wherever_it_is_made(native):
    hub = native.spawn(NativeHub).get()
    assert hub.greenlet.parent is getcurrent()
    hub.sleep(0.001)
    hub.close()


def test_a_thread_has_one_hub_and_a_closed_one_is_replaced():
    found = []

    def look():
        found.append(NativeHub.of_this_thread())
        assert NativeHub.of_this_thread() is found[0]
        found[0].close()
        found.append(NativeHub.of_this_thread())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found[0] is not found[1]


def test_each_thread_has_a_hub_of_its_own_which_ends_with_it():
    before = epoll_sets()
    hubs = []

    def work():
        hub = NativeHub.of_this_thread()
        hub.join(hub.spawn(hub.sleep, 0.001))
        hubs.append(weakref.ref(hub))

    for _ in range(10):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    gc.collect()
    assert len(hubs) == 10
    assert epoll_sets() == before
    assert {hub() for hub in hubs} == {None}


# --- processes ---

EXIT = """
from gdns.hubs import NativeHub, Waiter
hub = NativeHub.of_this_thread()
for _ in range(10):
    hub.spawn(Waiter(hub).park)
hub.spawn(hub.sleep, 60)
hub.sleep(0.001)
print("exits")
"""


def test_a_program_exits_silently_with_greenlets_parked(run_python):
    assert run_python(EXIT) == ["exits"]


FORK = """
import os
from gdns.hubs import NativeHub, Waiter

reading, writing = os.pipe()
hub = NativeHub.of_this_thread()
received = []
waiters = []

def receive():
    received.append(os.read(reading, 10).decode())
    waiters.pop().wake()

def ask(word):
    waiters.append(Waiter(hub))
    os.write(writing, word)
    waiters[0].park()
    return received.pop()

watch = hub.watch(reading, receive)
watch.start()
print(ask(b"before"))
child = os.fork()
if not child:
    said = ask(b"child")
    watch.close()
    fds = [fd for fd in range(20) if os.path.exists(f"/proc/self/fd/{fd}")]
    sets = sum("eventpoll" in os.readlink(f"/proc/self/fd/{fd}") for fd in fds)
    os._exit(0 if (said, sets) == ("child", 1) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(ask(b"after"))
watch.close()
"""


def test_after_a_fork_parent_and_child_both_go_on(run_python):
    assert run_python(FORK) == ["before", "0", "after"]


FORK_CLOSING = """
import os
reading, writing = os.pipe()
os.register_at_fork(after_in_child=lambda: os.close(reading))
from gdns.hubs import NativeHub
hub = NativeHub.of_this_thread()
watch = hub.watch(reading, lambda: None)
watch.start()
child = os.fork()
if not child:
    watch.close()
    hub.sleep(0.001)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
watch.close()
"""


def test_a_fork_that_closes_a_watched_fd_leaves_the_child_a_working_hub(run_python):
    assert run_python(FORK_CLOSING) == ["0"]


FORK_IN_A_THREAD = """
import os, threading, warnings
warnings.simplefilter("ignore")  # from 3.12 on, forking with threads about is warned of
from gdns.hubs import NativeHub
main_hub = NativeHub()

def epoll_sets():
    fds = [fd for fd in range(20) if os.path.exists(f"/proc/self/fd/{fd}")]
    return sum("eventpoll" in os.readlink(f"/proc/self/fd/{fd}") for fd in fds)

def fork():
    hub = NativeHub.of_this_thread()
    child = os.fork()
    if not child:
        hub.sleep(0.001)
        os._exit(0 if epoll_sets() == 1 else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

thread = threading.Thread(target=fork)
thread.start()
thread.join()
main_hub.sleep(0.001)
print("goes on")
"""


def test_a_child_keeps_no_hub_of_threads_that_it_does_not_have(run_python):
    assert run_python(FORK_IN_A_THREAD) == ["0", "goes", "on"]
