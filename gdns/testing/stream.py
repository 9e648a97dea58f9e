"""A client of the test server over TCP."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from functools import partial

from gdns.testing.faults import Packet
from gdns.testing.loop import Loop


class Stream:
    """A connection whose queries are answered as they come, the delayed ones out of order (RFC 7766)."""

    def __init__(
        self,
        sock: socket.socket,
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
        framed = len(packet.wire).to_bytes(2) + packet.wire
        if packet.after:
            self._delayed += 1
            self._loop.call_later(packet.after, partial(self._send_delayed, framed))
        else:
            self._unsent += framed

    def _send_delayed(self, framed: bytes) -> None:
        self._delayed -= 1
        self._unsent += framed
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
        self._active_at = time.monotonic()
        self._loop.watch(self._sock, self._on_readable, self._flush if self._unsent else None)

    def _close_if_idle(self) -> None:
        if self not in self._streams:
            return
        left = self._active_at + self._idle - time.monotonic()
        if left <= 0 and not self._delayed and not self._unsent:
            self.close()
        else:
            self._loop.call_later(left if left > 0 else self._idle, self._close_if_idle)
