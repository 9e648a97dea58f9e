"""Every fault of the table, and every mutated reply, has the same outcome on both lanes."""

from __future__ import annotations

import pytest

from gdns.testing import Server
from tests.conftest import NativeRunner
from tests.faults.cases import CASES
from tests.faults.conftest import Result, cast_of_servers, go_through
from tests.lanes.outcomes import LANES, compare

COUNT = 3_000
BY_CHANCE = {"lossy", "flapping"}  # servers that do not do the same each time

__all__ = ["cast_of_servers"]  # a fixture


def test_mutated_replies_are_read_alike() -> None:
    with Server(seed=11) as server:
        all_learnt, differing = compare(server, COUNT)
    assert differing == []
    assert len(all_learnt) == COUNT
    statuses = {learnt.status for learnt in all_learnt.values()}
    assert {"answer", "NODATA", "failed"} <= statuses, "hardly anything is mutated"
    assert {learnt.transport for learnt in all_learnt.values()} == {"udp", "tcp"}


def words(lane: str, numbers: list[int], servers: dict[str, Server], time: int) -> list[str]:
    """What came out of these cases on one lane."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gdns.turns.LANES", lane)
        results = [Result(number, CASES[number]) for number in numbers]
        for result in results:
            result.begin_anew(time)
        go_through(NativeRunner(), results, servers)
    return [f"{result.word}, then {result.innocent}" for result in results]


def test_every_fault_of_the_table_has_the_same_outcome(cast_of_servers: dict[str, Server]) -> None:
    numbers = [number for number, case in enumerate(CASES) if not BY_CHANCE & set(case.servers)]
    assert len(numbers) > 500
    told: dict[str, tuple[str, str]] = {}
    for again in range(3):  # what a busy machine has spoilt is asked again; what differs stays different
        ones, others = (
            words(lane, numbers, cast_of_servers, 10 + 2 * again + place) for place, lane in enumerate(LANES)
        )
        differing = [
            (number, one, other)
            for number, one, other in zip(numbers, ones, others, strict=True)
            if one != other
        ]
        numbers = [number for number, _, _ in differing]
        told = {CASES[number].id: (one, other) for number, one, other in differing}
        if not told:
            return
    pytest.fail(f"the lanes differ: {told}")
