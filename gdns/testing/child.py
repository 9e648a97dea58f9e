"""The process of a test server, told what to do over its standard input.

That is a stream socket on which each line is a JSON object: `{"serial": 1, "do": "add", "with": {...}}` is
answered by `{"serial": 1, "done": ...}` or by `{"serial": 1, "error": [errno or null, text]}`. The end of the
stream is the end of the process, so it never outlives those whom it serves.
"""

from __future__ import annotations

import json
import os
from _socket import socket
from collections.abc import Mapping

from gdns.testing.desk import Desk
from gdns.testing.loop import Loop


class Child:
    """A server, and the socket over which it is told what to do."""

    def __init__(self, control: socket) -> None:
        self._control = control
        self._unread = b""
        self._is_wanted = True
        self._loop = Loop()
        self._loop.watch(control, self._on_control)
        self._desk = Desk(self._loop)

    def serve(self) -> None:
        """Serve until the control socket is closed at the other end."""
        while self._is_wanted:
            self._loop.turn()

    def _on_control(self) -> None:
        received = self._control.recv(1 << 20)
        self._is_wanted = received != b""
        *lines, self._unread = (self._unread + received).split(b"\n")
        for line in lines:
            try:
                request = json.loads(line)
            except ValueError:  # nothing, or the beginning of a request that was cut short
                continue
            reply = {"serial": request["serial"], **self._obey(request["do"], request["with"])}
            self._control.sendall(json.dumps(reply).encode() + b"\n")

    def _obey(self, command: str, arguments: Mapping[str, object]) -> dict[str, object]:
        try:
            return {"done": self._desk.obey(command, arguments)}
        except ValueError as error:
            return {"error": (None, str(error))}
        except OSError as error:
            return {"error": (error.errno, error.strerror)}


def main() -> None:
    """Serve, then leave at once: there is nothing to tidy up that the kernel does not."""
    Child(socket(fileno=0)).serve()
    os._exit(0)


if __name__ == "__main__":
    main()
