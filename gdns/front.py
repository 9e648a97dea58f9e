"""The functions that a resolver is asked for most, by the shortest way there is in this thread."""

from __future__ import annotations

from sys import audit
from typing import TYPE_CHECKING, Any

from gdns import netdb
from gdns._clock import now_by
from gdns.hubs.choice import current
from gdns.ready import GETHOSTBYNAME, NO_PORT, hints_key, lookup_key, port_key

if TYPE_CHECKING:
    from gdns.config import System
    from gdns.engines import Engine, Here, OfThread, Shared
    from gdns.hubs import Hub


class Front:
    """What a resolver asks first: a result that is ready, which needs no hub, then this hub's engine.

    Each method raises what that of `netdb` raises, and gives None where there is no engine (any longer).
    """

    def __init__(self, local: OfThread, shared: Shared, system: System, hub: Hub | None) -> None:
        self._local = local
        self._shared = shared
        self.system = system
        self._hub = hub

    def getaddrinfo(
        self, host: Any, port: Any, family: int, socktype: int, proto: int, flags: int
    ) -> list[netdb.AddrInfo] | None:
        """The rows of `netdb.getaddrinfo`."""
        here: Here = self._local.here
        now = now_by(self.system.clock)
        key = hints_key(family, socktype, proto, flags)
        number = port_key(port)
        if key >= 0 and number >= NO_PORT:
            rows: list[netdb.AddrInfo] | None = self._ready(here, now, host, number, key)
            if rows is not None:
                audit("socket.getaddrinfo", host, port, family, socktype, proto)
                return rows[:]
        engine = self.engine(here, now)
        if engine is None:
            return None
        return netdb.getaddrinfo(engine.nss, host, port, family, socktype, proto, flags)

    def gethostbyname(self, host: Any) -> str | None:
        """The address of `netdb.gethostbyname`."""
        here: Here = self._local.here
        now = now_by(self.system.clock)
        address: str | None = self._ready(here, now, host, NO_PORT, GETHOSTBYNAME)
        if address is not None:
            audit("socket.gethostbyname", host)
            return address
        engine = self.engine(here, now)
        return None if engine is None else netdb.gethostbyname(engine.nss, host)

    def lookup(self, host: Any, family: int, lifetime: float | None) -> tuple[str, ...] | None:
        """The addresses of `netdb.lookup`."""
        here: Here = self._local.here
        now = now_by(self.system.clock)
        if isinstance(family, int) and 0 <= family <= 0xFF and (lifetime is None or lifetime > 0):
            addresses: tuple[str, ...] | None = self._ready(here, now, host, NO_PORT, lookup_key(family))
            if addresses is not None:
                return addresses
        engine = self.engine(here, now)
        return None if engine is None else netdb.lookup(engine.nss, host, family, lifetime)

    def _ready(self, here: Here, now: float, host: object, port: int, key: int) -> Any:
        """The result of the same call, made before; None if there is none that is still good."""
        results = here.results
        if type(host) is not str or results is None or results.upstreams is not self._shared.upstreams:
            return None
        system = self.system
        if now >= system.look_at or results.system is not system.settings:
            return None
        if results.clock is not system.clock:
            now = now_by(results.clock)
        return results.find(host, port, key, now)

    def engine(self, here: Here, now: float) -> Engine | None:
        """The engine of this thread, if all that it was made of is still so."""
        system = self.system
        engine = here.engine
        if (
            engine is None
            or now >= system.look_at
            or engine.system is not system.settings
            or engine.upstreams is not self._shared.upstreams
            or engine.hub is not current(self._hub)
        ):
            return None
        return engine
