"""Looks a host up and tells what happened on the way.

The look-up is an ordinary one. Only the stub is another: a `Recorder` stands between the sources and it,
keeps what DNS said, and is told by the sources what each of them had.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from gdns import netdb
from gdns.arguments import text_of
from gdns.entries import Failure, Foreign, HostEntry, Miss
from gdns.nss_modules import Source
from gdns.outcome import Outcome
from gdns.rdtypes import short_text

if TYPE_CHECKING:
    from gdns._wire import Question
    from gdns.approval import AddressPolicy
    from gdns.nss import Nss
    from gdns.nss_modules import Step
    from gdns.stub import Stub

_FAMILIES = {0: "AF_UNSPEC", int(socket.AF_INET): "AF_INET", int(socket.AF_INET6): "AF_INET6"}


@dataclass(frozen=True)
class Event:
    """One thing that happened, with what happened in its course.

    `kind` is "literal", "override", "files", "dns", "module", "system", "special name", "name", "question",
    "try", "policy", "order" or "rule"; `text` is a line for people, `facts` the same in plain values.
    """

    kind: str
    text: str
    facts: dict[str, Any] = field(default_factory=dict)
    events: tuple[Event, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The event and those in it as plain values."""
        known = {"kind": self.kind, **self.facts}
        return {**known, "events": [event.as_dict() for event in self.events]} if self.events else known

    def lines(self) -> Iterator[str]:
        """The event as a tree of text."""
        yield self.text
        for event in self.events:
            is_last = event is self.events[-1]
            first, *rest = event.lines()
            yield f"{'└─' if is_last else '├─'} {first}"
            for line in rest:
                yield f"{'  ' if is_last else '│ '} {line}"


@dataclass(frozen=True)
class Trace:
    """How the addresses of a host were found, or why not. `str()` draws it as a tree."""

    host: str
    family: int
    addresses: tuple[str, ...]
    """As `lookup` gives them; empty where it fails."""
    error: OSError | None
    """What `lookup` raises."""
    elapsed: float
    """Seconds."""
    outcomes: tuple[Outcome, ...]
    """What DNS said, in the order of asking."""
    events: tuple[Event, ...]

    def as_dict(self) -> dict[str, Any]:
        """The trace as plain values, ready for JSON."""
        error = None
        if self.error is not None:
            error = {
                "type": type(self.error).__name__,
                "errno": self.error.errno,
                "text": self.error.strerror,
            }
        return {
            "host": self.host,
            "family": _FAMILIES[self.family],
            "addresses": list(self.addresses),
            "error": error,
            "elapsed": self.elapsed,
            "events": [event.as_dict() for event in self.events],
        }

    def __str__(self) -> str:
        found = ", ".join(self.addresses) if self.error is None else str(self.error)
        head = f"{self.host} ({_FAMILIES[self.family]}): {found} [{_milliseconds(self.elapsed)}]"
        return "\n".join(Event("lookup", head, events=self.events).lines())


class Recorder:
    """Stands for a stub, and keeps what its questions brought and what the sources made of it."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self.outcomes: list[Outcome] = []
        self.notes: list[tuple[Step, HostEntry | Miss | Foreign, tuple[Outcome, ...]]] = []
        self.refused: list[str] = []  # by the policy
        self._told = 0  # how many outcomes the notes have

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stub, name)

    def query(self, question: Question, wishes: int = 0, lifetime: float | None = None) -> Outcome:
        """As `Stub.query`."""
        outcome = self._stub.query(question, wishes, lifetime)
        self.outcomes.append(outcome)
        return outcome

    def query_both(
        self, first: Question, second: Question, wishes: int = 0, lifetime: float | None = None
    ) -> tuple[Outcome, Outcome]:
        """As `Stub.query_both`."""
        both = self._stub.query_both(first, second, wishes, lifetime)
        self.outcomes += both
        return both

    def judged_by(self, policy: AddressPolicy) -> AddressPolicy:
        """The policy, but what it refuses is kept."""

        def judge(host: str, address: str) -> bool:
            is_approved = policy(host, address)
            if is_approved is False:
                self.refused.append(address)
            return is_approved

        return judge

    def note(self, step: Step, result: HostEntry | Miss | Foreign) -> None:
        """A source has said what it has."""
        self.notes.append((step, result, tuple(self.outcomes[self._told :])))
        self._told = len(self.outcomes)


def explain(nss: Nss, host: str, family: int = 0, lifetime: float | None = None) -> Trace:
    """Look a host up through these sources, as `netdb.lookup` does, and tell what happened.

    Raises what that raises for what is no host or no family: UnicodeError, TypeError, GaiError (EAI_FAMILY).
    """
    recorder = Recorder(nss.stub)
    recorded = nss.recorded_by(recorder)
    if nss.policy is not None:
        recorded.policy = recorder.judged_by(nss.policy)
    given = nss.overrides.find(text_of("lookup", host, nss.is_idna2008), 0, family)
    began = monotonic()
    addresses: tuple[str, ...] = ()
    error = None
    try:
        addresses = netdb.lookup(recorded, host, family, lifetime)
    except OSError as caught:
        if family not in _FAMILIES:
            raise
        error = caught
    elapsed = monotonic() - began
    events = [_event_of(recorded, *note) for note in recorder.notes]
    if given is not None:
        events.append(_override(host, given))
    elif not events:
        events.append(_without_sources(host, addresses, error))
    elif not isinstance(recorder.notes[-1][1], (HostEntry, Foreign)) and addresses:
        events.append(Event("special name", f"{host} means this host (RFC 6761)"))
    if recorder.refused:
        text = f"the policy refused {', '.join(recorder.refused)}"
        events.append(Event("policy", text, {"refused": recorder.refused}))
    if len(addresses) > 1 and given is None:
        events.append(_order(recorded, addresses))
    return Trace(host, family, addresses, error, elapsed, tuple(recorder.outcomes), tuple(events))


def _override(host: str, given: HostEntry | Failure) -> Event:
    addresses = [*given.addresses] if isinstance(given, HostEntry) else []
    what = ", ".join(addresses) or "to have none of the addresses asked for"
    return Event("override", f"{host} is overridden: {what}; nobody is asked", {"addresses": addresses})


def _without_sources(host: str, addresses: Sequence[str], error: OSError | None) -> Event:
    if addresses:
        return Event("literal", f"{host} is an address itself: nobody is asked", {"addresses": [*addresses]})
    return Event("literal", f"{host}: nobody is asked ({error})")


def _event_of(
    nss: Nss, step: Step, result: HostEntry | Miss | Foreign, outcomes: tuple[Outcome, ...]
) -> Event:
    """What one source of nsswitch.conf said."""
    if isinstance(result, Foreign):
        text = f"{step.name}: the system's own resolver is asked, because {result.reason}"
        return Event("system", text, {"module": step.name, "reason": result.reason})
    action = step.actions[result.status].value
    facts: dict[str, Any] = {"module": step.name, "status": result.status.name, "action": action}
    if step.source is Source.FILES:
        return _hosts_event(nss, result, facts)
    if step.source is Source.DNS:
        text = f"{step.name}: {_found(result)}"
        return Event("dns", text, facts, tuple(_names(outcomes)))
    return Event("module", f"{step.name}: {step.source.value}, {result.status.name}, so {action}", facts)


def _hosts_event(nss: Nss, result: HostEntry | Miss, facts: dict[str, Any]) -> Event:
    path = nss.hosts_path
    if isinstance(result, Miss):
        return Event("files", f"files: {path} does not name it", {**facts, "path": path})
    lines = getattr(result.origin, "lines", ())
    where = ", ".join(map(str, lines))
    text = f"files: {', '.join(result.addresses)} by {path}, line{'s' if len(lines) > 1 else ''} {where}"
    return Event("files", text, {**facts, "path": path, "lines": [*lines], "addresses": [*result.addresses]})


def _found(result: HostEntry | Miss) -> str:
    if isinstance(result, HostEntry):
        return ", ".join(result.addresses)
    return f"nothing ({result.status.name})"


def _names(outcomes: Sequence[Outcome]) -> Iterator[Event]:
    """The names asked for, in turn, with the questions about each."""
    qnames = dict.fromkeys(outcome.question.qname for outcome in outcomes)
    for qname in qnames:
        questions = [_question(outcome) for outcome in outcomes if outcome.question.qname == qname]
        yield Event("name", qname, {"qname": qname}, tuple(questions))


def _question(outcome: Outcome) -> Event:
    """What came of one question, with the tries that failed before it."""
    rdtype = short_text(outcome.question.rdtype)
    facts: dict[str, Any] = {
        "rdtype": rdtype,
        "status": outcome.status.value,
        "rcode": outcome.rcode,
        "addresses": [*outcome.addresses],
        "ttl": outcome.ttl,
        "server": outcome.server,
        "transport": outcome.transport,
        "attempts": outcome.attempts,
        "rtt": outcome.rtt,
        "from_cache": outcome.from_cache,
        "age": outcome.age,
        "is_stale": outcome.is_stale,
        "ede": [[code, text] for code, text in outcome.ede],
        "detail": outcome.detail,
    }
    words = [f"{rdtype}: {', '.join(outcome.addresses) or outcome.status.value}"]
    reply = outcome.reply
    if reply is not None and reply.aliases:
        facts["aliases"] = [*reply.aliases]
        facts["canonical_name"] = reply.canonical_name
        words.append(f"through {len(reply.aliases)} CNAME to {reply.canonical_name}")
    if outcome.from_cache:
        stale = ", stale: no server gave a newer one" if outcome.is_stale else f", TTL {outcome.ttl:.0f} s"
        words.append(f"from the cache, {outcome.age:.1f} s old{stale}")
    elif reply is not None:
        words.append(f"from {outcome.server} over {outcome.transport} in {_milliseconds(outcome.rtt)}")
        words.append(f"(TTL {outcome.ttl:.0f} s)")
    elif outcome.server:
        words.append(f"with {outcome.server} the last to be asked")
    words += [f"(EDE {code}{': ' + text if text else ''})" for code, text in outcome.ede]
    if outcome.detail:
        words.append(f"({outcome.detail})")
    failures = [] if outcome.from_cache else outcome.failures
    tries = tuple(
        Event(
            "try",
            f"{failed.server}: {failed.reason} after {_milliseconds(failed.seconds)}",
            {"server": failed.server, "reason": failed.reason, "seconds": failed.seconds},
        )
        for failed in failures
    )
    return Event("question", " ".join(words), facts, tries)


def _order(nss: Nss, addresses: Sequence[str]) -> Event:
    reasons = nss.reasons_of_order(addresses)
    steps = [
        Event(
            "rule",
            f"{first} before {second}: rule {rule}, {words}",
            {"first": first, "second": second, "rule": rule, "reason": words},
        )
        for first, second, (rule, words) in zip(addresses, addresses[1:], reasons, strict=False)
    ]
    return Event("order", "order: RFC 6724", {"addresses": [*addresses]}, tuple(steps))


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
