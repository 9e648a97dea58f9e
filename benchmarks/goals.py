"""What each kind of work was to cost, set before the code was written, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from benchmarks.figures import PORTS, REFERENCE, STOCK, Results, cost, ratio

GEVENT, OWN, ARES = "gdns on gevent", "gdns on its own hub", "gevent ares"
IDLE = {GEVENT: "idle greenlets of gevent", OWN: "idle greenlets of gdns' hub"}

# the work, the goal in words, what was reached (None: not measured), its bound, its unit
Goal = tuple[str, str, float | None, float, str]


def goals(works: Results) -> Iterator[Goal]:
    """Every goal, with what was reached."""
    yield from _unique(works)
    yield from _pending(works)
    yield from _others(works)
    yield from _bulk(works)
    for call in ("A", "getaddrinfo"):
        reached = _tried(ratio, works.get(f"remote {call}", {}), GEVENT, PORTS)
        yield f"remote server, {call}", f"at most 0.7 of {PORTS}", reached, 0.7, ""


def _unique(works: Results) -> Iterator[Goal]:
    for call, bound in (("A", 0.6), ("getaddrinfo", 0.5)):
        for in_flight in (100, 1_000):
            part = works.get(f"{call}/{in_flight}", {})
            name = f"{call}, {in_flight:,} in flight"
            for reference in (STOCK, REFERENCE):
                yield (
                    name,
                    f"at most {bound} of {reference}",
                    _tried(ratio, part, GEVENT, reference),
                    bound,
                    "",
                )
            yield name, f"at most 1/7 of {ARES}", _tried(ratio, part, GEVENT, ARES), 1 / 7, ""
        name, many, usual = f"{call}, 10,000 in flight", works.get(f"{call}/10000", {}), _usual(works, call)
        reached = _quotient(_tried(cost, many, GEVENT), _tried(cost, usual, GEVENT))
        yield name, "at most 1.5 times the cost at 1,000", reached, 1.5, ""
        yield name, "none lost", _tried(lambda part: float(part[GEVENT]["lost"]), many), 0.0, " lost"


def _pending(works: Results) -> Iterator[Goal]:
    part = works.get("pending", {})
    for label, idle in IDLE.items():
        beyond = _tried(
            lambda one, other: median(part[one]["pending"]) - median(part[other]["pending"]), label, idle
        )
        name = f"{part.get(label, {}).get('lookups', 0):,} pending, {label}"
        yield name, "at most 2,048 octets beyond the greenlet", beyond, 2048.0, " octets"
        taken = _tried(lambda one, other: cost(part, one) - cost(part, other), label, idle)
        reached = _quotient(taken, _tried(cost, _usual(works, "A"), label))
        goal = "flat cost beyond the greenlet: at most 1.5 times that at 1,000 in flight"
        yield name, goal, reached, 1.5, ""


def _others(works: Results) -> Iterator[Goal]:
    calls = works.get("one at a time", {})
    more = _tried(
        lambda one, other: calls[one]["sum"] - calls[other]["sum"], GEVENT, "bare packets on gevent"
    )
    yield "one at a time", "at most 2 system calls more than bare packets on gevent", more, 2.0, " more"
    for call, bound in (("getaddrinfo", 2.0), ("lookup", 1.5)):
        reached = _tried(cost, works.get(f"cached {call}", {}), GEVENT)
        yield f"cached {call}", f"at most {bound} us", reached, bound, " us"
    taken = _tried(lambda: float(works["import"]["gdns"]["median"]))
    yield "`import gdns`", "under 25 ms", taken, 25.0, " ms"


def _bulk(works: Results) -> Iterator[Goal]:
    part = works.get("bulk", {})
    counts = [int(key.rpartition("/")[2]) for key in part]
    most, least = max(counts, default=0), min(counts, default=0)
    for label, bound in (("resolve_many", 2.2), ("gdns bulk", 3.0)):
        reached = _tried(ratio, part, f"{label}/{most}", f"bare packets/{most}")
        yield f"bulk, A, {label}", f"at most {bound} times bare packets", reached, bound, ""
        memory = _quotient(_peak(part, f"{label}/{most}"), _peak(part, f"{label}/{least}"))
        goal = f"memory independent of the names: that of {least:,}, within a quarter"
        yield f"bulk, {most:,} names, {label}", goal, memory, 1.25, ""


def _peak(part: Results, label: str) -> float | None:
    return _tried(lambda: float(max(part[label]["peak"])))


def _usual(works: Results, call: str) -> Results:
    found: Results = works.get(f"{call}/1000", {})
    return found


def _tried(figure: Callable[..., float], *arguments: Any) -> float | None:
    """A figure, or None where it was not measured."""
    try:
        return figure(*arguments)
    except (KeyError, ValueError):
        return None


def _quotient(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else one / other
