"""Examines, for the command line, how names are looked up on this host, and what is wrong with that."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdns._version import __version__
from gdns.cli import advisories, configuration, probes, versions
from gdns.cli.agreement import compare
from gdns.cli.explain import server_and_name
from gdns.cli.findings import Finding, Level, note, ok, problem
from gdns.cli.paint import Paint, paint_for, printable
from gdns.cli.usage import Parser, UsageError, add_color, add_json, port, seconds

if TYPE_CHECKING:
    from gdns.servers import ServerAddress

HEALTHY, PROBLEM, NO_SERVER = 0, 1, 3  # exit statuses
PATIENCE = 2.0  # seconds that a server gets for each question
LOOKUP = 5.0  # seconds that a look-up gets

RESOLV_CONF = f"{configuration.ETC}/resolv.conf"

Report = dict[str, list[Finding]]


def main(words: Sequence[str]) -> int:
    """Examine everything, print it and return the exit status. Raises UsageError."""
    options = parser().parse_intermixed_args(words)
    server, name = server_and_name(options.words)
    report, has_server = examine(server, name, options.port, options.timeout)
    findings = [finding for section in report.values() for finding in section]
    problems = [finding for finding in findings if finding.level is Level.PROBLEM]
    status = NO_SERVER if not has_server else PROBLEM if problems else HEALTHY
    if options.is_json:
        sections = {title: [finding.as_dict() for finding in section] for title, section in report.items()}
        print(json.dumps({"gdns": __version__, "status": status, "problems": len(problems), **sections}))
    else:
        show(report, len(problems), paint_for(options.color, sys.stdout))
    return status


def examine(server: str | None, name: str | None, port: int | None, timeout: float) -> tuple[Report, bool]:
    """The findings by section, and whether any server answers. Raises UsageError for what is no name."""
    report: Report = {
        "configuration": configuration.examine(name),
        "c-ares": c_ares(),
        "hubs": hubs(os.environ),
    }
    try:
        from gdns.cli.nameservers import servers_for  # loads the engine, which may not be there
        from gdns.config import System
    except ImportError:
        return report, True  # the section on c-ares says so
    resolv_conf = System().current().resolv_conf
    servers = servers_for(server, socket.AF_UNSPEC, port, resolv_conf)
    lines = configuration.nameserver_lines(RESOLV_CONF)

    def where(address: ServerAddress) -> str:
        return lines.get(address.host, RESOLV_CONF) if server is None else f"@{printable(server)}"

    try:
        probed = probes.probe_all(servers, name, timeout)
        report["servers"] = [
            finding for probe in probed for finding in probes.findings(probe, where(probe.server))
        ]
        report["look-ups"] = look_ups(name, None if server is None and port is None else servers)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{name!r} is no host: {error}") from None
    return report, any(probe.answers for probe in probed)


def c_ares() -> list[Finding]:
    """Which c-ares is in use, and the advisories against it."""
    try:
        number, file = versions.cares()
    except ImportError as error:
        todo = "install gdns-resolver and pycares again, on Linux; until then the system's resolver serves"
        return [problem(f"gdns' engine cannot be loaded: {error}", todo)]
    said = f"c-ares {number} from {file}"
    concerning = advisories.against(number)
    facts: dict[str, Any] = {
        "version": number,
        "file": file,
        "advisories": [advisory.name for advisory in concerning],
    }
    todo = (
        "pip install -U pycares"
        if "pycares" in file
        else "install a newer libcares.so.2, or pip install pycares"
    )
    found = [
        problem(
            f"{said}: {advisory.name}, {advisory.text}",
            f"{todo} (it is mended in c-ares {advisory.fixed_in})",
            advisory=advisory.name,
        )
        for advisory in concerning
    ]
    if advisories.is_newer_than_known(number):
        text = f"{said}; this gdns knows of advisories against c-ares up to {advisories.KNOWN_TO}"
        return [note(text, "see c-ares.org/vulns.html, or update gdns", **facts)]
    if not found:
        return [ok(f"{said}; no advisory concerns it", **facts)]
    return [note(said, **facts), *found]


def hubs(environ: Mapping[str, str]) -> list[Finding]:
    """Which hubs are installed, and whether programs on them use gdns."""
    found = []
    gevent = versions.installed("gevent")
    if gevent is None:
        found.append(ok("gevent is not installed", gevent=None))
    else:
        chosen = environ.get("GEVENT_RESOLVER", "")
        if "gdns" in chosen:
            found.append(ok(f"gevent {gevent}; programs look up through gdns ({chosen})", gevent=gevent))
        else:
            said = f"gevent {gevent}; its programs look up through {printable(chosen) or 'its own threads'}"
            todo = "unless they call gdns.gevent.install(): set GEVENT_RESOLVER=gdns.gevent.Resolver"
            found.append(note(said, todo, gevent=gevent))
    eventlet = versions.installed("eventlet")
    if eventlet is None:
        found.append(ok("eventlet is not installed", eventlet=None))
    else:
        is_off = environ.get("EVENTLET_NO_GREENDNS", "").lower() == "yes"
        said = (
            f"eventlet {eventlet}; its programs look up through {'the system' if is_off else 'its greendns'}"
        )
        todo = "unless they call gdns.eventlet.install(): see docs/how-to/eventlet.md"
        found.append(note(said, todo, eventlet=eventlet))
    return found


def look_ups(name: str | None, servers: Sequence[ServerAddress] | None) -> list[Finding]:
    """What gdns and the system say about a name; without one, about this host's own."""
    if name is not None:
        return compare(name, servers, LOOKUP, is_asked_for=True)
    own = dict.fromkeys(["localhost", socket.gethostname()])
    return [finding for host in own for finding in compare(host, servers, LOOKUP, is_asked_for=False)]


def show(report: Report, problems: int, paint: Paint) -> None:
    """Print the findings, and the number of problems."""
    kinds = {Level.OK: "good", Level.NOTE: "note", Level.PROBLEM: "bad"}
    for title, findings in report.items():
        print(paint("heading", title))
        for finding in findings:
            print(f"  {paint(kinds[finding.level], f'{finding.level.value:<7}')}  {finding.text}")
            if finding.todo:
                first, *rest = finding.todo.splitlines()
                print(f"           -> {first}")
                for line in rest:
                    print(f"              {line}")
        print()
    if problems:
        count = "1 problem" if problems == 1 else f"{problems} problems"
        print(paint("bad", f"{count}: what to do about each stands below it, after ->"))
    else:
        print(paint("good", "healthy"))


def parser() -> Parser:
    """The options."""
    parser = Parser(
        prog="gdns doctor",
        usage="gdns doctor [@server] [NAME] [options]",
        description="Examine how names are looked up on this host: the system's files and how gdns "
        "understands them, each server over UDP, TCP and EDNS, c-ares and the advisories against it, and "
        "whether gdns and the system's resolver agree about NAME (else about localhost and this host).",
        epilog="exit status: 0 healthy; 1 at least one problem; 2 usage; 3 no server answers",
    )
    parser.add_argument(
        "words", nargs="*", metavar="[@server] [NAME]", help="whom to ask, and about which host"
    )
    parser.add_argument("-p", dest="port", type=port, metavar="PORT", help="the server's port")
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=PATIENCE,
        metavar="S",
        help=f"seconds that a server gets for each question (default: {PATIENCE:g})",
    )
    add_json(parser)
    add_color(parser)
    return parser
