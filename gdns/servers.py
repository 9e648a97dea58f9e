"""The DNS servers of a resolver: how they are written, how they are doing, who is asked next."""

from __future__ import annotations

import os
import re
import resource
import socket
import struct
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from gdns import _sockets
from gdns.errors import ConfigError
from gdns.resolvconf import DNS_PORT

if TYPE_CHECKING:
    from gdns._wire import Question
    from gdns.flight import Flight, Refill

SCHEMES = ("udp", "tcp")
MOST_IN_FLIGHT = 1000  # to one server; c-ares loops for ever at 65,536
LEAST_PATIENCE = 0.25  # seconds a server gets before the next one is asked too
FIRST_BURST = 128  # questions sent to a server before anything is heard of it
LEAST_BURST = 32
BUFFERED_FOR = 0.1  # seconds for which a question may lie in a server's buffer
PORTION = 100  # questions to a server on this host of which one has to be answered before more are sent
READ_WITHIN = 0.02  # seconds, or so much has passed: then they are read, and take long to answer
PROBE_INTERVAL = 0.5  # seconds between two looks at a server that failed

_TEXT = r"""(?x)
    (?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?
    (?: \[(?P<bracketed>[^\]]*)\] (?: :(?P<port6>[^:]*))?
      | (?P<v4>[^:\[\]]*) (?: :(?P<port4>[^:]*))?
      | (?P<bare>[^\[\]]*) )"""


class ServerAddress(NamedTuple):
    """Where a DNS server is.

    `host` is a numeric address, `scope_id` the index of the interface of a link-local one, else 0.
    """

    host: str
    port: int = DNS_PORT
    scope_id: int = 0
    transport: str = "udp"

    @classmethod
    def parse(cls, text: str) -> ServerAddress:
        """Read "192.0.2.1", "192.0.2.1:5300", "2001:db8::1", "[2001:db8::1]:53", "fe80::1%eth0", "tcp://...".

        Raises ConfigError, which names what is wrong with `text`; TypeError if it is no str.
        """
        if not isinstance(text, str):
            raise TypeError(f"a name server is written as a str, not {type(text).__name__}")
        found = re.fullmatch(_TEXT, text)
        if found is None:
            raise ConfigError(f"name server {text!r}: expected ADDRESS, ADDRESS:PORT or [IPV6-ADDRESS]:PORT")
        scheme = (found["scheme"] or "udp").lower()
        if scheme not in SCHEMES:
            known = ", ".join(f"{name}://" for name in SCHEMES)
            raise ConfigError(f"name server {text!r}: scheme {scheme!r} is not known, only {known}")
        host = next(part for part in (found["bracketed"], found["v4"], found["bare"]) if part is not None)
        address, _, scope = host.partition("%")
        port = _port(text, found["port6"] if found["port6"] is not None else found["port4"])
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                packed = socket.inet_pton(family, address)
            except (OSError, ValueError):
                continue
            if found["bracketed"] is not None and family == socket.AF_INET:
                break
            return cls(socket.inet_ntop(family, packed), port, _scope_id(text, scope, host), scheme)
        raise ConfigError(f"name server {text!r}: {host!r} is not a numeric IP address")

    @property
    def family(self) -> int:
        """AF_INET or AF_INET6."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    @property
    def sockaddr(self) -> bytes:
        """The address as connect(2) takes it (ip(7), ipv6(7))."""
        packed = socket.inet_pton(self.family, self.host)
        head = struct.pack("=H", self.family) + struct.pack("!H", self.port)
        if self.family == socket.AF_INET:
            return head + packed + bytes(8)
        return head + bytes(4) + packed + struct.pack("=I", self.scope_id)

    @property
    def is_loopback(self) -> bool:
        """Whether nobody outside this host can send in its name."""
        return self.host.startswith("127.") or self.host == "::1"

    def __str__(self) -> str:
        scope = f"%{self.scope_id}" if self.scope_id else ""
        host = f"[{self.host}{scope}]" if self.family == socket.AF_INET6 else self.host
        return f"{host}:{self.port}"


def _port(text: str, port: str | None) -> int:
    if port is None:
        return DNS_PORT
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(f"name server {text!r}: port {port!r} is not a number from 1 to 65535")
    return int(port)


def _scope_id(text: str, scope: str, host: str) -> int:
    if "%" not in host:
        return 0
    if scope.isascii() and scope.isdigit():
        return int(scope)
    try:
        return socket.if_nametoindex(scope)
    except (OSError, ValueError):
        raise ConfigError(f"name server {text!r}: there is no network interface {scope!r}") from None


@cache
def _replies_per_socket() -> int:
    return _sockets.receive_window()


class Server:
    """One server as an engine sees it: its address, its health, and the questions it is busy with."""

    __slots__ = (
        "address",
        "family",
        "sockaddr",
        "name",
        "queries_per_socket",
        "window",
        "in_flight",
        "queue",
        "failed_at",
        "probed_at",
        "is_probed",
        "is_tcp",
        "groups",
        "rtt",
        "burst",
        "unheard",
        "unheard_before",
        "turned_at",
        "shrunk_at",
        "refill",
        "pause",
        "is_near",
        "portion",
        "portion_at",
        "in_portion",
        "is_portion_read",
    )

    def __init__(self, address: ServerAddress) -> None:
        self.address = address
        self.family = address.family
        self.sockaddr = address.sockaddr
        self.name = str(address)
        self.is_tcp = address.transport == "tcp"
        # Nobody can spoof a loopback server's replies from outside, so its questions share sockets, as many
        # as one socket's buffer holds replies. To all others each question leaves from a port of its own.
        self.queries_per_socket = _replies_per_socket() if address.is_loopback else 1
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.window = max(1, min(MOST_IN_FLIGHT, descriptors // 4 * self.queries_per_socket))
        self.in_flight = 0
        self.queue: deque[Flight] = deque()
        self.failed_at = 0.0  # 0: it answered when it was last asked, or was not asked yet
        self.probed_at = 0.0
        self.is_probed = False
        self.groups: list[Group] = []
        self.rtt = 0.0  # seconds from question to reply, the last eight or so; 0 before the first
        # What was sent lately may still lie in the server's buffer, which is small: see `has_room`
        self.burst = FIRST_BURST  # how much of that there may be
        self.unheard = 0  # questions of this tenth of a second that are not answered,
        self.unheard_before = 0  # and of the one before
        self.turned_at = 0.0  # when this one began
        self.shrunk_at = 0.0  # when the burst last did
        self.refill: Refill | None = None  # set while its queue waits for the next
        self.is_near = address.is_loopback and not self.is_tcp
        self.pause = READ_WITHIN if self.is_near else BUFFERED_FOR  # between two looks at its queue
        self.portion = 0  # the number of what is being sent to a near server,
        self.portion_at = 0.0  # when it began,
        self.in_portion = 0  # how many questions it has
        self.is_portion_read = False  # and whether one of them has been answered

    def has_room(self, now: float) -> bool:
        """Whether a question may be sent now; else it joins the queue.

        A server answers as fast as it can, but its socket holds some 250 questions; what comes beyond is lost
        without a word. So a burst begins small, grows with each reply and shrinks with each silence, as TCP's
        window does (RFC 5681). What has lain for over a tenth of a second is in nobody's buffer any more.
        """
        if self.in_flight >= self.window:
            return False
        if self.is_near and not self._has_portion(now):
            return False
        buffered_for: float = BUFFERED_FOR
        if now - self.turned_at >= buffered_for:
            self.unheard_before = self.unheard if now - self.turned_at < 2 * buffered_for else 0
            self.unheard = 0
            self.turned_at = now
        return self.unheard + self.unheard_before < self.burst

    def _has_portion(self, now: float) -> bool:
        """Whether a server on this host has read enough of what it was sent.

        Questions reach it faster than it reads them; and if bursts grew until some are lost, each of those
        would cost a look-up its patience. But it reads them in order: once one of a portion is answered,
        those before it are read, and less than two portions are in its buffer.
        """
        portion: int = PORTION
        read_within: float = READ_WITHIN
        if self.in_portion >= portion:
            if not self.is_portion_read and now - self.portion_at < read_within:
                return False
            self.portion += 1
            self.in_portion = 0
            self.is_portion_read = False
        if not self.in_portion:
            self.portion_at = now
        return True

    def room(self) -> int:
        """How many more questions may be sent, where `has_room` has said that one may."""
        room = min(self.window - self.in_flight, self.burst - self.unheard - self.unheard_before)
        return min(room, PORTION - self.in_portion) if self.is_near else room

    def note_sent(self) -> int:
        """A question has been sent: `has_room` said so. The number of its portion, for `note_reply`."""
        self.in_flight += 1
        self.unheard += 1
        self.in_portion += 1
        return self.portion

    def note_cut(self, now: float, sent_at: float) -> None:
        """A connection has ended under a question: it lies in nobody's buffer any more.

        The fewer are on the next one, the fewer have to be sent again for nothing.
        """
        self.note_silence(now, sent_at)
        if self.unheard:
            self.unheard -= 1

    def note_silence(self, now: float, sent_at: float) -> None:
        """It has not answered a question for a long time: perhaps it never got it.

        All that was sent before the burst shrank was sent by the former measure. So it shrinks once for
        questions that were lost together (RFC 5681, section 3.2): a lossy link does not bring it down.
        """
        if sent_at >= self.shrunk_at:
            self.shrunk_at = now
            self.burst = max(LEAST_BURST, self.burst // 2)

    def note_reply(self, now: float, sent_at: float, portion: int) -> None:
        """It has answered a question of that portion; if it had failed, it is back in its place."""
        buffered_for: float = BUFFERED_FOR
        rtt = now - sent_at
        self.rtt += (rtt - self.rtt) / 8 if self.rtt else rtt
        if portion == self.portion:
            self.is_portion_read = True
        if self.burst < self.window:
            self.burst += 1
        if sent_at >= self.turned_at:
            if self.unheard:
                self.unheard -= 1
        elif self.unheard_before and sent_at >= self.turned_at - buffered_for:
            self.unheard_before -= 1
        if self.failed_at:
            self.failed_at = 0.0
            self._arrange()

    def note_failure(self, now: float) -> None:
        """It could not be reached, or let a question wait: it is asked after the others from now on."""
        self.failed_at = now
        self._arrange()

    def _arrange(self) -> None:
        for group in self.groups:
            group.arrange()

    def __repr__(self) -> str:
        return f"<Server {self.name}{' failing' if self.failed_at else ''}, {self.in_flight} in flight>"


class Group:
    """Servers that know the same names: who of them is asked first, and how long one waits for each."""

    __slots__ = ("all", "order", "healthy", "has_failing", "rotates", "_turn")

    def __init__(self, servers: Sequence[Server], rotates: bool = False) -> None:
        if not servers:
            raise ConfigError("a resolver needs at least one name server")
        self.all = tuple(servers)
        self.order = self.all
        self.healthy = len(self.all)  # how many of `order` have not failed
        self.has_failing = False
        self.rotates = rotates and len(self.all) > 1
        self._turn = int.from_bytes(os.urandom(2), "big")  # where the first begins is chance
        for server in self.all:
            server.groups.append(self)

    def patience(self, timeout: float) -> float:
        """Seconds to wait for one server before the next is asked too.

        Every server is to have been asked before the first `timeout` has passed; none gets less than
        0.25 s (or `timeout`, where that is shorter).
        """
        return min(timeout, max(timeout / len(self.all), LEAST_PATIENCE))

    def plan(self) -> tuple[Server, ...]:
        """The servers in the order in which the next question is to ask them.

        Those that failed come last. Where they rotate (resolv.conf(5)), each question begins with the next.
        """
        if not self.rotates:
            return self.order
        healthy = self.healthy or len(self.order)
        self._turn = (self._turn + 1) % healthy
        return self.order[self._turn : healthy] + self.order[: self._turn] + self.order[healthy:]

    def arrange(self) -> None:
        """Put those that failed behind the others, the one that has rested longest first."""
        self.order = tuple(sorted(self.all, key=attrgetter("failed_at")))
        self.healthy = [server.failed_at for server in self.order].count(0.0)
        # where all fail, there is nobody to put them behind
        self.has_failing = len(self.all) > 1 and self.healthy < len(self.all)


class Servers:
    """The servers of an engine: those of most names, those of some domains, one table of their health.

    `domains` maps the wire form of a domain's name, in lower case, to the servers of all names in it; the
    longest domain counts. `rotates` is resolv.conf(5)'s option. Raises ConfigError where there are none.
    """

    def __init__(
        self,
        addresses: Iterable[ServerAddress],
        domains: Mapping[bytes, Iterable[ServerAddress]] | None = None,
        rotates: bool = False,
    ) -> None:
        self._known: dict[ServerAddress, Server] = {}
        self.default = self._group(addresses, rotates)
        self.domains = {name: self._group(servers, rotates) for name, servers in (domains or {}).items()}
        self.all: Sequence[Server] = tuple(self._known.values())

    def _group(self, addresses: Iterable[ServerAddress], rotates: bool) -> Group:
        return Group([self._server(address) for address in dict.fromkeys(addresses)], rotates)

    def _server(self, address: ServerAddress) -> Server:
        server = self._known.get(address)
        if server is None:
            server = self._known[address] = Server(address)
        return server

    def group_of(self, question: Question) -> Group:
        """The servers to ask a question of."""
        domains = self.domains
        if domains:
            name = question.key[:-4]
            at = 0
            while at < len(name):
                group = domains.get(name[at:])
                if group is not None:
                    return group
                at += name[at] + 1
        return self.default

    def to_probe(self, now: float) -> list[Server]:
        """The failing servers that are due for a question of our own."""
        return [
            server
            for server in self.all
            if server.failed_at and not server.is_probed and now - server.probed_at >= PROBE_INTERVAL
        ]
