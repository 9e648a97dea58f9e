"""Measures, for the command line, what look-ups cost on this machine."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING

from gdns.cli import chart, table
from gdns.cli.explain import server_and_name
from gdns.cli.paint import paint_for, printable
from gdns.cli.usage import Parser, UsageError, add_color, add_json, count, port, seconds
from gdns.errors import GaiError

if TYPE_CHECKING:
    from gdns.resolver import Resolver

DONE, NO_SERVER = 0, 3  # exit statuses
STEPS = (1, 4, 16, 64, 256)  # look-ups at once
STEP = 0.5  # seconds for each measurement
MOST = 20_000  # look-ups in one measurement
MOST_OF_OTHERS = 200  # that a server of somebody else's is asked in one measurement
CACHED, ASKED = "from the cache", "of the server"
HEADER = ("look-ups", "at once", "per second", "CPU each", "median", "99 %", "failed")


@dataclass(frozen=True)
class Figures:
    """What came of one measurement; `cpu` is that of this process for one look-up; all times in seconds."""

    what: str
    at_once: int
    lookups: int
    failed: int
    elapsed: float
    cpu: float
    median: float
    tail: float

    @property
    def rate(self) -> float:
        """Look-ups in a second."""
        return self.lookups / self.elapsed

    def row(self) -> table.Row:
        """The figures as a row below `HEADER`."""
        cells = (_microseconds(self.cpu), _microseconds(self.median), _microseconds(self.tail))
        return (self.what, f"{self.at_once}", f"{self.rate:,.0f}", *cells, f"{self.failed}")


def main(words: Sequence[str]) -> int:
    """Measure, print and return the exit status. Raises UsageError."""
    options = parser().parse_intermixed_args(words)
    server, name = server_and_name(options.words)
    if server is None and name is not None:
        raise UsageError("a name is for a server of yours: `gdns bench @192.0.2.53 www.example`")
    if server is not None and name is None:
        raise UsageError(f"no name to ask @{server} for: `gdns bench @{server} www.example`")
    with _target(server, name, options.port) as (address, host, most):
        number = min(options.lookups or most, most)
        try:
            figures = measure(address, host, options.seconds, number, most < MOST)
        except ValueError as error:
            raise UsageError(f"{host(0)!r} is no host: {error}") from None
        except GaiError as error:
            todo = "`gdns doctor` with the same words shows why"
            print(f"gdns: {printable(host(0))}: {error.strerror}; {todo}", file=sys.stderr)
            return NO_SERVER
    if options.svg:
        _write_svg(options.svg, figures)
    if options.is_json:
        print(json.dumps([asdict(one) | {"rate": one.rate} for one in figures]))
    else:
        _show(figures, options.svg, paint_for(options.color, sys.stdout)("heading", "look-ups per second"))
    return NO_SERVER if any(one.failed == one.lookups for one in figures) else DONE


@contextmanager
def _target(
    server: str | None, name: str | None, port: int | None
) -> Iterator[tuple[str, Callable[[int], str], int]]:
    """Whom to ask, for which names, how often in one measurement: a server of ours, or one of the user's."""
    if server is not None and name is not None:
        from gdns.cli.nameservers import servers_for
        from gdns.resolvconf import ResolvConf

        address = servers_for(server, socket.AF_UNSPEC, port, ResolvConf())[0]
        yield f"{address.transport}://{address}", lambda _: name, MOST_OF_OTHERS
        return
    from gdns.testing import Server

    with Server({"*.bench.example.": {"A": "192.0.2.7"}}) as ours:
        yield ours.address, lambda number: f"host{number}.bench.example.", MOST


def measure(
    address: str, host: Callable[[int], str], seconds: float, most: int, is_others: bool
) -> list[Figures]:
    """The figures: what the cache knows, then questions to the server, more and more of them at once.

    `host` gives the name of the look-up with a number; a measurement ends after so many `seconds`, or `most`
    look-ups. Raises GaiError for a name that is not found, ValueError for what is none.
    """
    from gdns.resolver import Resolver

    with Resolver([address], cache_entries=100, backend="native") as resolver:
        resolver.lookup(host(0), socket.AF_INET)
        figures = [_run(CACHED, resolver, lambda _: host(0), 1, seconds, most)]
    for at_once in STEPS if not is_others else STEPS[:3]:
        with Resolver([address], cache=False, attempts=1, backend="native") as resolver:
            figures.append(_run(ASKED, resolver, host, at_once, seconds, most))
    return figures


def _run(
    what: str, resolver: Resolver, host: Callable[[int], str], at_once: int, seconds: float, most: int
) -> Figures:
    """Look up from so many greenlets until the time, or the number, is reached."""
    from gdns.hubs import NativeHub

    hub = NativeHub.of_this_thread()
    times: list[float] = []
    failed = 0
    started = 0
    resolver.lookup("127.0.0.1")  # what is set up once
    ends_at = perf_counter() + seconds

    def work() -> None:
        nonlocal started, failed
        while started < most:
            began = perf_counter()
            if began >= ends_at and times:
                return
            started += 1
            try:
                resolver.lookup(host(started), socket.AF_INET)
            except OSError:
                failed += 1
            times.append(perf_counter() - began)

    cpu, wall = process_time(), perf_counter()
    tasks = [hub.spawn(work) for _ in range(at_once)]
    hub.join(*tasks)
    elapsed, spent = perf_counter() - wall, process_time() - cpu
    for task in tasks:
        task.get()  # raises what ended it early
    times.sort()
    number = len(times)
    median, tail = times[number // 2], times[min(number - 1, number * 99 // 100)]
    return Figures(what, at_once, number, failed, elapsed, spent / number, median, tail)


def _show(figures: Sequence[Figures], svg: str | None, title: str) -> None:
    print(table.plain(HEADER, [[one.row() for one in figures]]), end="\n\n")
    ascii_only = "utf" not in (sys.stdout.encoding or "").lower()
    print(f"{title}, by how many are made at once, each answered by the server")
    for line in chart.bars([(str(one.at_once), one.rate) for one in figures[1:]], ascii_only):
        print(f"  {line}")
    print("\nCPU is that of gdns alone; a server that is slower than gdns keeps the rate down.")
    if svg:
        print(f"the same as a picture: {svg}")


def _write_svg(path: str, figures: Sequence[Figures]) -> None:
    points = [(str(one.at_once), one.rate) for one in figures[1:]]
    picture = chart.svg("gdns: look-ups on this machine", "made at once", "per second", points)
    try:
        Path(path).write_text(picture)
    except OSError as error:
        raise UsageError(f"--svg {path}: {error.strerror}; name a file that can be written") from None


def _microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f} us" if seconds < 0.001 else f"{seconds * 1e3:,.1f} ms"


def parser() -> Parser:
    """The options."""
    parser = Parser(
        prog="gdns bench",
        usage="gdns bench [@server NAME] [options]",
        description="Measure what a look-up costs here: from the cache, and with a question to a server, "
        "more and more of them at once. The server is one of gdns' own on loopback; one of yours is asked "
        f"for NAME at most {MOST_OF_OTHERS} times in each measurement.",
        epilog="exit status: 0 measured; 2 usage; 3 no NAME, or no answers in a measurement",
    )
    parser.add_argument("words", nargs="*", metavar="[@server NAME]", help="whom to ask, and for what")
    parser.add_argument("-p", dest="port", type=port, metavar="PORT", help="the server's port")
    parser.add_argument(
        "--seconds", type=seconds, default=STEP, metavar="S", help=f"for each measurement (default: {STEP:g})"
    )
    parser.add_argument("--lookups", type=count, metavar="N", help="at most so many in each measurement")
    parser.add_argument("--svg", metavar="FILE", help="draw it into a file")
    add_json(parser, "print a JSON list of the measurements")
    add_color(parser)
    return parser
