"""What the tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import gevent
import pytest

# not left to the entry point, which only an installed gdns has
from _gdns_pytest_plugin import _gdns_server_process, dns_server, gdns_override, gdns_resolver  # noqa: F401
from gdns.config import System
from gdns.hosts import HostsFile
from gdns.hubs import NativeHub, Task
from gdns.hubs.gevent import GeventHub
from gdns.nss import Files, Nss
from gdns.servers import ServerAddress, Servers
from gdns.services import Services
from gdns.stub import Stub
from gdns.testing import Server

MakeNss = Callable[..., Nss]

FIXTURES = Path(__file__).parent.parent / "fixtures"


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
        task.kill()
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


@pytest.fixture(params=["native", "gevent"])
def runner(request: pytest.FixtureRequest) -> NativeRunner | GeventRunner:
    """A hub with what a test needs to run greenlets on it; the test runs once for each kind."""
    return NativeRunner() if request.param == "native" else GeventRunner()


@pytest.fixture
def run_all(runner: NativeRunner | GeventRunner) -> Callable[..., list[object]]:
    """Run functions at once, each in a greenlet of its own; their results, or the first exception."""

    def run(functions: Iterable[Callable[[], object]], timeout: float = 30.0) -> list[object]:
        tasks = [runner.spawn(function) for function in functions]
        runner.join(tasks, timeout)  # type: ignore[arg-type]
        return [task.get() for task in tasks]

    return run


@pytest.fixture
def make_nss(dns_server: Server, tmp_path: Path) -> Iterator[MakeNss]:  # noqa: F811
    """Make the sources of names of a system whose files hold these texts; its server is `dns_server`."""
    made: list[Stub] = []

    def make(
        *,
        hosts: str = "127.0.0.1 localhost\n",
        resolv_conf: str = "options timeout:1 attempts:1\n",
        nsswitch: str = "hosts: files dns\n",
        host_conf: str = "multi on\n",
        services: str = "http 80/tcp www\ndomain 53/tcp\ndomain 53/udp\n",
        lifetime: float | None = None,
        timeout: float = 5.0,
    ) -> Nss:
        texts = {
            "hosts": hosts,
            "resolv.conf": f"nameserver 127.0.0.1\n{resolv_conf}",
            "nsswitch.conf": nsswitch,
            "host.conf": host_conf,
            "services": services,
            "gai.conf": "",
        }
        paths = {name: tmp_path / name for name in texts}
        for name, text in texts.items():
            paths[name].write_text(text)
        system = System(
            resolv_conf=str(paths["resolv.conf"]),
            nsswitch=str(paths["nsswitch.conf"]),
            host_conf=str(paths["host.conf"]),
            gai_conf=str(paths["gai.conf"]),
            environ={},
            hostname=lambda: "test",
        )
        address = ServerAddress.parse(dns_server.address)
        made.append(Stub(NativeHub.of_this_thread(), Servers([address]), timeout=timeout, attempts=1))
        files = Files(HostsFile(paths["hosts"]), Services(paths["services"]))
        return Nss(made[-1], system.current(), lifetime, files)

    yield make
    for stub in made:
        stub.close()
