"""Mutated replies through the whole resolver, with innocent look-ups beside them."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

import gdns
from gdns.testing import Server, chain, in_turn, mutated, over_tcp, over_udp, records, then_answer, truncated
from tests.conftest import GeventRunner, NativeRunner

PATIENCE = 120.0  # seconds after which a run is given up
IN_FLIGHT = 200
INNOCENT = 8  # one look-up in so many
TIMEOUT = 5.0  # seconds; there is one try, and the right answer follows the mutated one
SLACK = 2.0
BELIEVED = {"192.0.2.7", "2001:db8::7"}  # whatever is mutated, the addresses are not
KINDS = ("plain", "chained", "several", "denied", "stream", "edns")


@dataclass
class Tally:
    """How the look-ups ended."""

    words: Counter[str] = field(default_factory=Counter)
    innocent: int = 0
    wrong: list[str] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.words.total()} mutated in {self.seconds:.1f} s: {dict(self.words)}, dropped"
            f" {dict(self.dropped)}; {self.innocent} innocent; {len(self.wrong)} wrong"
        )


def run(hub: str, count: int, seed: int) -> Tally:
    """Let so many look-ups meet mutated replies, on one hub."""
    tally = Tally()
    began = time.monotonic()
    runner = NativeRunner() if hub == "native" else GeventRunner()
    with Server(["*.example. 60 A 192.0.2.7", "*.example. 60 AAAA 2001:db8::7"], seed=seed) as server:
        server.add("*.innocent.example. 60 A 192.0.2.9")
        address = ["@ A 192.0.2.7", "@ A 192.0.2.7", "@ AAAA 2001:db8::7", "x TXT text"]
        server.fault("*.plain.example.", mutated(3) | then_answer())
        server.fault("*.chained.example.", chain(3, "shuffled") | mutated(4) | then_answer())
        server.fault("*.several.example.", records(*address) | mutated(3) | then_answer())
        server.fault(
            "*.denied.example.",
            records("@ SOA a. b. 1 2 3 4 5", section="authority") | mutated(3) | then_answer(),
        )
        server.fault("*.stream.example.", over_udp(truncated()) | over_tcp(mutated(2) | then_answer()))
        server.fault("*.edns.example.", in_turn(mutated(3), mutated(6)) | then_answer())
        options = {"timeout": TIMEOUT, "attempts": 1, "cache": False, "hub": runner.hub}
        with (
            gdns.Resolver([server.address], **options) as plain,  # type: ignore[arg-type]
            gdns.Resolver([server.address], edns=True, **options) as edns,  # type: ignore[arg-type]
            gdns.Resolver([server.address], cache=False, hub=runner.hub) as patient,
            gdns.Resolver([server.address], cache=False, edns=True, hub=runner.hub) as patient_edns,
        ):
            numbers = iter(range(count))

            def work() -> None:
                for number in numbers:
                    kind = KINDS[number % len(KINDS)]
                    resolver = edns if kind == "edns" else plain
                    meet(resolver, f"n{number}.{kind}.example.", number, tally)
                    if number % INNOCENT == 0:
                        ask_innocent(
                            patient if number % 3 else patient_edns, f"n{number}.innocent.example.", tally
                        )

            workers = [runner.spawn(work) for _ in range(IN_FLIGHT)]
            runner.join(workers, PATIENCE)  # type: ignore[arg-type]
            for resolver in (plain, edns):
                tally.dropped.update(resolver._engine().stub.dropped)
    tally.seconds = time.monotonic() - began
    return tally


def meet(resolver: gdns.Resolver, name: str, number: int, tally: Tally) -> None:
    """One look-up that gets a mutated reply."""
    began = time.monotonic()
    try:
        if number % 10 == 0:
            found = {record.address for record in resolver.resolve(name, "A" if number % 20 else "AAAA")}
        else:
            found = set(resolver.lookup(name, 2 if number % 4 else 10))
    except gdns.GaiError as error:
        word = {-2: "no name", -3: "again", -4: "fail", -5: "no data"}.get(
            error.errno or 0, f"foreign {error!r}"
        )
    except gdns_exceptions() as error:
        word = type(error).__name__
    except Exception as error:
        word = f"foreign {error!r}"
    else:
        word = "address" if found <= BELIEVED else f"foreign {found}"
    tally.words[word.split()[0]] += 1
    if word.startswith("foreign"):
        tally.wrong.append(f"{name}: {word}")
    if time.monotonic() - began > TIMEOUT + SLACK:
        tally.wrong.append(f"{name}: late by {time.monotonic() - began - TIMEOUT:.2f} s")


def gdns_exceptions() -> tuple[type[Exception], ...]:
    """What `resolve` may raise because of a reply."""
    from gdns import records as faces

    return (faces.NXDOMAIN, faces.NoAnswer, faces.NoNameservers, faces.LifetimeTimeout, faces.YXDOMAIN)


def ask_innocent(resolver: gdns.Resolver, name: str, tally: Tally) -> None:
    """One look-up whose reply is as it should be."""
    tally.innocent += 1
    try:
        found = resolver.lookup(name, 2)
    except Exception as error:
        tally.wrong.append(f"{name}: {error!r}")
    else:
        if found != ("192.0.2.9",):
            tally.wrong.append(f"{name}: {found}")
