"""Mutated replies through the whole resolver, on both hubs: 20,000 in a run, the same ones each time."""

from __future__ import annotations

import pytest

from tests.fuzz.mutations import run


@pytest.mark.parametrize("hub", ["native", "gevent"])
def test_mutated_replies_harm_nobody(hub: str) -> None:
    tally = run(hub, 10_000, seed=1)
    assert tally.wrong == [], str(tally)
    assert tally.words.total() == 10_000
    assert tally.innocent == 1_250
    assert tally.words["address"] > 100, "hardly any reply was believed: too much is mutated to test anything"
    assert tally.dropped["malformed"] > 1000
