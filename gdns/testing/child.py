"""The process of a test server, told what to do over its standard input.

That is a stream socket on which each line is a JSON object: `{"serial": 1, "do": "add", "with": {...}}` is
answered by `{"serial": 1, "done": ...}` or by `{"serial": 1, "error": [errno or null, text]}`. The end of the
stream is the end of the process, so it never outlives those whom it serves.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from gdns.testing.faults import from_json
from gdns.testing.link import Link
from gdns.testing.listeners import RECEIVE_BUFFER, Listeners
from gdns.testing.log import LoggedQuery
from gdns.testing.loop import Loop
from gdns.testing.responder import Responder
from gdns.testing.zones import name_key


class Child:
    """A server without an address until it is told to listen."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._unread = b""
        self._is_wanted = True
        self._loop = Loop()
        self._loop.watch(control, self._on_control)
        self._responder = Responder()
        self._listeners: Listeners | None = None
        self._commands: dict[str, Callable[..., object]] = {
            "listen": self._listen,
            "reset": self._reset,
            "add": self._responder.zones.add,
            "remove": self._responder.zones.remove,
            "rrsets": self._responder.zones.rrsets,
            "fault": self._fault,
            "heal": self._responder.heal,
            "clear": self._responder.clear,
            "log": self._log,
            "count": self._count,
        }

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
            return {"done": self._commands[command](**arguments)}
        except ValueError as error:
            return {"error": (None, str(error))}
        except OSError as error:
            return {"error": (error.errno, error.strerror)}

    def _listen(self, host: str, port: int, tcp_idle: float, receive_buffer: int | None, seed: int) -> int:
        listeners = self._listeners = Listeners(
            self._loop, self._responder.respond, host, port, tcp_idle, receive_buffer or RECEIVE_BUFFER
        )
        self._responder.seed = seed
        self._commands |= {
            "stop": listeners.stop,
            "resume": listeners.steady,
            "flap": listeners.flap,
            "tcp": listeners.set_tcp,
            "link": lambda link: listeners.set_link(link and Link.from_json(link)),
        }
        return listeners.port

    def _reset(self, files: Iterable[str], origins: Iterable[str], lines: Iterable[str]) -> None:
        if self._listeners:
            self._listeners.steady()
            self._listeners.set_tcp("serve")
            self._listeners.set_link(None)
            self._listeners.drop_pending()
        self._responder.clear()
        zones = self._responder.zones
        zones.clear()
        for path in files:
            zones.load(Path(path))
        for origin in origins:
            zones.found(origin)
        zones.add(lines)

    def _fault(
        self,
        name: str | None,
        rdtype: str | None,
        fault: Iterable[tuple[str, Mapping[str, object]]],
        times: int | None,
    ) -> None:
        self._responder.set_fault(name, rdtype, from_json(fault), times)

    def _log(self) -> list[LoggedQuery]:
        return list(self._responder.log)

    def _count(self, name: str | None) -> int:
        return self._responder.log.count_of(None if name is None else name_key(name))


def main() -> None:
    """Serve, then leave at once: there is nothing to tidy up that the kernel does not."""
    Child(socket.socket(fileno=0)).serve()
    os._exit(0)


if __name__ == "__main__":
    main()
