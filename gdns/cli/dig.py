"""Looks up one name's records for the command line."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdns import outcome as status
from gdns.cli.digform import as_dig
from gdns.cli.grammar import Request, read
from gdns.cli.paint import paint_for
from gdns.cli.report import Report, as_json, as_short, failure
from gdns.cli.usage import UsageError
from gdns.config import System
from gdns.resolvconf import ResolvConf

if TYPE_CHECKING:
    from dns.edns import Option

    from gdns.outcome import Outcome
    from gdns.resolver import Resolver
    from gdns.servers import ServerAddress

ANSWERED, NEGATIVE, NO_SERVER = 0, 1, 3  # exit statuses; 2 is usage


def main(words: Sequence[str], verbs: str) -> int:
    """Look up what the words say, print it and return the exit status. Raises UsageError."""
    request = read(words, _is_rdtype, verbs)
    from gdns.cli.nameservers import servers_for  # loads the engine, which --help can do without

    resolv_conf = System().current().resolv_conf if request.server is None else ResolvConf()
    servers = servers_for(request.server, request.family, request.port, resolv_conf)
    report = ask(request, servers, resolv_conf, words)
    show = as_json if request.is_json else as_short if request.is_short else as_dig
    text = show(report, paint_for(request.color, sys.stdout))
    if text:
        print(text)
    if report.outcome.status is status.ANSWER:
        return ANSWERED
    print(f"gdns: {failure(report, [str(server) for server in servers])}", file=sys.stderr)
    return NEGATIVE if report.outcome.is_negative else NO_SERVER


def _is_rdtype(word: str) -> bool:
    from dns.rdatatype import UnknownRdatatype, from_text  # --help and --version can do without dnspython

    try:
        from_text(word)
    except (UnknownRdatatype, ValueError):
        return False
    return True


def ask(
    request: Request,
    servers: Sequence[ServerAddress],
    resolv_conf: ResolvConf,
    words: Sequence[str] = (),
) -> Report:
    """Ask the servers, and report what they say. Raises UsageError for what cannot be asked."""
    from dns.resolver import NoMetaqueries

    from gdns import records

    failures = (
        records.NXDOMAIN,
        records.NoAnswer,
        records.YXDOMAIN,
        records.NoNameservers,
        records.LifetimeTimeout,
    )
    outcome: Outcome | None
    with _resolver_for(request, servers, resolv_conf) as resolver:
        try:
            answer = resolver.resolve(
                request.name,
                request.rdtype,
                request.rdclass,
                tcp=request.is_tcp,
                source=request.source,
                source_port=request.source_port,
                search=request.search or request.domain is not None,
                want_dnssec=request.wants_dnssec,
                checking_disabled=request.checking_disabled,
                authentic_data=request.authentic_data,
                no_recursion=not request.wants_recursion,
                edns_options=_edns_options(request),
            )
            outcome = answer.outcome
        except failures as error:
            outcome = error.outcome
        except NoMetaqueries:
            what = f"{request.rdtype} in the class {request.rdclass}"
            raise UsageError(f"{what} is no kind of record: name one, such as A") from None
        except (records.DNSException, ValueError, TypeError) as error:  # TypeError: a NUL
            raise UsageError(f"{request.name} {request.rdtype}: {str(error).rstrip('.')}") from None
        except OSError as error:
            if request.source is None and not request.source_port:
                raise
            source = f"{request.source or ''}{f'#{request.source_port}' if request.source_port else ''}"
            raise UsageError(
                f"-b {source}: {error.strerror}; leave it out, or name one of this host"
            ) from None
    assert outcome is not None  # it goes with whatever a server was asked for
    message = records.whole_of(outcome.reply) if outcome.reply else None
    return Report(request, outcome, message, words)


def _resolver_for(request: Request, servers: Sequence[ServerAddress], resolv_conf: ResolvConf) -> Resolver:
    """A resolver that asks as the request says, and in all else as the system's settings do."""
    from gdns.resolver import Resolver

    is_chosen = request.server is not None or request.family != socket.AF_UNSPEC or request.port is not None
    return Resolver(
        [f"{server.transport}://{server}" for server in servers] if is_chosen else None,
        timeout=request.timeout or resolv_conf.timeout,
        attempts=request.attempts or resolv_conf.attempts or None,
        edns=resolv_conf.edns0 if request.edns is None else request.edns,
        search=None if request.domain is None else [request.domain],
        ndots=request.ndots,
        backend="native",
    )


def _edns_options(request: Request) -> list[Option]:
    from dns.edns import ECSOption, GenericOption, OptionType

    options: list[Option] = [GenericOption(OptionType.NSID, b"")] if request.wants_nsid else []
    if request.subnet is not None:
        try:
            network = ipaddress.ip_network("0.0.0.0/0" if request.subnet == "0" else request.subnet, False)
        except ValueError:
            wanted = "an address with the bits that count: +subnet=192.0.2.0/24"
            raise UsageError(f"+subnet={request.subnet}: give {wanted}") from None
        options.append(ECSOption(str(network.network_address), network.prefixlen))
    return options
