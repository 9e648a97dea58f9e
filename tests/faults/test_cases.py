"""Every line of the table, on both hubs."""

from __future__ import annotations

import pytest

from tests.faults.cases import CASES
from tests.faults.conftest import SLACK, Result


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.id for case in CASES])
def test_a_lookup_ends_in_time_with_what_it_should(results: list[Result], number: int) -> None:
    result = results[number]
    case = result.case
    assert result.ends == 1, "it never ended"
    assert result.word in case.expected, f"{result.detail} ({case.rule})"
    assert result.elapsed < case.budget + SLACK, case.rule
    assert result.innocent in result.allowed, "the look-up after it"
