"""Counts what a resolver does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gdns.cache import Cache
    from gdns.outcome import Outcome
    from gdns.stub import Stub


class Counters:
    """Numbers that only grow, for all the stubs of a resolver."""

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
        status: str = outcome.status._value_  # `value` is a function of the enumeration's, in Python
        self.ended[status] = self.ended.get(status, 0) + 1
        if outcome.transport == "tcp":
            self.over_tcp += 1
        if not was_needed:
            self.unneeded += 1


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
            "octets": cache.octets,
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
