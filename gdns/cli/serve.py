"""Serves DNS on loopback for tests, with faults, from the command line."""

from __future__ import annotations

import errno
import ipaddress
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gdns.cli.paint import Paint, paint_for, printable
from gdns.cli.usage import Parser, UsageError, add_color, count
from gdns.resolvconf import DNS_PORT

if TYPE_CHECKING:
    from gdns.testing import LoggedQuery, Server

ENDED = 0  # exit status
LOOK_EVERY = 0.05  # seconds between two looks at the log
TOP = 5  # names in the summary


class Zones(NamedTuple):
    """What is to be served: a zone file or folder, if any, records by name and type, and lines beside it."""

    path: str | None
    records: dict[str, dict[str, Any]]
    lines: list[str]


def main(words: Sequence[str]) -> int:
    """Serve until interrupted and return the exit status. Raises UsageError."""
    from gdns.cli import faultwords
    from gdns.testing import Server

    options = parser().parse_args(words)
    zones = read_zones(options.zones)
    faults = []
    for text in options.faults:
        name, rdtype, fault = faultwords.split(text)
        faults.append((name, rdtype, faultwords.read(fault)))
    try:
        server = Server(zones.path or zones.records, host=options.host, port=options.port)
    except (ValueError, TypeError, FileNotFoundError) as error:
        raise UsageError(str(error)) from None
    with server_started(server, options) as server:
        try:
            server.add(*zones.lines)
            for name, rdtype, made in faults:
                server.fault(name, made, rdtype=rdtype)
        except ValueError as error:
            raise UsageError(f"{error}; see docs/reference/testing.md") from None
        if options.resolv_conf:
            _write_resolv_conf(options.resolv_conf, server)
        return _serve(server, options, faults, paint_for(options.color, sys.stdout))


@contextmanager
def server_started(server: Server, options: Any) -> Iterator[Server]:
    """The server, running. Raises UsageError with what to do where the port cannot be had."""
    try:
        server.start()
    except OSError as error:
        at = f"port {options.port} of {options.host}"
        todo = {
            errno.EACCES: "only root may have it: choose --port 5300, or leave --port out for any free one",
            errno.EADDRINUSE: "another program has it: choose another --port, or leave it out",
            errno.EADDRNOTAVAIL: "that is no address of this host: choose another --host",
        }.get(error.errno or 0, "choose another --port or --host")
        raise UsageError(f"{at}: {error.strerror}; {todo}") from None
    except ValueError as error:
        raise UsageError(f"{error}; a zone is written as RFC 1035, section 5, says") from None
    with server:
        yield server


# --- what is served


def read_zones(words: Sequence[str]) -> Zones:
    """What the words name: a zone file or folder, NAME=ADDRESS,..., JSON, a file of it. Raises UsageError."""
    path: str | None = None
    records: dict[str, dict[str, Any]] = {}
    for word in words:
        if word.lstrip().startswith("{"):
            _merge(records, _from_json(word, "the JSON"))
        elif "=" in word and not os.path.exists(word):
            _merge(records, _from_pair(word))
        elif word.endswith(".json"):
            _merge(records, _from_json(_text(word), word))
        elif path is not None:
            raise UsageError(
                f"one zone file or folder at a time, not both {path} and {word}: put both in a folder"
            )
        else:
            _check_readable(word)
            path = word
    lines = [] if path is None else list(_lines(records))
    return Zones(path, records, lines)


def _check_readable(path: str) -> None:
    """Raise UsageError for a zone file, or a folder or one in it, that is there and cannot be read."""
    files = [Path(path), *Path(path).glob("*.zone")] if os.access(path, os.R_OK) else [Path(path)]
    for file in files:
        if file.exists() and not os.access(file, os.R_OK):
            raise UsageError(f"{file}: {os.strerror(errno.EACCES)}; name a file that can be read")


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"{path}: {said}; name a file that can be read") from None


def _from_pair(word: str) -> dict[str, dict[str, Any]]:
    name, _, values = word.partition("=")
    found: dict[str, list[str]] = {}
    for value in values.split(","):
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            wanted = "NAME=ADDRESS[,ADDRESS...]; other types are written in JSON or a zone file"
            raise UsageError(f"{word!r}: {value!r} is no address; write {wanted}") from None
        found.setdefault("A" if address.version == 4 else "AAAA", []).append(str(address))
    if not name:
        raise UsageError(f"{word!r} has no name in front of the =")
    return {name: found}


def _from_json(text: str, what: str) -> dict[str, dict[str, Any]]:
    example = '{"www.example": {"A": "192.0.2.7", "MX": [60, ["10 mail.example."]]}}'
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{what} cannot be read: {error}; write it like {example}") from None
    if not isinstance(found, dict) or not all(isinstance(rrsets, dict) for rrsets in found.values()):
        raise UsageError(f"{what} is no object of names and types; write it like {example}")
    zones: dict[str, dict[str, Any]] = {}
    for name, rrsets in found.items():
        zones[name] = {}
        for rdtype, values in rrsets.items():
            match values:
                case [int(ttl), str() | list() as data] if not isinstance(ttl, bool):
                    values = (ttl, data)
                case str():
                    pass
                case list() if all(isinstance(value, str) for value in values):
                    pass
                case _:
                    raise UsageError(f"{what}: {name} {rdtype} is no data; write it like {example}")
            zones[name][rdtype] = values
    return zones


def _merge(records: dict[str, dict[str, Any]], more: dict[str, dict[str, Any]]) -> None:
    for name, rrsets in more.items():
        records.setdefault(name, {}).update(rrsets)


def _lines(records: dict[str, dict[str, Any]]) -> Iterator[str]:
    from gdns.testing.sources import read_source

    try:
        yield from read_source(records).lines
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from None


def _write_resolv_conf(path: str, server: Server) -> None:
    """Let other programs find the server: resolv.conf(5) knows no port, so a line says where it is."""
    from gdns.testing.wholesystem import resolv_conf

    text = resolv_conf(server.host, (), ("timeout:1", "attempts:2"))
    try:
        Path(path).write_text(f"# of gdns serve, at {server.address}\n{text}")
    except OSError as error:
        raise UsageError(f"--resolv-conf {path}: {error.strerror}; name a file that can be written") from None


# --- serving


def _serve(server: Server, options: Any, faults: Sequence[Any], paint: Paint) -> int:
    seen = 0
    kinds: Counter[tuple[str, str]] = Counter()
    transports: Counter[str] = Counter()
    with _interruptible():
        try:
            _say_how(server, options, faults, paint)  # whoever has read it may send SIGTERM
            while options.count is None or seen < options.count:
                for query in _news(server, seen):
                    seen += 1
                    kinds[query.name, query.rdtype] += 1
                    transports[query.transport] += 1
                    if not options.is_quiet:
                        print(_line(query, paint), flush=True)
                time.sleep(LOOK_EVERY)
        except KeyboardInterrupt:
            print()  # below the terminal's ^C
    queries = "1 query" if seen == 1 else f"{seen:,} queries"
    by = ", ".join(f"{number:,} over {way.upper()}" for way, number in transports.most_common())
    print(paint("heading", f"{queries}{f' ({by})' if by else ''}"))
    for (name, rdtype), number in kinds.most_common(TOP):
        print(f"{number:>8,}  {name} {rdtype}")
    return ENDED


def _say_how(server: Server, options: Any, faults: Sequence[Any], paint: Paint) -> None:
    names = [name for name, rdtype, _ in server.rrsets if rdtype in ("A", "AAAA")]
    name = names[0].replace("*", "any") if names else "www.example."
    print(paint("good", f"serving at {server.address}, UDP and TCP") + "; Ctrl-C ends it")
    print(f"  try it     gdns @{server.address} {name}")
    print(f"  in Python  gdns.Resolver(nameservers=[{server.address!r}])")
    if options.resolv_conf:
        system = options.resolv_conf
        print(f"  resolv.conf(5) is at {system}", end="")
        print("" if server.port == DNS_PORT else f"; it knows no ports, so others ask {server.host}:53")
    for name, rdtype, _ in faults:
        print(f"  a fault for {name or 'all names'}{f', type {rdtype}' if rdtype else ''}")
    sys.stdout.flush()


def _news(server: Server, seen: int) -> list[LoggedQuery]:
    """The queries that came since so many were seen."""
    return server.queries_after(seen) if server.query_count > seen else []


def _line(query: LoggedQuery, paint: Paint) -> str:
    at = time.strftime("%H:%M:%S")
    edns = " +edns" if query.edns else ""
    asked = f"{paint('name', printable(query.qname))} {paint('type', query.rdtype)}"
    return f"{paint('comment', f'{at} {query.transport} from port {query.port}')} {asked}{edns}"


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM, too, ends the serving, as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def parser() -> Parser:
    """The options."""
    parser = Parser(
        prog="gdns serve",
        usage="gdns serve ZONE [ZONE ...] [--port PORT] [--fault FAULT] [options]",
        description="Serve DNS on loopback, for tests. ZONE is a zone file, a folder of *.zone files, "
        'NAME=ADDRESS[,ADDRESS...], JSON such as {"www.example": {"A": "192.0.2.7"}}, or a file of it.',
        epilog="A FAULT is written as in gdns.testing: drop(0.05) | delay(0.1); rcode(SERVFAIL); "
        "in_turn(silent, healthy). In front of it may stand whom it is for: www.example=silent, "
        "*.example/AAAA=delay(0.2). exit status: 0 ended by Ctrl-C, SIGTERM or --count; 2 usage",
    )
    parser.add_argument("zones", nargs="+", metavar="ZONE", help="what to serve")
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="where to listen (default: 127.0.0.1)"
    )
    parser.add_argument(
        "--port", type=_port, default=0, metavar="PORT", help="where to listen (default: any free)"
    )
    parser.add_argument(
        "--fault",
        dest="faults",
        action="append",
        default=[],
        metavar="[NAME[/TYPE]=]FAULT",
        help="what goes wrong; may be given several times",
    )
    parser.add_argument(
        "--resolv-conf",
        dest="resolv_conf",
        metavar="FILE",
        help="write a resolv.conf(5) that names the server",
    )
    parser.add_argument("--count", type=count, metavar="N", help="end after so many queries")
    parser.add_argument("--quiet", dest="is_quiet", action="store_true", help="do not print the queries")
    add_color(parser)
    return parser


def _port(text: str) -> int:
    from gdns.cli.usage import port

    return 0 if text == "0" else port(text)
