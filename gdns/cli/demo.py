"""Shows that lookups through gdns never hold up the hub, where blocking ones do."""

from __future__ import annotations

import socket
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gdns.cli import blocking, table
from gdns.cli.stage import DELAY, SLOW_NAMES, serve, zones_at_hand
from gdns.cli.usage import Parser, UsageError, count
from gdns.cli.workload import (
    ANSWERED,
    FAILED,
    FUNCTIONS,
    NEGATIVE,
    STANDSTILL,
    VERDICTS,
    Lookup,
    Measurement,
    gai_verdict,
    plan,
    run,
)

if TYPE_CHECKING:
    from gdns.resolver import Resolver

HEADER = ("", "", "gdns", "blocking")
LABELS = (
    *([(function, "asked"), *(("", verdict) for verdict in VERDICTS)] for function in FUNCTIONS),
    [("all", "asked"), ("", "wall time"), ("", "per second")],
    [("longest hub gap", ""), ("hub stood still", "")],
)
WARM_UP = 200  # lookups
LINE = 79  # columns of running text
ALL_ANSWERED, SOME_FAILED = 0, 3  # exit statuses


def main(words: Sequence[str]) -> int:
    """Run the demo and return its exit status. Raises UsageError."""
    options = parser().parse_args(words)
    zones = options.zones or zones_at_hand()
    try:
        server = serve(zones)
    except (ValueError, OSError) as error:
        if options.zones is None:
            raise
        raise UsageError(f"--zones {options.zones}: {error}") from None
    with server:
        lookups = plan(server.rrsets, SLOW_NAMES, options.names)
        if not lookups:
            raise UsageError(f"--zones {options.zones}: no name there has an address")
        print(
            f"{len(lookups):,} lookups from {options.greenlets:,} greenlets; "
            f"{len(SLOW_NAMES)} of the names take the server {_ms(DELAY)} each.",
            flush=True,
        )
        ours = measure(server.address, lookups, options.greenlets)
    theirs = blocking.measure(zones, lookups, options.greenlets)
    table.show(HEADER, rows(ours, theirs))
    print(explanation(theirs))
    has_failures = any(counts[FAILED] for counts in ours.verdicts.values())
    return SOME_FAILED if has_failures else ALL_ANSWERED


def measure(nameserver: str, lookups: Sequence[Lookup], greenlets: int) -> Measurement:
    """What comes of the lookups when gdns makes them."""
    from gdns.resolver import Resolver

    with Resolver(nameservers=[nameserver]) as resolver:
        make_lookup = _maker(resolver)
        quick = [lookup for lookup in lookups if lookup.name not in SLOW_NAMES]
        run(quick[:WARM_UP], make_lookup, greenlets)  # loads and sets up what is needed only once
        return run(lookups, make_lookup, greenlets)


def _maker(resolver: Resolver) -> Callable[[Lookup], str]:
    """A function that makes one lookup, parking its greenlet, and returns the verdict."""
    from gdns import records

    def make_lookup(lookup: Lookup) -> str:
        try:
            if lookup.function == "getaddrinfo":
                resolver.getaddrinfo(lookup.name, 80, type=socket.SOCK_STREAM)
            elif lookup.function == "gethostbyname":
                resolver.gethostbyname(lookup.name)
            else:
                resolver.resolve(lookup.name, lookup.rdtype)
        except socket.gaierror as error:
            return gai_verdict(error)
        except (records.NXDOMAIN, records.NoAnswer):
            return NEGATIVE
        except (records.NoNameservers, records.LifetimeTimeout):
            return FAILED
        return ANSWERED

    return make_lookup


def rows(ours: Measurement, theirs: Measurement | str) -> list[list[table.Row]]:
    """The table's groups of rows. `theirs` may be a str, which says why there are no such figures."""
    groups: list[list[table.Row]] = []
    for labels, ours_of_group, theirs_of_group in zip(LABELS, _figures(ours), _figures(theirs), strict=True):
        cells = zip(labels, ours_of_group, theirs_of_group, strict=True)
        groups.append([(*label, figure, other) for label, figure, other in cells])
    return groups


def _figures(measured: Measurement | str) -> list[list[str]]:
    """A column of the table, in the groups of `LABELS`."""
    if isinstance(measured, str):
        return [["not run" for _ in labels] for labels in LABELS]
    counts = [[measured.verdicts[function][verdict] for verdict in VERDICTS] for function in FUNCTIONS]
    return [
        *([f"{number:,}" for number in (sum(group), *group)] for group in counts),
        [f"{measured.total:,}", f"{measured.elapsed:.2f} s", f"{measured.total / measured.elapsed:,.0f}"],
        [_ms(measured.longest_gap), _ms(measured.stood_still)],
    ]


def explanation(theirs: Measurement | str) -> str:
    """What the table's figures are, in words."""
    gaps = (
        "The gap is how long a greenlet waited that wanted its turn every millisecond; "
        f"the hub stood still for the sum of those from {_ms(STANDSTILL)} up."
    )
    if isinstance(theirs, str):
        compared = f"The blocking lookups were not run: {theirs}."
    else:
        compared = (
            "The blocking lookups were made by as many greenlets through the system's resolver. It has no "
            "resolve, so getaddrinfo took its place: names without an address count as negative there."
        )
    return textwrap.fill(f"{gaps} {compared}", LINE)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.3g} ms" if seconds < 0.1 else f"{seconds * 1000:,.0f} ms"


def parser() -> Parser:
    parser = Parser(
        prog="gdns demo",
        description="Look up the names of some zones, served on loopback, from many greenlets: with gdns, "
        "then with the blocking functions of socket. Compare how long the hub stands still.",
    )
    parser.add_argument("--greenlets", type=count, default=300, metavar="N", help="how many (default: 300)")
    parser.add_argument(
        "--names", type=count, default=3000, metavar="N", help="how many lookups (default: 3000)"
    )
    parser.add_argument("--zones", metavar="DIR", help="a folder of zone files (default: some of our own)")
    return parser
