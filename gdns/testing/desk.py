"""Does what a test asks of its server, wherever that runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from gdns.testing.faults import from_json
from gdns.testing.link import Link
from gdns.testing.listeners import RECEIVE_BUFFER, Listeners
from gdns.testing.log import LoggedQuery
from gdns.testing.loop import Loop
from gdns.testing.responder import Responder
from gdns.testing.zones import name_key


class Desk:
    """A server without an address until it is told to listen."""

    def __init__(self, loop: Loop) -> None:
        self.responder = Responder()
        self._loop = loop
        self._listeners: Listeners | None = None
        self._commands: dict[str, Callable[..., object]] = {
            "listen": self._listen,
            "reset": self._reset,
            "add": self.responder.zones.add,
            "remove": self.responder.zones.remove,
            "rrsets": self.responder.zones.rrsets,
            "fault": self._fault,
            "heal": self.responder.heal,
            "clear": self.responder.clear,
            "log": self._log,
            "count": self._count,
        }

    def obey(self, command: str, arguments: Mapping[str, object]) -> object:
        """Do it, and return what there is to say. Raises ValueError or OSError."""
        return self._commands[command](**arguments)

    def close(self) -> None:
        """Give the port back; the loop is left open."""
        if self._listeners:
            self._listeners.close()
            self._listeners = None

    def leave_to_parent(self) -> None:
        """After a fork, in the child: let go of the sockets, and do nothing to them."""
        if self._listeners:
            self._listeners.leave_to_parent()
            self._listeners = None

    def _listen(self, host: str, port: int, tcp_idle: float, receive_buffer: int | None, seed: int) -> int:
        listeners = self._listeners = Listeners(
            self._loop, self.responder.respond, host, port, tcp_idle, receive_buffer or RECEIVE_BUFFER
        )
        self.responder.seed = seed
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
        self.responder.clear()
        zones = self.responder.zones
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
        self.responder.set_fault(name, rdtype, from_json(fault), times)

    def _log(self, seen: int = 0) -> list[LoggedQuery]:
        return self.responder.log.after(seen)

    def _count(self, name: str | None) -> int:
        return self.responder.log.count_of(None if name is None else name_key(name))
