"""Counts what a resolver does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import ref

from gdns.threads import QuietLock

if TYPE_CHECKING:
    from gdns.cache import Cache
    from gdns.outcome import Outcome
    from gdns.stub import Stub


class Counters:
    """Numbers that only grow, for the stubs of a resolver in one thread."""

    __slots__ = (
        "questions",
        "joined",
        "sent",
        "resent",
        "prefetched",
        "over_tcp",
        "unneeded",
        "in_vain",
        "ended",
    )

    def __init__(self) -> None:
        self.questions = 0  # asked of the stubs, whoever answered them
        self.joined = 0  # of these, asked while the same question was under way
        self.sent = 0  # to servers
        self.resent = 0  # of these, not the first try of their question
        self.prefetched = 0  # asked again for the cache's sake
        self.over_tcp = 0  # answered over TCP
        self.unneeded = 0  # answered when nobody waited any longer
        self.in_vain = 0  # asked for a name of the search list that turned out not to be the one
        self.ended: dict[str, int] = {}  # questions sent, by how they ended

    def note(self, outcome: Outcome, was_needed: bool) -> None:
        """A question has been dealt with."""
        status = outcome.status._value_  # `value` is a property, and costs ten times as much
        self.ended[status] = self.ended.get(status, 0) + 1
        if outcome.transport == "tcp":
            self.over_tcp += 1
        if not was_needed:
            self.unneeded += 1

    def add(self, other: Counters) -> None:
        """Add the numbers of another to these."""
        self.questions += other.questions
        self.joined += other.joined
        self.sent += other.sent
        self.resent += other.resent
        self.prefetched += other.prefetched
        self.over_tcp += other.over_tcp
        self.unneeded += other.unneeded
        self.in_vain += other.in_vain
        for status, count in other.ended.copy().items():  # its thread may put in another status meanwhile
            self.ended[status] = self.ended.get(status, 0) + count


class Tally:
    """The counters of a resolver: some for each thread, so that no two threads add to one number.

    To be used from all threads.
    """

    def __init__(self) -> None:
        self._lock = QuietLock()
        self._of_the_past = Counters()
        self._live: list[tuple[ref[object], Counters]] = []

    def open(self, owner: object) -> Counters:
        """Counters for the calling thread, until `owner` goes, as something does that is in its locals."""
        counters = Counters()
        with self._lock:
            self._settle()
            self._live.append((ref(owner), counters))
        return counters

    def total(self) -> Counters:
        """The sums over all threads, of those that have ended too."""
        total = Counters()
        with self._lock:
            self._settle()
            total.add(self._of_the_past)
            for _, counters in self._live:
                total.add(counters)
        return total

    def _settle(self) -> None:
        """Add up what threads have left that ended: programs may start any number of them."""
        live = []
        for owner, counters in self._live:
            if owner() is None:
                self._of_the_past.add(counters)
            else:
                live.append((owner, counters))
        self._live = live


def collect(counters: Counters, cache: Cache | None, stubs: Sequence[Stub]) -> dict[str, Any]:
    """The numbers as plain values: counters since the resolver was made, and how things stand now.

    What is dropped and pending, and the servers, are those of the engines that there are now.
    """
    live = [stub for stub in stubs if not stub.is_closed]
    dropped: dict[str, int] = {}
    for stub in stubs:
        for reason, count in stub.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + count
    return {
        "questions": counters.questions,
        "joined": counters.joined,
        "sent": counters.sent,
        "resent": counters.resent,
        "prefetched": counters.prefetched,
        "over_tcp": counters.over_tcp,
        "unneeded": counters.unneeded,
        "in_vain": counters.in_vain,
        "outcomes": dict(counters.ended),
        "dropped": dropped,
        "pending": sum(stub.pending for stub in live),
        "cache": None
        if cache is None
        else {
            "entries": len(cache),
            "octets": cache.octets + cache.lent,
            "hits": cache.hits,
            "misses": cache.misses,
            "stale_hits": cache.stale_hits,
            "evicted": cache.evicted,
        },
        "servers": [
            {
                "address": server.name,
                "transport": server.address.transport,
                "is_failing": bool(server.failed_at),
                "in_flight": server.in_flight,
                "queued": len(server.queue),
                "rtt": server.rtt,
            }
            for stub in live
            for server in stub.servers.all
        ],
    }
