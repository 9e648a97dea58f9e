"""Whatever is typed, the gdns command ends with a status that is documented, and shows no traceback."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gdns.cli import VERBS, grammar, plus, serve
from gdns.cli.usage import UsageError
from gdns.testing import Server
from tests.command import call

STATUSES = {0, 1, 2, 3}
NAMES = ("www.example", "nowhere.example", "example.", "a" * 64, "a..b", "bücher.example", "\udcff.x", "")
TYPES = ("MX", "txt", "ANY", "AXFR", "TYPE65280", "TYPE65536", "CH", "CLASS9")
OPTIONS = ("--", "-x", "-t", "-c", "-q", "-4", "-6", "--json", "--color", "--tcp", "-h", "-5", "--frob")
PLUS = ("subnet=192.0.2.0/24", "subnet=x", "ndots=2", "domain=example", "domain=a..b", "edns=0", "", "no")
WORDS = (
    *(*NAMES, *TYPES, *OPTIONS, "always", "192.0.2.80", "2001:db8::80", "--json=1"),
    *(f"+{name}" for name in (*plus.PLUS, *plus.REFUSED, *PLUS)),
    *(f"+no{name}" for name in plus.PLUS),
)
words = st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=6)), max_size=7)
FEW = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,  # what is found by chance belongs to whoever looks for it, not to the next change
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@FEW
@given(words)
def test_any_words_of_a_lookup_end_well(zone_server: Server, typed: list[str]) -> None:
    quick = [f"@{zone_server.address}", "--timeout=0.2", "--attempts=1"]
    mine = [word for word in typed if not word.startswith("@")]  # nobody else is to be asked
    done = call(*quick, *mine)
    assert done.status in STATUSES, done.err
    assert "Traceback" not in done.err
    if done.status == 2:
        assert done.out == ""
        assert done.err.startswith("gdns: ")


@FEW
@given(words)
def test_any_words_are_a_request_or_refused(typed: list[str]) -> None:
    try:
        grammar.read([word for word in typed if word not in ("-h", "-v")], {"MX", "TXT", "ANY"}.__contains__)
    except UsageError as error:
        assert str(error)  # noqa: PT017 - either is right
    except SystemExit:
        pass  # the help, by way of several short options in one word


@FEW
@given(
    st.lists(
        st.sampled_from([*NAMES, "-4", "--json", "192.0.2.1", "localhost", "--color=always"]), max_size=4
    )
)
def test_any_words_after_explain_end_well(zone_server: Server, typed: list[str]) -> None:
    done = call("explain", f"@{zone_server.address}", "--timeout=0.2", "--attempts=1", *typed)
    assert done.status in STATUSES, done.err
    assert "Traceback" not in done.err


@FEW
@given(
    st.lists(
        st.one_of(st.sampled_from(["a=192.0.2.1", "a=b", "{", '{"a":{}}', "[]", "="]), st.text(max_size=8))
    )
)
def test_any_zones_are_read_or_refused(typed: list[str]) -> None:
    try:
        serve.read_zones(typed)
    except UsageError as error:
        assert str(error)  # noqa: PT017 - either is right


@pytest.mark.parametrize("verb", VERBS)
def test_options_that_a_verb_does_not_have_get_one_line(verb: str) -> None:
    done = call(verb, "--frobnicate", "x", "y")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"gdns {verb}: ")
    assert done.err.endswith(f"(see gdns {verb} --help)\n")


@pytest.mark.parametrize(
    "make", [lambda: "\x00", lambda: "a" * 100_000, lambda: "\n\n", lambda: "%s%n{}", lambda: "-" * 50]
)
def test_odd_words_are_told_in_one_line_of_what_can_be_printed(
    zone_server: Server, make: Callable[[], str]
) -> None:
    done = call(f"@{zone_server.address}", "--attempts=1", make())
    assert done.status in STATUSES
    assert done.err.rstrip("\n").isprintable()
