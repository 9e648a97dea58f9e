"""What comes of the same questions on one lane and on the other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import pytest

from gdns._wire import Question
from gdns.hubs import NativeHub
from gdns.servers import ServerAddress, Servers
from gdns.stub import Stub
from gdns.testing import (
    Fault,
    Server,
    chain,
    in_turn,
    mutated,
    over_tcp,
    over_udp,
    records,
    then_answer,
    truncated,
)

LANES = ("ares", "both")  # what GDNS_LANES may say
TIMEOUT = 5.0  # seconds; there is one try, and the right answer follows the mutated one
IN_FLIGHT = 200
PATIENCE = 120.0  # seconds after which a run is given up
ZONE = ["*.example. 60 A 192.0.2.7", "*.example. 60 AAAA 2001:db8::7"]
A, AAAA = 1, 28

_ADDRESSES = ["@ A 192.0.2.7", "@ A 192.0.2.8", "@ AAAA 2001:db8::7", "x TXT text"]
MUTATIONS: dict[str, Fault] = {
    "plain": mutated(3) | then_answer(),
    "chained": chain(3, "shuffled") | mutated(4) | then_answer(),
    "several": records(*_ADDRESSES) | mutated(3) | then_answer(),
    "denied": records("@ SOA a. b. 1 2 3 4 5", section="authority") | mutated(3) | then_answer(),
    "stream": over_udp(truncated()) | over_tcp(mutated(2) | then_answer()),
    "twice": in_turn(mutated(3), mutated(6)) | then_answer(),
}


class Learnt(NamedTuple):
    """What a caller can see of an outcome."""

    status: str
    addresses: tuple[str, ...]
    canonical_name: str
    rcode: int | None
    server: str
    transport: str


def compare(server: Server, count: int) -> tuple[dict[int, Learnt], list[str]]:
    """What comes of so many questions whose replies are mutated, by number, and where the lanes differ.

    A mutation that writes an octet of the id leaves it as it was one time in 256, whatever the lane: so what
    differs is asked for again, and has to differ again.
    """
    numbers: Sequence[int] = range(count)
    learnt: dict[int, Learnt] = {}
    found: list[str] = []
    for _ in range(3):
        one, other = (_of_mutated_replies(lane, server, numbers) for lane in LANES)
        learnt = learnt or one
        numbers = [number for number in numbers if one.get(number) != other.get(number)]
        found = [
            f"{number}: {one.get(number)} on one lane, {other.get(number)} on the other" for number in numbers
        ]
        if not found:
            break
    return learnt, found


def _of_mutated_replies(lane: str, server: Server, wanted: Sequence[int]) -> dict[int, Learnt]:
    """What comes of these questions on one lane: a question meets the same mutations each time."""
    server.reset(ZONE)
    for kind, fault in MUTATIONS.items():
        server.fault(f"*.{kind}.example.", fault)
    hub = NativeHub.of_this_thread()
    learnt: dict[int, Learnt] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gdns.turns.LANES", lane)
        stub = Stub(hub, Servers([ServerAddress.parse(server.address)]), timeout=TIMEOUT, attempts=1)
    try:
        kinds = tuple(MUTATIONS)
        numbers = iter(wanted)

        def work() -> None:
            for number in numbers:
                name = f"n{number}.{kinds[number % len(kinds)]}.example."
                learnt[number] = _ask(stub, Question(name, AAAA if number % 3 == 0 else A))

        ends_at = time.monotonic() + PATIENCE
        tasks = [hub.spawn(partial(work)) for _ in range(IN_FLIGHT)]
        hub.join(*tasks, timeout=ends_at - time.monotonic())
    finally:
        stub.close()
    return learnt


def _ask(stub: Stub, question: Question) -> Learnt:
    outcome = stub.query(question)
    reply = outcome.reply
    return Learnt(
        outcome.status.value,
        outcome.addresses,
        "" if reply is None else reply.canonical_name,
        outcome.rcode,
        outcome.server,
        outcome.transport,
    )
