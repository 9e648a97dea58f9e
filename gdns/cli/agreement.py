"""Compares what gdns and the system's own resolver say about a host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gdns.cli.findings import Finding, note, ok, problem
from gdns.cli.paint import printable, printable_lines
from gdns.errors import EAI_AGAIN, EAI_NODATA, EAI_NONAME
from gdns.names import SpecialUse, special_use

if TYPE_CHECKING:
    from gdns.servers import ServerAddress

_NEGATIVE = (EAI_NONAME, EAI_NODATA)


def compare(
    host: str, servers: Sequence[ServerAddress] | None, lifetime: float, is_asked_for: bool
) -> list[Finding]:
    """Look a host up with both, for at most `lifetime` seconds each.

    `servers` are asked by gdns in the place of the system's; the system is then not asked. `is_asked_for` is
    true where the user named the host, and minds that it is not found. Raises ValueError for what is no host.
    """
    from gdns.resolver import Resolver

    chosen = None if servers is None else [f"{server.transport}://{server}" for server in servers]
    with Resolver(chosen, backend="native") as resolver:
        trace = resolver.explain(host, lifetime=lifetime)
    ours = ", ".join(trace.addresses) if trace.error is None else str(trace.error)
    tree = printable_lines(str(trace))
    facts: dict[str, Any] = {
        "host": host,
        "gdns": [*trace.addresses],
        "error": trace.error and str(trace.error),
    }
    found: list[Finding] = []
    name = printable(host)
    if servers is None:
        theirs, number = _systems(host, lifetime)
        said = ", ".join(theirs) if number == 0 else _text(number)
        facts |= {"system": theirs}
        if number and trace.error is None and special_use(host) is SpecialUse.LOOPBACK:
            todo = "programs that do not use gdns will miss it: add `127.0.0.1 localhost` to /etc/hosts"
            text = f"{name}: {ours}, which gdns knows by itself (RFC 6761); the system's resolver says {said}"
            found.append(note(text, todo, **facts))
        elif set(theirs) != set(trace.addresses) or number != (trace.error.errno if trace.error else 0):
            todo = (
                f"ask both again, `gdns explain {name}` and `getent ahosts {name}`; where it stays, report it"
            )
            found.append(problem(f"{name}: gdns says {ours}, the system's resolver {said}", todo, **facts))
        elif theirs != [*trace.addresses]:
            todo = "servers change the order of what is equal for RFC 6724"
            found.append(
                note(f"{name}: gdns says {ours}, the system's resolver in the order {said}", todo, **facts)
            )
        elif trace.error is None:
            found.append(ok(f"{name}: {ours}, as the system's resolver says", **facts))
        else:
            found.append(note(f"{name}: {ours}, as the system's resolver says", **facts))
    elif trace.error is None:
        found.append(ok(f"{name}: {ours}", **facts))
    if trace.error is not None and is_asked_for:
        if trace.error.errno in _NEGATIVE:
            todo = "check the spelling, the search list and the zone; what was asked:"
        else:
            todo = "see the servers above; what was asked:"
        found.append(problem(f"{name} has no address: {ours}", f"{todo}\n{tree}", trace=trace.as_dict()))
    return found


def _systems(host: str, lifetime: float) -> tuple[list[str], int]:
    """The addresses that getaddrinfo(3) gives, called in a thread, and its error number, 0 for none."""
    from gdns.resolver import Resolver

    with Resolver(backend="libc") as system:
        try:
            return [*system.lookup(host, lifetime=lifetime)], 0
        except OSError as error:
            return [], error.errno if error.errno is not None else EAI_AGAIN


def _text(number: int) -> str:
    from gdns.errors import GAI_TEXTS

    return f"[Errno {number}] {GAI_TEXTS.get(number, 'error')}"
