"""The sockets of the test server: one UDP and one TCP port of the same number."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from gdns.testing.faults import Packet, Transport
from gdns.testing.loop import Loop
from gdns.testing.stream import Stream

BURST = 256  # datagrams taken in one turn, so that the other sockets get theirs
QUERY_SIZE = 4096  # octets of the longest query read over UDP
RECEIVE_BUFFER = 16 << 20  # octets asked for: a burst of thousands must not get lost here
PORTS_TRIED = 20

_SO_RCVBUFFORCE = 33  # socket(7): past the limit for ordinary users; Python has no name for it


class Respond(Protocol):
    """What is sent in answer to a query."""

    def __call__(self, wire: bytes, transport: Transport, port: int) -> Sequence[Packet]: ...


class Listeners:
    """Both sockets with the connections made to one of them."""

    def __init__(self, loop: Loop, respond: Respond, host: str, port: int, tcp_idle: float) -> None:
        """Bind and listen; port 0 means any that is free for UDP and TCP. Raises OSError."""
        self._loop = loop
        self._respond = respond
        self._tcp_idle = tcp_idle
        self._streams: set[Stream] = set()
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
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
        self._loop.forget(self._tcp)
        self._udp.connect((self.host, self.port))  # to itself, so that all other senders are refused
        self._tcp.shutdown(socket.SHUT_RDWR)  # stays bound, and may listen again
        self.drop_pending()

    def resume(self) -> None:
        """Listen again on the same port."""
        if not self._is_listening:
            self._udp.close()
            self._udp = self._bind(socket.SOCK_DGRAM, self.host, self.port)
            self._listen()

    def drop_pending(self) -> None:
        """Forget the queries not yet read, the answers not yet sent, the connections."""
        self._loop.forget_timers()
        for stream in list(self._streams):
            stream.close()
        with contextlib.suppress(OSError):
            while True:
                self._udp.recv(1, socket.MSG_DONTWAIT)

    def _bind_both(self, host: str, port: int) -> tuple[socket.socket, socket.socket]:
        for tries_left in reversed(range(PORTS_TRIED)):
            udp = self._bind(socket.SOCK_DGRAM, host, port)
            try:
                return udp, self._bind(socket.SOCK_STREAM, host, udp.getsockname()[1])
            except OSError as error:
                udp.close()
                # A port given to us for UDP may be somebody's for TCP.
                if port or not tries_left or error.errno != errno.EADDRINUSE:
                    raise
        raise AssertionError("the last try returns or raises")

    def _bind(self, kind: socket.SocketKind, host: str, port: int) -> socket.socket:
        sock = socket.socket(self._family, kind)
        try:
            if self._family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if kind == socket.SOCK_STREAM:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections in TIME_WAIT
            else:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
                with contextlib.suppress(PermissionError):
                    sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
            sock.bind((host, port))
        except OSError:
            sock.close()
            raise
        return sock

    def _listen(self) -> None:
        self._tcp.listen(1024)
        self._loop.watch(self._udp, self._on_datagrams)
        self._loop.watch(self._tcp, self._on_connection)
        self._is_listening = True

    def _on_datagrams(self) -> None:
        receive = self._udp.recvfrom
        for _ in range(BURST):
            try:
                wire, peer = receive(QUERY_SIZE, socket.MSG_DONTWAIT)
            except OSError:  # nothing left, or the answer to an earlier one was refused
                return
            for packet in self._respond(wire, "udp", peer[1]):
                if packet.after:
                    self._loop.call_later(packet.after, partial(self._send, packet.wire, peer))
                else:
                    self._send(packet.wire, peer)

    def _send(self, wire: bytes, peer: tuple[str, int]) -> None:
        # Not contextlib.suppress, which costs a tenth of what the whole query does.
        try:  # noqa: SIM105
            self._udp.sendto(wire, peer)
        except OSError:  # nobody can be there: the port is 0, or the kernel forbids it
            pass

    def _on_connection(self) -> None:
        with contextlib.suppress(OSError):  # the client may be gone before it is let in
            sock, peer = self._tcp.accept()
            respond = partial(self._respond, transport="tcp", port=peer[1])
            Stream(sock, self._loop, respond, self._tcp_idle, self._streams)
