"""Tells, below a failed test, what its test servers were asked and what its look-ups ended with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from gdns.outcome import Outcome
from gdns.testing.log import LoggedQuery
from gdns.testing.server import Server

MOST = 20  # questions that are listed


def account_of(error: BaseException | None, fixtures: Iterable[object]) -> str:
    """What a test's author would ask for first; empty where nothing was looked up.

    `error` is what the test failed with, `fixtures` are what it was given, servers among them.
    """
    lines = [repr(outcome) for outcome in outcomes_of(error)]
    servers = {
        id(fixture): fixture for fixture in fixtures if isinstance(fixture, Server)
    }  # each of them once
    for server in servers.values():
        if server.is_running:
            with suppress(RuntimeError, OSError):  # its process is gone, which the test may have meant
                lines += questions_of(server.address, server.queries, server.rrsets)
    return "\n".join(lines)


def outcomes_of(error: BaseException | None) -> list[Outcome]:
    """The outcomes that an exception, and those that led to it, carry."""
    found: list[Outcome] = []
    seen: set[int] = set()
    pending = [error]
    while pending:
        error = pending.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        outcome = getattr(error, "outcome", None)
        if isinstance(outcome, Outcome) and outcome not in found:
            found.append(outcome)
        pending += [error.__cause__, error.__context__]
    return found


def questions_of(
    address: str, queries: Sequence[LoggedQuery], rrsets: Sequence[tuple[str, str, int]]
) -> Iterator[str]:
    """What a server was asked, each question once, with a word about those outside of its zones."""
    if not queries:
        return
    zones = [name for name, rdtype, _ in rrsets if rdtype == "SOA"]
    asked = Counter((query.name, query.rdtype) for query in queries)
    times = "1 query" if len(queries) == 1 else f"{len(queries)} queries"
    yield f"{address} has seen {times}; its zones: {', '.join(zones) or 'none'}"
    for (name, rdtype), count in list(asked.items())[:MOST]:
        is_inside = any(f".{name}".endswith(f".{zone}" if zone != "." else ".") for zone in zones)
        hint = "" if is_inside else ": in none of its zones, so REFUSED but for a fault; `add` a record of it"
        yield f"  {name} {rdtype}{f', {count} times' if count > 1 else ''}{hint}"
    if len(asked) > MOST:
        yield f"  and {len(asked) - MOST} others"
