"""The network between a test server and its clients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from random import Random
from typing import Any, Self

from gdns.testing.faults import check_probability, check_seconds

HELD_BACK = 0.01  # seconds by which a reordered datagram is late, for others to overtake it


@dataclass(frozen=True)
class Way:
    """What befalls the datagrams that go one way: probabilities from 0 to 1, and seconds."""

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    """How many are held back for 10 ms, so that those behind them come first."""
    delay: float = 0.0
    jitter: float = 0.0
    """Up to so many seconds more than `delay`."""

    def __post_init__(self) -> None:
        for probability in (self.drop, self.duplicate, self.reorder):
            check_probability(probability)
        check_seconds("a delay", self.delay)
        check_seconds("a jitter", self.jitter)

    def journeys(self, random: Random) -> Iterator[float]:
        """For each copy of a datagram that arrives, the seconds that it is under way."""
        if random.random() < self.drop:
            return
        for _ in range(2 if random.random() < self.duplicate else 1):
            seconds = self.delay + random.random() * self.jitter
            yield seconds + HELD_BACK if random.random() < self.reorder else seconds


@dataclass(frozen=True, init=False)
class Link:
    """A link that loses, doubles, reorders and delays datagrams on their way to the server and back.

    >>> Link(drop=0.05, delay=0.01).replies.drop, Link(drop=0.05, replies=Way()).replies.drop
    (0.05, 0.0)

    The settings count for each way, unless `queries` or `replies` says otherwise. The same `seed` brings the
    same fate to the nth datagram. TCP is left alone: it would make up for all but the delay.
    """

    queries: Way
    replies: Way
    seed: int

    def __init__(
        self,
        *,
        drop: float = 0.0,
        duplicate: float = 0.0,
        reorder: float = 0.0,
        delay: float = 0.0,
        jitter: float = 0.0,
        queries: Way | None = None,
        replies: Way | None = None,
        seed: int = 1,
    ) -> None:
        """Raises ValueError for what is no probability, or no number of seconds."""
        both = Way(drop, duplicate, reorder, delay, jitter)
        object.__setattr__(self, "queries", both if queries is None else queries)
        object.__setattr__(self, "replies", both if replies is None else replies)
        object.__setattr__(self, "seed", int(seed))

    def as_json(self) -> dict[str, object]:
        """The link in JSON's types."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The link that `as_json` was asked of."""
        return cls(queries=Way(**values["queries"]), replies=Way(**values["replies"]), seed=values["seed"])
