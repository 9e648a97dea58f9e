"""What the tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import gevent
import pytest

from gdns.hubs import NativeHub, Task
from gdns.hubs.gevent import GeventHub
from gdns.testing import Server

FIXTURES = Path(__file__).parent.parent / "fixtures"


@pytest.fixture(scope="session")
def _dns_server_process() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def dns_server(_dns_server_process: Server) -> Server:
    """A server that has one zone, the empty `example.`, and has seen nothing; its process serves all."""
    _dns_server_process.reset({"example.": {}})
    return _dns_server_process


@pytest.fixture(scope="session")
def zone_server() -> Iterator[Server]:
    """A server with the zones of fixtures/zones, to be asked but not changed."""
    with Server(FIXTURES / "zones") as server:
        yield server


class NativeRunner:
    """Runs functions as greenlets of gdns' own hub."""

    def __init__(self) -> None:
        self.hub = NativeHub.of_this_thread()
        self.sleep = self.hub.sleep

    def spawn(self, function: Callable[[], object]) -> Task[object]:
        return self.hub.spawn(function)

    def join(self, tasks: list[Task[object]], timeout: float) -> None:
        self.hub.join(*tasks, timeout=timeout)

    def kill(self, task: Task[object]) -> None:
        self.hub.call_soon(task.throw)
        self.hub.join(task)


class GeventRunner:
    """Runs functions as greenlets of gevent."""

    def __init__(self) -> None:
        gevent.get_hub()
        hub = GeventHub.of_this_thread()
        assert hub is not None
        self.hub = hub
        self.sleep = gevent.sleep

    def spawn(self, function: Callable[[], object]) -> gevent.Greenlet:
        return gevent.spawn(function)

    def join(self, tasks: list[gevent.Greenlet], timeout: float) -> None:
        gevent.joinall(tasks, timeout=timeout)

    def kill(self, task: gevent.Greenlet) -> None:
        task.kill()


@pytest.fixture(params=[NativeRunner, GeventRunner], ids=["native", "gevent"])
def runner(request: pytest.FixtureRequest) -> NativeRunner | GeventRunner:
    """A hub with what a test needs to run greenlets on it; the test runs once for each kind."""
    made: NativeRunner | GeventRunner = request.param()
    return made


@pytest.fixture
def run_all(runner: NativeRunner | GeventRunner) -> Callable[..., list[object]]:
    """Run functions at once, each in a greenlet of its own; their results, or the first exception."""

    def run(functions: Iterable[Callable[[], object]], timeout: float = 30.0) -> list[object]:
        tasks = [runner.spawn(function) for function in functions]
        runner.join(tasks, timeout)  # type: ignore[arg-type]
        return [task.get() for task in tasks]

    return run
