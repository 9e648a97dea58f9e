"""Looks up one name's records for the command line."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdns import outcome as status
from gdns.cli.grammar import Request, UsageError, read
from gdns.cli.report import Report, as_dig, as_json, as_short, failure
from gdns.config import System
from gdns.errors import ConfigError, GaiError
from gdns.resolvconf import ResolvConf
from gdns.resolver import Resolver
from gdns.servers import DNS_PORT, ServerAddress

if TYPE_CHECKING:
    from gdns.outcome import Outcome

ANSWERED, NEGATIVE, NO_SERVER = 0, 1, 3  # exit statuses; 2 is usage


def main(words: Sequence[str], verbs: str) -> int:
    """Look up what the words say, print it and return the exit status. Raises UsageError."""
    request = read(words, _is_rdtype, verbs)
    resolv_conf = System().current().resolv_conf if request.server is None else ResolvConf()
    servers = servers_for(request, resolv_conf)
    report = ask(request, servers, resolv_conf)
    show = as_json if request.is_json else as_short if request.is_short else as_dig
    text = show(report)
    if text:
        print(text)
    if report.outcome.status is status.ANSWER:
        return ANSWERED
    print(f"gdns: {failure(report, [str(server) for server in servers])}", file=sys.stderr)
    return NEGATIVE if report.outcome.is_negative else NO_SERVER


def _is_rdtype(word: str) -> bool:
    from gdns import records  # loads dnspython, which --help and --version can do without

    return records.is_rdtype(word)


def servers_for(request: Request, resolv_conf: ResolvConf) -> list[ServerAddress]:
    """The servers to ask. Raises UsageError where there are none, or none of the wanted family."""
    if request.server is None:
        known = [ServerAddress.parse(text) for text in resolv_conf.nameservers]
    else:
        known = _servers_called(request.server)
    servers = [server for server in known if request.family in (socket.AF_UNSPEC, server.family)]
    if not servers:
        version = 4 if request.family == socket.AF_INET else 6
        raise UsageError(f"{request.server or 'resolv.conf'} names no server with an IPv{version} address")
    return servers


def _servers_called(text: str) -> list[ServerAddress]:
    """What is meant by "@text": an address, or every address of a host name."""
    try:
        return [ServerAddress.parse(text)]
    except ConfigError:
        host = re.fullmatch(r"([\w.-]*[a-z_][\w.-]*)(?::(\d+))?", text, re.IGNORECASE)
        if host is None:
            raise
    name, port = host.groups(default=str(DNS_PORT))
    try:
        with Resolver() as resolver:
            addresses = resolver.lookup(name)
        return [ServerAddress.parse(_at_port(address, port)) for address in addresses]
    except GaiError as error:
        raise UsageError(f"name server {text!r}: {error.strerror}") from None


def _at_port(address: str, port: str) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def ask(request: Request, servers: Sequence[ServerAddress], resolv_conf: ResolvConf) -> Report:
    """Ask the servers, and report what they say. Raises UsageError for what cannot be asked."""
    from gdns import records

    is_chosen = request.server is not None or request.family != socket.AF_UNSPEC
    resolver = Resolver(
        [f"{server.transport}://{server}" for server in servers] if is_chosen else None,
        timeout=request.timeout or resolv_conf.timeout,
        attempts=request.attempts or resolv_conf.attempts or None,
        edns=resolv_conf.edns0,
    )
    failures = (
        records.NXDOMAIN,
        records.NoAnswer,
        records.YXDOMAIN,
        records.NoNameservers,
        records.LifetimeTimeout,
    )
    outcome: Outcome | None
    with resolver:
        try:
            answer = resolver.resolve(request.name, request.rdtype, request.rdclass, tcp=request.is_tcp)
            outcome = answer.outcome
        except failures as error:
            outcome = error.outcome
        except (records.DNSException, ValueError) as error:
            raise UsageError(f"{request.name} {request.rdtype}: {str(error).rstrip('.')}") from None
    assert outcome is not None  # it goes with whatever a server was asked for
    return Report(request, outcome, records.read_message(outcome.reply) if outcome.reply else None)
