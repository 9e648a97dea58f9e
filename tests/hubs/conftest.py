"""Every hub, made afresh for each test, with what a test needs beside the protocol."""

import logging
import os
import signal
import subprocess
import sys
import warnings
from time import monotonic

import gevent
import pytest
from gevent._hub_local import get_hub_if_exists, set_hub
from gevent.hub import Hub as RealGeventHub
from gevent.libev.corecext import loop as libev_loop
from gevent.libuv.loop import loop as libuv_loop

from gdns.hubs import HubIdle, NativeHub, Waiter

with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
    warnings.simplefilter("ignore")  # it says of itself that it is deprecated
    patch.setenv("EVENTLET_NO_GREENDNS", "yes")  # which puts a dnspython of its own in everybody's place
    import eventlet.hubs

from gdns.hubs.eventlet import EventletHub
from gdns.hubs.gevent import GeventHub

PATIENCE = 5.0  # seconds until a test that waits for something fails
A_WHILE = 0.02  # seconds in which what must not happen would have happened


class Stage:
    """A hub of the main thread, and what its users have beside the protocol."""

    def __init__(self, hub, spawn, destroy, is_idle, errors):
        self.hub = hub
        self.spawn = spawn
        self.destroy = destroy  # ends the event loop, as its owner would
        self.is_idle = is_idle  # whether nothing keeps the loop from finishing
        self.errors = errors  # what the hub was given to report

    def pause(self, seconds=A_WHILE):
        waiter = Waiter(self.hub)
        timer = self.hub.call_later(seconds, waiter.wake)
        try:
            waiter.park()
        finally:
            timer.cancel()

    def wait_until(self, fact):
        deadline = monotonic() + PATIENCE
        while not fact():
            assert monotonic() < deadline, "waited in vain"
            self.pause(0.001)


def native_stage():
    errors = []
    handler = logging.Handler()
    handler.emit = lambda record: errors.append(record.exc_info[1])
    log = logging.getLogger("gdns.hubs")
    log.addHandler(handler)
    hub = NativeHub()

    def is_idle():
        before = signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, A_WHILE)
        try:
            Waiter(hub).park()
        except HubIdle:
            return True
        except KeyboardInterrupt:
            return False
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    yield Stage(hub, hub.spawn, hub.close, is_idle, errors)
    hub.close()
    log.removeHandler(handler)


def gevent_stage(make_loop):
    errors = []
    before = get_hub_if_exists()
    hub = RealGeventHub(loop=make_loop(default=False))
    hub.print_exception = lambda context, kind, error, traceback: errors.append(error)
    set_hub(hub)

    def destroy():
        hub.destroy(destroy_loop=True)

    yield Stage(GeventHub.of(hub), gevent.spawn, destroy, lambda: hub.join(timeout=A_WHILE), errors)
    if hub.loop is not None:
        destroy()
    set_hub(before)


def eventlet_stage(kind):
    errors = []
    threads = eventlet.hubs._threadlocal
    before = dict(vars(threads))
    eventlet.hubs.use_hub(kind)
    inner = eventlet.hubs.get_hub()
    inner.squelch_generic_exception = lambda exc_info: errors.append(exc_info[1])
    hub = EventletHub.of(inner)

    def destroy():
        if inner.running:
            inner.abort(wait=True)
        eventlet.hubs.use_hub(kind)  # it could be run again, were there no other one

    def is_idle():
        stage.pause()
        timers = [timer for _, timer in inner.timers + inner.next_timers if not timer.called]
        return not timers and not list(inner.get_readers())

    stage = Stage(hub, eventlet.spawn, destroy, is_idle, errors)
    yield stage
    hub.close()
    destroy()
    if hasattr(inner, "loop"):
        inner.loop.close()
    vars(threads).clear()
    vars(threads).update(before)


STAGES = {
    "native": native_stage,
    "gevent-libev": lambda: gevent_stage(libev_loop),
    "gevent-libuv": lambda: gevent_stage(libuv_loop),
    "eventlet-epoll": lambda: eventlet_stage("epolls"),
    "eventlet-poll": lambda: eventlet_stage("poll"),
    "eventlet-select": lambda: eventlet_stage("selects"),
    "eventlet-asyncio": lambda: eventlet_stage("asyncio"),
}


@pytest.fixture(params=STAGES)
def stage(request):
    """The contract suite's hub: every test of it runs on each."""
    yield from STAGES[request.param]()


@pytest.fixture
def hub(stage):
    return stage.hub


@pytest.fixture
def native():
    """A native hub."""
    for stage in native_stage():
        yield stage.hub


@pytest.fixture
def run_python():
    """Run a program in a fresh interpreter; return the words it prints. It must end well and be silent."""

    def run(program, **environment):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split()

    return run
