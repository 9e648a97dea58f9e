"""The sockets of the test server: one UDP and one TCP port of the same number."""

from __future__ import annotations

import contextlib
import errno
from _socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    MSG_DONTWAIT,
    SHUT_RDWR,
    SO_RCVBUF,
    SO_REUSEADDR,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
    socket,  # the one that nobody monkey-patches
)
from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Any, Literal, Protocol

from gdns.testing.faults import Packet, Transport
from gdns.testing.link import Link
from gdns.testing.loop import Loop
from gdns.testing.stream import Stream

BURST = 256  # datagrams taken in one turn, so that the other sockets get theirs
QUERY_SIZE = 4096  # octets of the longest query read over UDP
RECEIVE_BUFFER = 16 << 20  # octets asked for: a burst of thousands must not get lost here
ELSEWHERE = "127.0.0.53"  # another address of this host, for answers that come from one
PORTS_TRIED = 20

_SO_RCVBUFFORCE = 33  # socket(7): past the limit for ordinary users; Python has no name for it


TcpManners = Literal["serve", "refuse", "close", "hang"]


class Respond(Protocol):
    """What is sent in answer to a query."""

    def __call__(self, wire: bytes, transport: Transport, port: int) -> Sequence[Packet]: ...


class Listeners:
    """Both sockets with the connections made to one of them."""

    def __init__(
        self,
        loop: Loop,
        respond: Respond,
        host: str,
        port: int,
        tcp_idle: float,
        receive_buffer: int = RECEIVE_BUFFER,
    ) -> None:
        """Bind and listen; port 0 means any that is free for UDP and TCP. Raises OSError."""
        self._loop = loop
        self._respond = respond
        self._tcp_idle = tcp_idle
        self._receive_buffer = receive_buffer
        self._link: Link | None = None
        self._random = Random()
        self._tcp_manners: TcpManners = "serve"
        self._gathered: list[tuple[Packet, tuple[str, int]]] = []
        self._elsewhere: dict[str, socket] = {}
        self._flap_serial = 0
        self._streams: set[Stream] = set()
        self._family = AF_INET6 if ":" in host else AF_INET
        self._is_listening = False
        self._udp, self._tcp = self._bind_both(host, port)
        self.host: str = host
        self.port: int = self._udp.getsockname()[1]
        self._listen()

    def stop(self) -> None:
        """Refuse what comes, as a host without a server does, yet let nobody else have the port."""
        if not self._is_listening:
            return
        self._is_listening = False
        self._loop.forget(self._udp)
        self._udp.connect((self.host, self.port))  # to itself, so that all other senders are refused
        self._stop_tcp()
        self.drop_pending()

    def resume(self) -> None:
        """Listen again on the same port."""
        if not self._is_listening:
            self._udp.close()
            self._udp = self._bind(SOCK_DGRAM, self.host, self.port)
            self._listen()

    def flap(self, up: float, down: float) -> None:
        """Be there for `up` seconds, away for `down`, and so on until `steady`."""
        self.steady()
        self._be_there(self._flap_serial, up, down)

    def steady(self) -> None:
        """Flap no more, and be there."""
        self._flap_serial += 1
        self.resume()

    def close(self) -> None:
        """Give the port back; what is pending is dropped."""
        self._flap_serial += 1
        if self._is_listening:
            self._is_listening = False
            self._loop.forget(self._udp)
            self._stop_tcp()
        self.drop_pending()
        for sock in (self._udp, self._tcp, *self._elsewhere.values()):
            sock.close()

    def leave_to_parent(self) -> None:
        """After a fork, in the child: a socket that is shut down or read is so for the parent, too."""
        for stream in self._streams:
            stream.leave_to_parent()
        for sock in (self._udp, self._tcp, *self._elsewhere.values()):
            sock.close()

    def set_link(self, link: Link | None) -> None:
        """Let datagrams travel over a link from now on; None is the loopback as it is."""
        self._link = link
        if link is not None:
            self._random = Random(link.seed)

    def set_tcp(self, manners: TcpManners) -> None:
        """Serve TCP, refuse connections, close them at once, or let them hang; those open are closed."""
        for stream in list(self._streams):
            stream.close()
        if self._is_listening:
            self._stop_tcp()
        self._tcp_manners = manners
        if self._is_listening:
            self._start_tcp()

    def _be_away(self, serial: int, up: float, down: float) -> None:
        if serial == self._flap_serial:
            self.stop()
            self._loop.call_later(down, partial(self._be_there, serial, up, down), lasting=True)

    def _be_there(self, serial: int, up: float, down: float) -> None:
        if serial == self._flap_serial:
            self.resume()
            self._loop.call_later(up, partial(self._be_away, serial, up, down), lasting=True)

    def drop_pending(self) -> None:
        """Forget the queries not yet read, the answers not yet sent, the connections."""
        self._loop.forget_timers()
        self._gathered.clear()
        for stream in list(self._streams):
            stream.close()
        with contextlib.suppress(OSError):
            while True:
                self._udp.recv(1, MSG_DONTWAIT)

    def _bind_both(self, host: str, port: int) -> tuple[socket, socket]:
        for tries_left in reversed(range(PORTS_TRIED)):
            udp = self._bind(SOCK_DGRAM, host, port)
            try:
                return udp, self._bind(SOCK_STREAM, host, udp.getsockname()[1])
            except OSError as error:
                udp.close()
                # A port given to us for UDP may be somebody's for TCP.
                if port or not tries_left or error.errno != errno.EADDRINUSE:
                    raise
        raise AssertionError("the last try returns or raises")

    def _bind(self, kind: int, host: str, port: int) -> socket:
        sock = socket(self._family, kind)
        try:
            if self._family == AF_INET6:
                sock.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1)
            if kind == SOCK_STREAM:
                sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)  # connections in TIME_WAIT
            else:
                sock.setsockopt(SOL_SOCKET, SO_RCVBUF, self._receive_buffer)
                with contextlib.suppress(PermissionError):
                    sock.setsockopt(SOL_SOCKET, _SO_RCVBUFFORCE, self._receive_buffer)
            sock.bind((host, port))
        except OSError:
            sock.close()
            raise
        return sock

    def _listen(self) -> None:
        self._loop.watch(self._udp, self._on_datagrams)
        self._is_listening = True
        self._start_tcp()

    def _start_tcp(self) -> None:
        if self._tcp_manners != "refuse":
            self._tcp.setblocking(False)  # or it would wait for the next when a client has gone again
            self._tcp.listen(1024)
        if self._tcp_manners in ("serve", "close"):
            self._loop.watch(self._tcp, self._on_connection)  # else the kernel accepts, and nobody reads

    def _stop_tcp(self) -> None:
        if self._tcp_manners in ("serve", "close"):
            self._loop.forget(self._tcp)
        if self._tcp_manners != "refuse":
            self._tcp.shutdown(SHUT_RDWR)  # stays bound, and may listen again

    def _on_datagrams(self) -> None:
        receive = self._udp.recvfrom
        for _ in range(BURST):
            try:
                wire, peer = receive(QUERY_SIZE, MSG_DONTWAIT)
            except OSError:  # nothing left, or the answer to an earlier one was refused
                return
            if self._link is None:
                self._answer(wire, peer)
                continue
            for seconds in self._link.queries.journeys(self._random):
                if seconds:
                    self._loop.call_later(seconds, partial(self._answer, wire, peer))
                else:
                    self._answer(wire, peer)

    def _answer(self, wire: bytes, peer: tuple[str, int]) -> None:
        for packet in self._respond(wire, "udp", peer[1]):
            if packet.after:
                self._loop.call_later(packet.after, partial(self._put, packet, peer))
            else:
                self._put(packet, peer)

    def _put(self, packet: Packet, peer: tuple[str, int]) -> None:
        """Let an answer leave, unless it has to wait for company."""
        if not packet.gather:
            self._forward(packet, peer)
            return
        self._gathered.append((packet, peer))
        if len(self._gathered) >= packet.gather:
            together, self._gathered = self._gathered, []
            for one, its_peer in reversed(together) if packet.backwards else together:
                self._forward(one, its_peer)

    def _forward(self, packet: Packet, peer: tuple[str, int]) -> None:
        sock = self._udp if packet.source == "server" else self._other(packet.source)
        if self._link is None:
            self._send(sock, packet.wire, peer)
            return
        for seconds in self._link.replies.journeys(self._random):
            if seconds:
                self._loop.call_later(seconds, partial(self._send, sock, packet.wire, peer))
            else:
                self._send(sock, packet.wire, peer)

    def _send(self, sock: socket, wire: bytes, peer: tuple[str, int]) -> None:
        # Not contextlib.suppress, which costs a tenth of what the whole query does.
        try:  # noqa: SIM105
            sock.sendto(wire, peer)
        except OSError:  # nobody can be there: the port is 0, or the kernel forbids it
            pass

    def _other(self, source: str) -> socket:
        """A socket of another port or, where the host has one, another address."""
        sock = self._elsewhere.get(source)
        if sock is None:
            has_other = source == "address" and self._family == AF_INET
            sock = socket(self._family, SOCK_DGRAM)
            sock.bind((ELSEWHERE, self.port) if has_other else (self.host, 0))
            self._elsewhere[source] = sock
        return sock

    def _on_connection(self) -> None:
        with contextlib.suppress(OSError):  # the client may be gone before it is let in
            listening: Any = self._tcp
            fd, peer = listening._accept()
            sock = socket(fileno=fd)
            if self._tcp_manners == "close":
                sock.close()
                return
            respond = partial(self._respond, transport="tcp", port=peer[1])
            Stream(sock, self._loop, respond, self._tcp_idle, self._streams)
