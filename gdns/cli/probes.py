"""Asks each server what it can do: UDP, EDNS with cookies, TCP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from gdns import outcome as status
from gdns.cli.findings import Finding, note, ok, problem
from gdns.cli.paint import printable
from gdns.hubs import NativeHub
from gdns.literals import is_address
from gdns.names import encode_idna, special_use

if TYPE_CHECKING:
    from gdns.outcome import Outcome
    from gdns.servers import ServerAddress

CLIENT_COOKIE = 8  # octets (RFC 7873, section 4); what follows is the server's
_BAD = (status.SERVFAIL, status.REFUSED, status.FAILED)


@dataclass(frozen=True)
class Probe:
    """What came of asking one server in three ways; `udp` is None for one written tcp://."""

    server: ServerAddress
    udp: Outcome | None
    edns: Outcome
    tcp: Outcome

    @property
    def answers(self) -> bool:
        """Whether anything came back at all."""
        return any(outcome is not None and outcome.reply for outcome in (self.udp, self.edns, self.tcp))


def question_for(name: str | None) -> tuple[str, str]:
    """What to ask the servers: about a name, or of the root where the name is none for them."""
    if name is None or is_address(name.partition("%")[0]) or special_use(name) is not None:
        return ".", "NS"
    return name, "A"


def probe_all(servers: Sequence[ServerAddress], name: str | None, timeout: float) -> list[Probe]:
    """Ask all servers side by side, each for at most `timeout` seconds.

    Raises ValueError for what is no name.
    """
    from gdns._wire import Question

    qname, rdtype = question_for(name)
    if qname != ".":
        Question(encode_idna(qname), 1)  # raises for what is no name, before a task does
    hub = NativeHub.of_this_thread()
    tasks = [
        [
            hub.spawn(_ask, server, qname, rdtype, timeout, {"use_edns": edns, "tcp": tcp})
            for edns, tcp in ((False, False), (True, False), (False, True))
        ]
        for server in servers
    ]
    hub.join(*(task for three in tasks for task in three))
    probes = []
    for server, (udp, edns, tcp) in zip(servers, tasks, strict=True):
        outcomes = udp.get(), edns.get(), tcp.get()
        probes.append(Probe(server, None if server.transport == "tcp" else outcomes[0], *outcomes[1:]))
    return probes


def _ask(server: ServerAddress, qname: str, rdtype: str, timeout: float, wishes: dict[str, Any]) -> Outcome:
    from gdns import records
    from gdns.resolver import Resolver

    outcome: Outcome | None
    with Resolver(
        [f"{server.transport}://{server}"], timeout=timeout, attempts=1, cache=False, backend="native"
    ) as resolver:
        try:
            answer = cast(
                "records.Answer", resolver.resolve(qname, rdtype, raise_on_no_answer=False, **wishes)
            )
            outcome = answer.outcome
        except records.DNSException as error:
            outcome = getattr(error, "outcome", None)
            if outcome is None:
                raise ValueError(str(error)) from None
    assert outcome is not None
    return outcome


def findings(probe: Probe, where: str) -> list[Finding]:
    """What a probe means; `where` says which line or word names the server."""
    server = str(probe.server)
    facts: dict[str, Any] = {"server": server, "transport": probe.server.transport}
    if not probe.answers:
        return [_dead(probe, where, facts)]
    found = []
    first = probe.udp if probe.udp is not None else probe.tcp
    if probe.udp is not None:
        found.append(_answer(probe.udp, "UDP", where, facts))
    if probe.tcp.reply is None:
        todo = "answers that are too long for UDP need it: let port 53/tcp through to the server"
        found.append(
            problem(f"{server} does not answer over TCP: {_why(probe.tcp)}", todo, **facts, tcp=False)
        )
    elif probe.udp is None or probe.udp.reply is None:
        found.append(_answer(probe.tcp, "TCP", where, facts))
    else:  # what it says is known from UDP
        took = f"{probe.tcp.rtt * 1000:.1f} ms"
        found.append(ok(f"{server} answers over TCP in {took}", **facts, way="tcp", rtt=probe.tcp.rtt))
    if first.reply is not None:
        found += _edns(probe.edns, server, facts)
    return found


def _dead(probe: Probe, where: str, facts: dict[str, Any]) -> Finding:
    outcome = probe.udp if probe.udp is not None else probe.tcp
    if "refused" in outcome.detail.lower():
        todo = f"nothing listens there: start the server, or name another one in place of {where}"
    elif outcome.status is status.UNREACHABLE:
        todo = f"there is no way to it from here: see `ip route get {probe.server.host}`, or mend {where}"
    else:
        todo = f"a firewall, or no server at all: try `gdns @{probe.server} . NS --tcp`, or mend {where}"
    said = f"{probe.server} does not answer: {_why(outcome)}"
    return problem(said, todo, **facts, reachable=False)


def _why(outcome: Outcome) -> str:
    if outcome.status is status.TIMEOUT:
        return f"no reply within {outcome.elapsed:.1f} s"
    return outcome.detail or outcome.status.value


def _answer(outcome: Outcome, way: str, where: str, facts: dict[str, Any]) -> Finding:
    """What came over UDP, or over TCP."""
    server = facts["server"]
    way_facts = {**facts, "way": way.lower(), "reachable": outcome.reply is not None}
    if outcome.reply is None:
        todo = "let port 53/udp through to the server, or write it as tcp:// in a program"
        return problem(f"{server} does not answer over {way}: {_why(outcome)}", todo, **way_facts)
    took = f"{outcome.rtt * 1000:.1f} ms"
    way_facts |= {"rtt": outcome.rtt, "rcode": outcome.rcode, "ede": [[*error] for error in outcome.ede]}
    if outcome.status in _BAD:
        ede = "".join(f" (EDE {code}{': ' + printable(text) if text else ''})" for code, text in outcome.ede)
        rcode = outcome.status.value if outcome.status is not status.FAILED else f"rcode {outcome.rcode}"
        hint = "; if it serves some names only, name one of them" if outcome.question.qname == "." else ""
        todo = {
            status.REFUSED: f"it does not serve this host: let its operator allow it, or mend {where}{hint}",
            status.SERVFAIL: "it cannot find out: see its log, and whether it reaches other servers",
        }.get(outcome.status, f"it does not understand an ordinary question: mend it, or {where}")
        return problem(f"{server} says {rcode}{ede} over {way}, in {took}", todo, **way_facts)
    return ok(f"{server} answers over {way} in {took}", **way_facts)


def _edns(outcome: Outcome, server: str, facts: dict[str, Any]) -> list[Finding]:
    """What a server made of EDNS, and of the cookie in it."""
    reply = outcome.reply
    if reply is None:
        todo = "a firewall drops EDNS (RFC 6891): mend it, and leave edns0 out of resolv.conf until then"
        return [problem(f"{server} does not answer EDNS: {_why(outcome)}", todo, **facts, edns=False)]
    if not reply.edns:
        said = f"{server} knows no EDNS; it is asked without, so there are no cookies and no extended errors"
        return [note(said, **facts, edns=False, cookie=False)]
    has_cookie = len(reply.cookie or b"") > CLIENT_COOKIE
    if has_cookie:
        return [ok(f"{server} knows EDNS and cookies", **facts, edns=True, cookie=True)]
    return [note(f"{server} knows EDNS, but no cookies (RFC 7873)", **facts, edns=True, cookie=False)]
