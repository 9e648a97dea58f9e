"""A client of the test server over TCP."""

from __future__ import annotations

import struct
import time
from _socket import SO_LINGER, SOL_SOCKET, socket
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from gdns.testing.faults import Packet
from gdns.testing.loop import Loop

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER without patience: close sends RST


class Stream:
    """A connection whose queries are answered as they come, the delayed ones out of order (RFC 7766)."""

    def __init__(
        self,
        sock: socket,
        loop: Loop,
        respond: Callable[[bytes], Sequence[Packet]],
        idle: float,
        streams: set[Stream],
    ) -> None:
        """Serve a connected socket until it was idle for so many seconds; stand in `streams` meanwhile."""
        sock.setblocking(False)
        self._sock = sock
        self._loop = loop
        self._respond = respond
        self._idle = idle
        self._streams = streams
        self._unread = bytearray()
        self._unsent = bytearray()
        self._delayed = 0
        self._gathered: list[Packet] = []
        self._behind: deque[Packet] = deque()  # what must not get in between a message's pieces
        self._dripping: Packet | None = None
        self._end = ""
        self._active_at = time.monotonic()
        streams.add(self)
        loop.watch(sock, self._on_readable)
        loop.call_later(idle, self._close_if_idle)

    def close(self) -> None:
        """Close the connection; what is not sent yet never is."""
        if self in self._streams:
            self._streams.discard(self)
            self._loop.forget(self._sock)
            self._sock.close()

    def leave_to_parent(self) -> None:
        """After a fork, in the child: let go of the connection."""
        self._sock.close()

    def _on_readable(self) -> None:
        try:
            received = self._sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self.close()
            return
        self._active_at = time.monotonic()
        self._unread += received
        while len(self._unread) >= 2 and len(self._unread) >= (end := 2 + int.from_bytes(self._unread[:2])):
            wire = bytes(self._unread[2:end])
            del self._unread[:end]
            for packet in self._respond(wire):
                self._schedule(packet)
        self._flush()

    def _schedule(self, packet: Packet) -> None:
        if packet.after:
            self._delayed += 1
            self._loop.call_later(packet.after, partial(self._send_delayed, packet))
        else:
            self._put(packet)

    def _send_delayed(self, packet: Packet) -> None:
        self._delayed -= 1
        self._put(packet)
        self._flush()

    def _put(self, packet: Packet) -> None:
        """Let a message leave, unless it has to wait for company."""
        if not packet.gather:
            self._behind.append(packet)
        else:
            self._gathered.append(packet)
            if len(self._gathered) < packet.gather:
                return
            together, self._gathered = self._gathered, []
            self._behind.extend(reversed(together) if packet.backwards else together)
        self._advance()

    def _advance(self) -> None:
        while self._behind and self._dripping is None and not self._end:
            packet = self._behind.popleft()
            said = len(packet.wire) if packet.length < 0 else packet.length
            framed = said.to_bytes(2) + packet.wire
            if packet.cut >= 0:
                framed = framed[: packet.cut]
            if packet.piece and framed:
                self._dripping = packet
                self._drip(framed)
            else:
                self._unsent += framed
                self._end = packet.end

    def _drip(self, rest: bytes) -> None:
        packet = self._dripping
        assert packet is not None
        self._unsent += rest[: packet.piece]
        rest = rest[packet.piece :]
        if rest:
            self._loop.call_later(packet.pause, partial(self._drip_on, rest))
        else:
            self._dripping = None
            self._end = packet.end

    def _drip_on(self, rest: bytes) -> None:
        if self in self._streams:
            self._drip(rest)
            self._advance()
            self._flush()

    def _flush(self) -> None:
        if self not in self._streams:
            return
        try:
            del self._unsent[: self._sock.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        if self._end and not self._unsent:
            if self._end == "reset":
                self._sock.setsockopt(SOL_SOCKET, SO_LINGER, _RESET)
            self.close()
            return
        self._active_at = time.monotonic()
        self._loop.watch(self._sock, self._on_readable, self._flush if self._unsent else None)

    def _close_if_idle(self) -> None:
        if self not in self._streams:
            return
        left = self._active_at + self._idle - time.monotonic()
        if left <= 0 and not (self._delayed or self._unsent or self._dripping or self._gathered):
            self.close()
        else:
            self._loop.call_later(left if left > 0 else self._idle, self._close_if_idle)
