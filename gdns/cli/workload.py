"""Makes the demo's lookups from many greenlets, with an eye on how long the hub stands still."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, cycle, islice
from time import monotonic
from typing import NamedTuple

from gdns.errors import EAI_NODATA, EAI_NONAME
from gdns.hubs import NativeHub

TICK = 0.001  # seconds that the ticker sleeps at a time
STANDSTILL = 0.02  # seconds between two ticks from which on the hub is said to have stood still

FUNCTIONS = ("getaddrinfo", "gethostbyname", "resolve")
HOST_TYPES = ("A", "AAAA", "CNAME")
MOST_RECORDS = 50  # that resolve is asked for: dnspython needs 50 us to read each
CROWD = 20  # greenlets that begin before others get their turn

ANSWERED = "answered"
NEGATIVE = "negative"  # no such name, or nothing of that type at it
FAILED = "failed"
VERDICTS = (ANSWERED, NEGATIVE, FAILED)


class Lookup(NamedTuple):
    """One call to make: of getaddrinfo, of gethostbyname or, with a type, of resolve."""

    function: str
    name: str
    rdtype: str = ""


@dataclass
class Measurement:
    """What came of some lookups: how many of each function had which verdict; the rest is in seconds."""

    verdicts: dict[str, dict[str, int]]
    elapsed: float = 0.0
    longest_gap: float = 0.0
    stood_still: float = 0.0  # the sum of the gaps that count as standing still

    @property
    def total(self) -> int:
        """How many lookups there were."""
        return sum(sum(counts.values()) for counts in self.verdicts.values())


def plan(rrsets: Iterable[tuple[str, str, int]], slow: Sequence[str], amount: int) -> list[Lookup]:
    """Choose `amount` lookups of what some zones hold, given by name, type and number of records.

    The three functions take turns. Names come again as often as it takes, a new label in the place of `*`;
    the slow ones are looked up once each. Empty for zones without a host.
    """
    hosts: dict[str, None] = {}
    resolvable: list[tuple[str, str]] = []
    for name, rdtype, size in rrsets:
        if name in slow:
            continue
        if rdtype in HOST_TYPES:
            hosts[name] = None
        if size <= MOST_RECORDS:
            resolvable.append((name, rdtype))
    if not hosts:
        return []
    chosen = list(islice(_in_turn(list(hosts), resolvable), max(0, amount - len(slow))))
    for index, name in enumerate(slow):  # evenly spread, so that each can be seen to hold up what follows it
        chosen.insert((index + 1) * len(chosen) // (len(slow) + 1), Lookup(FUNCTIONS[0], name))
    return chosen


def _in_turn(hosts: Sequence[str], rrsets: Sequence[tuple[str, str]]) -> Iterator[Lookup]:
    for serial, host, (name, rdtype) in zip(count(1), cycle(hosts), cycle(rrsets)):
        yield Lookup("getaddrinfo", host.replace("*", f"a{serial}"))
        yield Lookup("gethostbyname", host.replace("*", f"b{serial}"))
        yield Lookup("resolve", name.replace("*", f"c{serial}"), rdtype)


def run(lookups: Iterable[Lookup], perform: Callable[[Lookup], str], greenlets: int) -> Measurement:
    """Make the lookups from so many greenlets on gdns' own hub; `perform` makes one and gives its verdict."""
    hub = NativeHub.of_this_thread()
    verdicts = {function: dict.fromkeys(VERDICTS, 0) for function in FUNCTIONS}
    measurement = Measurement(verdicts)
    remaining = iter(lookups)

    def work() -> None:
        for lookup in remaining:
            verdicts[lookup.function][perform(lookup)] += 1

    started_at = monotonic()
    ticker = _Ticker(hub, measurement)
    ticking = hub.spawn(ticker.run)
    workers = []
    for number in range(greenlets):
        workers.append(hub.spawn(work))
        if number % CROWD == 0:
            hub.sleep(0)  # else the first lookups of all would be one long turn
    hub.join(*workers)
    ticker.tick()
    measurement.elapsed = monotonic() - started_at
    ticking.kill()
    hub.join(ticking)
    for worker in workers:
        worker.get()  # raises what ended it early
    return measurement


def gai_verdict(error: socket.gaierror) -> str:
    """What a failed getaddrinfo or gethostbyname says about the name."""
    return NEGATIVE if error.errno in (EAI_NONAME, EAI_NODATA) else FAILED


class _Ticker:
    """Sees how long the hub keeps a greenlet waiting that wants its turn every millisecond."""

    def __init__(self, hub: NativeHub, measurement: Measurement) -> None:
        self._hub = hub
        self._measurement = measurement
        self._last_at = monotonic()

    def run(self) -> None:
        while True:
            self._hub.sleep(TICK)
            self.tick()

    def tick(self) -> None:
        now = monotonic()
        gap = now - self._last_at
        self._last_at = now
        self._measurement.longest_gap = max(self._measurement.longest_gap, gap)
        if gap >= STANDSTILL:
            self._measurement.stood_still += gap
