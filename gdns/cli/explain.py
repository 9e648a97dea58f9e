"""Tells, for the command line, where the addresses of a host came from."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdns.cli.paint import Paint, paint_for, printable, printable_lines
from gdns.cli.usage import Parser, UsageError, add_color, add_families, add_json, count, port, seconds
from gdns.errors import EAI_NODATA, EAI_NONAME

if TYPE_CHECKING:
    from gdns.trace import Event, Trace

FOUND, NEGATIVE, FAILED = 0, 1, 3  # exit statuses


def main(words: Sequence[str]) -> int:
    """Look a host up, print what happened and return the exit status. Raises UsageError."""
    options = parser().parse_intermixed_args(words)
    server, host = server_and_name(options.words)
    if host is None:
        raise UsageError("no name to explain: `gdns explain www.example`")
    from gdns.cli.nameservers import servers_for  # loads the engine, which --help can do without
    from gdns.config import System
    from gdns.resolver import Resolver

    resolv_conf = System().current().resolv_conf
    is_chosen = server is not None or options.port is not None
    servers = servers_for(server, socket.AF_UNSPEC, options.port, resolv_conf) if is_chosen else []
    with Resolver(
        [f"{address.transport}://{address}" for address in servers] if is_chosen else None,
        timeout=options.timeout or resolv_conf.timeout,
        attempts=options.attempts or resolv_conf.attempts or None,
        search=resolv_conf.search if is_chosen else None,  # the name is still looked up from this host
        ndots=resolv_conf.ndots if is_chosen else None,
        backend="native",
    ) as resolver:
        try:
            trace = resolver.explain(host, options.family)
        except (ValueError, TypeError) as error:
            raise UsageError(f"{host!r} is no host: {error}") from None
    if options.is_json:
        print(json.dumps(trace.as_dict()))
    else:
        show(trace, paint_for(options.color, sys.stdout))
    return status_of(trace)


def status_of(trace: Trace) -> int:
    """The exit status that a look-up deserves."""
    if trace.error is None:
        return FOUND
    return NEGATIVE if trace.error.errno in (EAI_NONAME, EAI_NODATA) else FAILED


def server_and_name(words: Sequence[str]) -> tuple[str | None, str | None]:
    """What of the words is a server, and which the name. Raises UsageError for more than one of each."""
    servers = [word[1:] for word in words if word.startswith("@")]
    names = [word for word in words if not word.startswith("@")]
    for kind, found in (("server", servers), ("name", names)):
        if len(found) > 1:
            raise UsageError(f"one {kind} at a time, not both {found[0]} and {found[1]}")
        if "" in found:
            raise UsageError(f"the {kind} is empty")
    return servers[0] if servers else None, names[0] if names else None


def show(trace: Trace, paint: Paint) -> None:
    """Print a trace as a tree, with rich where that is installed and colour is wanted."""
    text = printable_lines(str(trace))
    if not paint.is_on:
        print(text)
        return
    try:
        from rich.console import Console
        from rich.text import Text
        from rich.tree import Tree
    except ImportError:
        print(text)
        return
    head, _, _ = text.partition("\n")
    tree = Tree(Text(head, style="bold" if trace.error is None else "bold red"), guide_style="dim")

    def grow(branch: Tree, events: Sequence[Event]) -> None:
        for event in events:
            grow(branch.add(Text(printable(event.text), style=_STYLES.get(event.kind, ""))), event.events)

    grow(tree, trace.events)
    Console(force_terminal=True, highlight=False, soft_wrap=True).print(tree)


_STYLES = {"name": "cyan", "question": "green", "try": "red", "policy": "red", "rule": "dim", "order": "dim"}


def parser() -> Parser:
    """The options."""
    parser = Parser(
        prog="gdns explain",
        usage="gdns explain [@server] NAME [options]",
        description="Look a host's addresses up as programs do, and show what happened on the way: the hosts "
        "file with its line, each name of the search list, servers that failed, and what decided the order.",
        epilog="exit status: 0 found; 1 no such name, or no address at it; 2 usage; 3 nobody could say",
    )
    parser.add_argument("words", nargs="*", metavar="[@server] NAME", help="a host, and whom to ask about it")
    add_families(parser, "look for {version} addresses only")
    parser.add_argument("-p", dest="port", type=port, metavar="PORT", help="the server's port")
    parser.add_argument("--timeout", type=seconds, metavar="S", help="seconds for one attempt")
    parser.add_argument("--attempts", type=count, metavar="N", help="times a server is asked")
    add_json(parser)
    add_color(parser)
    return parser
