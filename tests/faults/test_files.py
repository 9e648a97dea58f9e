"""The system's files in every sorry state: each leaves a resolver that works (promise 2)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from gdns import netdb
from gdns.config import System
from gdns.hosts import HostsFile
from gdns.nss import Files, Nss
from gdns.servers import ServerAddress, Servers
from gdns.services import Services
from gdns.stub import Stub
from gdns.testing import Server
from tests.conftest import GeventRunner, NativeRunner

NOBODY = 65534
NAMES = ("resolv.conf", "hosts", "nsswitch.conf", "gai.conf", "host.conf", "services")
GOOD = {
    "resolv.conf": b"nameserver 127.0.0.1\noptions timeout:5\n",
    "hosts": b"127.0.0.1 localhost\n",
    "nsswitch.conf": b"hosts: files dns\n",
    "gai.conf": b"precedence ::1/128 50\n",
    "host.conf": b"multi on\n",
    "services": b"http 80/tcp\n",
}
TRICKY = {
    "resolv.conf": b"nameserver\nnameserver 999.1.1.1\nsearch\noptions ndots:x timeout: \xff\nsortlist /\n",
    "hosts": b"127.0.0.1\n::g www.example\n1.2.3.4.5 x\n\xff\xfe www.example\0\n"
    + b"192.0.2.99 "
    + b"a" * 5000,
    "nsswitch.conf": b"hosts: files [x=y] dns\n: files\n[NOTFOUND\n\xff:\n",
    "gai.conf": b"precedence\nprecedence x 1\nlabel ::/999 1\nscopev4 1.2.3.4/x y\nreload maybe\n",
    "host.conf": b"multi\nmulti maybe\norder\n\xff\n",
    "services": b"http\nhttp 80\nhttp x/tcp\nhttp 99999999999/tcp\n/tcp 80\n",
}


def missing(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def unreadable(path: Path) -> None:
    """Not even for root: /proc/self/mem reads as EIO at its beginning."""
    path.unlink()
    path.symlink_to("/proc/self/mem")


def random_octets(path: Path) -> None:
    path.write_bytes(Random(path.name).randbytes(20_000))


def zeros(path: Path) -> None:
    path.write_bytes(bytes(100_000))


def one_endless_line(path: Path) -> None:
    path.write_bytes(b"#" + b"x" * 500_000)


def enormous(path: Path) -> None:
    path.write_bytes((b"# " + b"x" * 98 + b"\n") * 200_000)


def nonsense(path: Path) -> None:
    path.write_bytes(TRICKY[path.name])


def with_carriage_returns(path: Path) -> None:
    path.write_bytes(GOOD[path.name].replace(b"\n", b"\r\n"))


STATES = (
    *(missing, empty, a_directory, a_link_to_itself, a_fifo, unreadable, random_octets, zeros),
    *(one_endless_line, enormous, nonsense, with_carriage_returns),
)


class Etc:
    """The files of a system, the sources of names made from them, a clock on which a second is 10 ms."""

    def __init__(self, folder: Path, runner: NativeRunner | GeventRunner, server: Server) -> None:
        self.paths = {name: folder / name for name in NAMES}
        for name, path in self.paths.items():
            path.write_bytes(GOOD[name])
        address = ServerAddress.parse(server.address)
        self.stub = Stub(runner.hub, Servers([address]), timeout=5.0, attempts=2)
        self._system: System | None = None

    def clock(self) -> float:
        return time.monotonic() * 100

    def nss(self) -> Nss:
        """As a resolver would have it now."""
        if self._system is None:
            paths = self.paths
            self._system = System(
                resolv_conf=str(paths["resolv.conf"]),
                nsswitch=str(paths["nsswitch.conf"]),
                host_conf=str(paths["host.conf"]),
                gai_conf=str(paths["gai.conf"]),
                environ={},
                hostname=lambda: "test",
                clock=self.clock,
            )
            self._files = Files(
                HostsFile(paths["hosts"], clock=self.clock), Services(paths["services"], clock=self.clock)
            )
        return Nss(self.stub, self._system.current(), None, self._files)


@pytest.fixture
def system(tmp_path: Path, runner: NativeRunner | GeventRunner, dns_server: Server) -> Iterator[Etc]:
    """A system whose files are as they should be."""
    dns_server.add("www.example. 60 A 192.0.2.7")
    made = Etc(tmp_path, runner, dns_server)
    yield made
    made.stub.close()


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__.replace("_", " "))
@pytest.mark.parametrize("name", NAMES)
def test_a_file_in_a_sorry_state_leaves_a_working_resolver(
    system: Etc,
    run_all: Callable[..., list[object]],
    name: str,
    state: Callable[[Path], None],
) -> None:
    state(system.paths[name])
    (found,) = run_all([lambda: netdb.getaddrinfo(system.nss(), "www.example.", 80, 2, 1)])
    assert [entry[4] for entry in found] == [("192.0.2.7", 80)]  # type: ignore[attr-defined]


def test_files_that_must_not_be_read_leave_a_working_resolver(
    system: Etc, run_all: Callable[..., list[object]]
) -> None:
    for path in system.paths.values():
        path.chmod(0)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)  # whom the folder is closed to, too; root may read anything
    try:
        for path in system.paths.values():
            with pytest.raises(PermissionError):
                path.read_bytes()
        (found,) = run_all([lambda: netdb.getaddrinfo(system.nss(), "www.example.", 80, 2, 1)])
    finally:
        if is_root:
            os.seteuid(0)
    assert [entry[4] for entry in found] == [("192.0.2.7", 80)]  # type: ignore[attr-defined]


def test_files_that_change_every_10_ms_disturb_no_lookup(
    system: Etc, run_all: Callable[..., list[object]], dns_server: Server
) -> None:
    dns_server.add("*.example. 60 A 192.0.2.7")
    random = Random(1)
    is_over = threading.Event()
    changes = 0

    def change() -> None:
        nonlocal changes
        while not is_over.wait(0.01):
            name = random.choice(NAMES)
            path = system.paths[name]
            new = path.with_name("new")
            new.write_bytes(random.choice((GOOD[name], TRICKY[name], b"", b"\n", random.randbytes(999))))
            if random.random() < 0.2:
                path.unlink()
            new.rename(path)
            changes += 1

    changer = threading.Thread(target=change)
    changer.start()
    try:
        for turn in range(40):
            names = [f"n{turn}-{number}.example." for number in range(50)]
            lookups = [lambda name=name: netdb.lookup(system.nss(), name, 2, None) for name in names]
            assert run_all(lookups) == [("192.0.2.7",)] * 50
            is_over.wait(0.01)  # for the next change, not for an answer
    finally:
        is_over.set()
        changer.join()
    assert changes > 10
