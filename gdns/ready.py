"""Keeps the results of look-ups as they were handed out, for those who ask again with the same arguments.

A result is good as long as all that it was made of: the cache's entries, the hosts file, the addresses of
this host by which others are put in order, the overrides. Of these it only takes a comparison to tell.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

try:
    import cython
except ImportError:  # compiled, it is not asked for
    from gdns import uncompiled as cython

from gdns._clock import now_by
from gdns.cache import Lease

if TYPE_CHECKING:
    from gdns.hosts import HostsFile
    from gdns.overrides import Overrides
    from gdns.sources import Sources
    from gdns.stub import Stub

NOT_KEPT = -1
GETHOSTBYNAME = -2
_LOOKUP = -3  # less the family
NO_PORT = -1
_VARIANTS = 8  # results kept of one host
_OTHER_FLAGS = ~0x0427  # than AI_PASSIVE, AI_CANONNAME, AI_NUMERICHOST, AI_ADDRCONFIG, AI_NUMERICSERV

# What a result takes, about: with its place here; for each row of getaddrinfo; for each address
_READY_OCTETS = 600
ROW_OCTETS = 200
ADDRESS_OCTETS = 80
_LARGEST = 1 << 18  # octets of one result


def hints_key(family: object, socktype: object, proto: object, flags: object) -> int:
    """The hints of a getaddrinfo(3) as one number, NOT_KEPT if its result is not to be kept."""
    if not (
        isinstance(family, int)
        and isinstance(socktype, int)
        and isinstance(proto, int)
        and isinstance(flags, int)
    ):
        return NOT_KEPT
    try:
        return _packed(family, socktype, proto, flags)
    except OverflowError:  # of C's numbers
        return NOT_KEPT


def _packed(family: int, socktype: int, proto: int, flags: int) -> int:
    if (
        0 <= family <= 0xFF
        and 0 <= socktype <= 0xFFFFFF
        and 0 <= proto <= 0xFFFF
        and not flags & _OTHER_FLAGS
    ):
        return family | socktype << 8 | proto << 32 | flags << 48
    return NOT_KEPT


def lookup_key(family: int) -> int:
    """The same for `lookup` with a family that it knows."""
    return _LOOKUP - family


@cython.cclass
@cython.no_gc
class Ready:
    """One result, and what it stands on.

    `port` is NO_PORT for None, `epoch` that of the source addresses it was put in order by, below 0 where
    none were asked for. `next` is another result for the same host.
    """

    __slots__ = ("port", "key", "result", "leases", "epoch", "octets", "next")

    def __init__(
        self, port: int, key: int, result: object, leases: tuple[Lease, ...], epoch: int, octets: int
    ) -> None:
        self.port = port
        self.key = key
        self.result = result
        self.leases = leases
        self.epoch = epoch
        self.octets = octets
        self.next: Ready | None = None


class Results:
    """Results by host, for one thread.

    They are two generations: what was used since the younger began is in that one, and when it is full the
    older is dropped. Their octets are lent by the cache.
    """

    def __init__(self, stub: Stub, hosts: HostsFile, sources: Sources, overrides: Overrides) -> None:
        cache = stub.cache
        assert cache is not None
        self.system: object = None  # the settings that they were made under
        self.upstreams: object = None  # and the servers
        self.clock = hosts.clock
        self._stub = stub
        self._cache = cache
        self._hosts = hosts
        self._sources = sources
        self._overrides = overrides
        self._table = overrides.table
        self._content: object = None  # of the hosts file
        self._is_missing = False
        self._epoch = -1
        self._uses_sources = False
        self._look_at = -inf
        self._most = max(1, cache.max_entries // 2)  # hosts in one generation
        self._young: dict[str, Ready] = {}
        self._old: dict[str, Ready] = {}
        self._octets = 0

    def __len__(self) -> int:
        """How many hosts there are results of."""
        return len(self._young) + len(self._old)

    def find(self, host: str, port: int, key: int, now: float) -> Any:
        """The result for these arguments, None if there is none, or it is to be made anew.

        `now` is what `clock` says. Its use is noted in the cache, as if that had been asked.
        """
        stub = self._stub
        if stub.is_closed or stub.hooks.on_outcome:
            return None
        ready = self._young.get(host)
        if ready is None:
            ready = self._old.pop(host, None)
            if ready is None:
                return None
            self._young[host] = ready
        if now >= self._look_at or self._overrides.table is not self._table:
            self._look()
            if self._young.get(host) is not ready:
                return None
        while ready.key != key or ready.port != port:
            if ready.next is None:
                return None
            ready = ready.next
        if ready.epoch >= 0 and ready.epoch != self._epoch:
            self._drop(host)
            return None
        leases = ready.leases
        if leases:
            cache = self._cache
            if cache.clock is not self.clock:
                now = now_by(cache.clock)
            for lease in leases:
                if lease.expires_at <= now:
                    self._drop(host)
                    return None
            stub.counters.questions += len(leases)
            cache.note_uses(leases)
        return ready.result

    def keep(
        self,
        host: str,
        port: int,
        key: int,
        result: object,
        leases: tuple[Lease, ...],
        is_ordered: bool,
        octets: int,
    ) -> None:
        """Keep a result just made. `is_ordered` says that source addresses were asked for."""
        epoch = self._sources.epoch if is_ordered else -1
        if is_ordered:
            self._uses_sources = True
        self._look()
        if is_ordered and self._epoch != epoch:
            return  # they have changed since
        octets += _READY_OCTETS + len(host)
        if octets > _LARGEST:
            return
        first = self._young.get(host)
        others = 0
        other = first
        while other is not None:
            others += 1
            if other.port == port and other.key == key:
                others = _VARIANTS  # it was stale, and still is there
            other = other.next
        if others >= _VARIANTS or host in self._old:
            self._drop(host)
            first = None
        if len(self._young) >= self._most:
            self._shed()
        if not self._cache.lend(octets):
            self._shed()
            first = self._young.get(host)
            if not self._cache.lend(octets):
                return
        self._octets += octets
        ready = Ready(port, key, result, leases, epoch, octets)
        ready.next = first
        self._young[host] = ready

    def clear(self) -> None:
        """Forget all results."""
        self._young = {}
        self._old = {}
        self._cache.take_back(self._octets)
        self._octets = 0

    def _look(self) -> None:
        """Look at what results stand on, as far as it is time to; forget those that it bears no longer."""
        content = self._hosts.look()
        is_missing = self._hosts.is_missing
        table = self._overrides.table
        if content is not self._content or is_missing != self._is_missing or table is not self._table:
            self._content = content
            self._is_missing = is_missing
            self._table = table
            self.clear()
        self._look_at = self._hosts.look_at
        if self._uses_sources:
            self._epoch = self._sources.look()
            self._look_at = min(self._look_at, self._sources.look_at)

    def _shed(self) -> None:
        """Drop the older generation; the younger is the older one from now on."""
        octets = 0
        for ready in self._old.values():
            octets += _octets_of(ready)
        self._old = self._young
        self._young = {}
        self._give_back(octets)

    def _drop(self, host: str) -> None:
        octets = _octets_of(self._young.pop(host, None)) + _octets_of(self._old.pop(host, None))
        self._give_back(octets)

    def _give_back(self, octets: int) -> None:
        self._octets -= octets
        self._cache.take_back(octets)

    def __del__(self) -> None:
        self._cache.take_back(self._octets)


def _octets_of(ready: Ready | None) -> int:
    octets = 0
    while ready is not None:
        octets += ready.octets
        ready = ready.next
    return octets


def port_key(port: object) -> int:
    """A port as one number, NO_PORT for None, and less if results are not to be kept for such."""
    if port is None:
        return NO_PORT
    if type(port) is not int or not 0 <= port <= 0xFFFF:
        return NO_PORT - 1
    return port
