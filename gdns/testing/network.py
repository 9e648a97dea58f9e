"""Keeps tests from the network, for pytest's option --gdns-block-network."""

from __future__ import annotations

import ipaddress
import os
import site
import socket
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from gdns.switch import Switch

MARK = "gdns_network"
_TO_ADDRESS = ("socket.connect", "socket.sendto", "socket.sendmsg")
_BY_ADDRESS = ("socket.gethostbyaddr", "socket.getnameinfo")
_BY_HOST = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")


class NetworkBlocked(RuntimeError):
    """Something beyond the loopback interface would have been reached."""


class Guard:
    """A pytest plugin: whatever goes beyond loopback raises `NetworkBlocked`, and fails its test.

    It sees what Python's sockets are told to do, by whatever library, through audit events (PEP 578), and the
    questions of gdns' own resolvers. What other C code sends by itself, and child processes, it does not see.
    """

    def __init__(self, root: Path) -> None:
        self._root = f"{root}{os.sep}"
        self._installed = tuple(
            {os.path.join(path, "") for path in (*sysconfig.get_paths().values(), *site.getsitepackages())}
            - {os.path.join(sys.prefix, ""), os.path.join(sys.base_prefix, "")}
        )
        self._test = ""
        self._is_on = True
        self._reached: list[str] = []
        sys.addaudithook(self._on_event)  # for good: there is no taking it out
        self._switch = self._guard_servers()

    # -- what pytest tells

    def pytest_unconfigure(self) -> None:
        self._is_on = False
        self._switch.undo()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._test = item.nodeid
        self._is_on = item.get_closest_marker(MARK) is None
        self._reached.clear()
        try:
            return (yield)
        finally:
            self._test = ""
            self._is_on = True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        """Fail also where the program has caught what was raised."""
        report: Any = yield
        if self._reached and (report.failed or call.when in ("call", "teardown")):
            reached = "\n".join(dict.fromkeys(self._reached))
            self._reached.clear()
            if report.passed or report.skipped:
                report.outcome = "failed"
                report.longrepr = reached
            elif NetworkBlocked.__name__ not in str(report.longrepr):
                report.sections.append(("blocked by --gdns-block-network", reached))
        return report  # type: ignore[no-any-return]

    def _guard_servers(self) -> Switch:
        try:
            from gdns.testing.guarded import guard_servers
        except ImportError:  # gdns without its extensions asks nobody but the system's resolver
            return Switch(())
        return guard_servers(self.refuse)

    # -- what the program does

    def refuse(self, what: str) -> None:
        """Note it, and raise NetworkBlocked, unless the test may."""
        if self._is_on:
            test = self._test or "outside of the tests"
            text = f"{test}: {what} goes beyond loopback (--gdns-block-network), at {self._line()}"
            self._reached.append(text)
            raise NetworkBlocked(text)

    def _on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not event.startswith("socket.") or not self._is_on:
            return
        if event in _TO_ADDRESS:
            sock, address = arguments[0], arguments[1]
            if sock.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple):
                host = address[0]
                if not (is_local_name(host) or is_loopback(host)):
                    kind = "a connection" if event == "socket.connect" else "a datagram"
                    self.refuse(f"{kind} to {_text(host)}:{address[1]}")
        elif event in _BY_HOST or event == "socket.getnameinfo":
            host = arguments[0][0] if event == "socket.getnameinfo" else arguments[0]
            is_reverse = event in _BY_ADDRESS
            if is_local_name(host) or (is_loopback(host) if is_reverse else is_address(host)):
                return
            if not self._is_by_gdns(sys._getframe(1)):
                self.refuse(f"a look-up of {_text(host)!r} by the system's resolver")

    def _is_by_gdns(self, frame: FrameType) -> bool:
        """Whether gdns raised the event, which then asks servers that are looked at by themselves."""
        path = frame.f_code.co_filename
        return path.startswith(_PACKAGE) and not path.endswith("libc.py")

    def _line(self) -> str:
        """Where it happened: the innermost line of the project, of the standard library if there is none."""
        frame: FrameType | None = sys._getframe(1)
        other = "an unknown line"
        while frame is not None:
            code: CodeType = frame.f_code
            path = os.path.abspath(code.co_filename)
            if path != _THIS_FILE and not code.co_filename.startswith("<"):
                place = f"{os.path.relpath(path, self._root) if path.startswith(self._root) else path}"
                place += f":{frame.f_lineno}, in {code.co_name}"
                if path.startswith(self._root) and not path.startswith(self._installed):
                    return place
                if other == "an unknown line":
                    other = place
            frame = frame.f_back
        return other


_PACKAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
_THIS_FILE = os.path.abspath(__file__)


def is_address(host: object) -> bool:
    """Whether a host is an IPv4 or IPv6 address, for which nobody needs to be asked."""
    with suppress(ValueError):
        ipaddress.ip_address(_text(host).partition("%")[0])
        return True
    return False


def is_loopback(host: object) -> bool:
    """Whether a host is an address that no packet leaves this system for, or the unspecified one."""
    with suppress(ValueError):
        address = ipaddress.ip_address(_text(host).partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        return address.is_loopback or address.is_unspecified
    return False


def is_local_name(host: object) -> bool:
    """Whether a host is one that is not looked up in DNS: none, this system, one of the hosts file."""
    name = _text(host).rstrip(".").lower()
    if name in ("", "localhost", "<broadcast>") or name.endswith(".localhost"):
        return name != "<broadcast>"
    return name == socket.gethostname().lower() or _hosts().addresses(name) is not None


def _hosts() -> Any:
    global _hosts_file
    if _hosts_file is None:
        from gdns.hosts import HostsFile

        _hosts_file = HostsFile()
    return _hosts_file


_hosts_file: Any = None


def _text(host: object) -> str:
    if isinstance(host, (bytes, bytearray)):
        return bytes(host).decode("utf-8", "backslashreplace")
    return "" if host is None else str(host)
