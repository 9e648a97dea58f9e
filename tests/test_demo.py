"""The demo: what it looks up, what it measures, and what it shows of that."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gdns.cli import demo, stage, table, workload
from gdns.cli.workload import ANSWERED, FAILED, NEGATIVE, Lookup, Measurement, plan, run
from gdns.testing import Server, rcode

ROOT = Path(__file__).parent.parent
PATIENCE = 60.0  # seconds after which a test fails rather than waits on
RRSETS = [("*.wild.example.", "A", 1), ("mail.example.", "MX", 2), ("www.example.", "A", 1)]
SLOW = ["slow1.example.", "slow2.example."]


def run_demo(*words: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """A small demo, started by the words `before`."""
    command = [*before, sys.executable, "-m", "gdns", "demo", "--names", "240", "--greenlets", "60", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)


def figures(shown: str) -> dict[tuple[str, str], tuple[str, str]]:
    """The table's cells for gdns and for the blocking functions, by the labels of their rows."""
    found = {}
    first = ""
    for line in shown.splitlines():
        *labels, ours, theirs = ["", "", *re.split(r" {2,}", line.strip())]
        if len(labels) < 3:
            continue  # not of the table, or its header
        is_continued = line.startswith(" " * 8)
        first = first if is_continued else labels[2]
        found[first, labels[2] if is_continued else "".join(labels[3:])] = (ours, theirs)
    return found


def milliseconds(cell: str) -> float:
    return float(cell.removesuffix(" ms").replace(",", ""))


# What is looked up


def test_the_functions_take_turns_and_wildcards_get_new_names() -> None:
    assert plan(RRSETS, [], 9) == [
        Lookup("getaddrinfo", "a1.wild.example."),
        Lookup("gethostbyname", "b1.wild.example."),
        Lookup("resolve", "c1.wild.example.", "A"),
        Lookup("getaddrinfo", "www.example."),
        Lookup("gethostbyname", "www.example."),
        Lookup("resolve", "mail.example.", "MX"),
        Lookup("getaddrinfo", "a3.wild.example."),
        Lookup("gethostbyname", "b3.wild.example."),
        Lookup("resolve", "www.example.", "A"),
    ]


def test_every_slow_name_is_looked_up_once_between_the_others() -> None:
    rrsets = [*RRSETS, *((name, "A", 1) for name in SLOW)]
    names = [lookup.name for lookup in plan(rrsets, SLOW, 11)]
    assert len(names) == 11
    assert [names.index(name) for name in SLOW] == [3, 6]
    assert all(names.count(name) == 1 for name in SLOW)


def test_what_dnspython_would_need_long_to_read_is_not_resolved() -> None:
    rrsets = [("huge.example.", "A", 250), ("www.example.", "A", 1)]
    lookups = plan(rrsets, [], 30)
    assert Lookup("getaddrinfo", "huge.example.") in lookups
    assert Lookup("resolve", "huge.example.", "A") not in lookups


def test_zones_without_a_host_make_no_lookups() -> None:
    assert plan([("example.", "SOA", 1)], [], 30) == plan([("example.", "SOA", 1)], ["slow."], 30) == []


@pytest.mark.parametrize(
    "zones", [stage.BUILT_IN_ZONES, str(stage.CHECKOUT_ZONES)], ids=["built in", "checkout"]
)
def test_the_demos_zones_can_be_served(zones: stage.ZoneSource) -> None:
    with stage.serve(zones) as server:
        assert len(plan(server.rrsets, stage.SLOW_NAMES, 100)) == 100


# What is measured


def test_verdicts_are_counted_by_function() -> None:
    verdicts = {"www.example.": ANSWERED, "none.example.": NEGATIVE, "dead.example.": FAILED}
    lookups = [Lookup(function, name) for function in workload.FUNCTIONS for name in verdicts]
    measured = run(lookups, lambda lookup: verdicts[lookup.name], greenlets=4)
    assert measured.verdicts == {
        function: {ANSWERED: 1, NEGATIVE: 1, FAILED: 1} for function in workload.FUNCTIONS
    }
    assert measured.total == 9


def test_a_lookup_that_blocks_is_seen_as_a_gap() -> None:
    def block(lookup: Lookup) -> str:
        time.sleep(0.05)
        return ANSWERED

    measured = run([Lookup("getaddrinfo", "www.example.")], block, greenlets=2)
    assert 0.05 <= measured.longest_gap <= measured.stood_still <= measured.elapsed


def test_an_error_in_a_worker_is_not_taken_for_the_end() -> None:
    def stumble(lookup: Lookup) -> str:
        raise LookupError(lookup.name)

    with pytest.raises(LookupError):
        run([Lookup("getaddrinfo", "www.example.")], stumble, greenlets=1)


# What is shown


def test_a_table_is_plain_text_where_rich_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    table.show(("", "", "left", "right"), [[("one", "two", "3", "4")], [("", "five", "6", "7,000")]])
    assert capsys.readouterr().out == (
        "\n           left  right\n\none  two      3      4\n\n     five     6  7,000\n\n"
    )


def test_the_example_of_the_plain_table_works() -> None:
    assert doctest.testmod(table).failed == 0


def test_the_demo_ends_with_a_table_of_both_runs() -> None:
    demos = []
    for _ in range(3):
        done = run_demo()
        assert (done.returncode, done.stderr) == (0, "")
        demos.append(figures(done.stdout))
        if milliseconds(demos[-1]["longest hub gap", ""][0]) < 20:
            break
    shown = demos[-1]
    assert shown["all", "asked"][0] == "240"
    functions = workload.FUNCTIONS
    assert sum(int(shown[function, "asked"][0]) for function in functions) == 240
    assert [shown[function, "failed"][0] for function in functions] == ["0", "0", "0"]
    assert all(int(shown[function, "answered"][0]) > 40 for function in functions)
    assert min(milliseconds(cells["longest hub gap", ""][0]) for cells in demos) < 3 * 20
    blocked = shown["longest hub gap", ""][1]
    if blocked == "not run":
        pytest.skip("namespaces are refused here")
    assert milliseconds(blocked) >= 300
    assert shown["all", "asked"][1] == "240"
    assert milliseconds(shown["hub stood still", ""][1]) >= 8 * 300


@pytest.fixture(scope="session")
def without_namespaces() -> tuple[str, ...]:
    """The words that begin a command which may make no namespaces."""
    limit = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    words = ("unshare", "--user", "--map-root-user", "sh", "-c", limit, "sh")
    is_possible = subprocess.run([*words, "true"], capture_output=True).returncode == 0
    return words if is_possible else ()  # none may be made anyway


def test_where_namespaces_are_refused_the_demo_says_so_and_goes_on(
    without_namespaces: tuple[str, ...],
) -> None:
    done = run_demo(before=without_namespaces)
    assert (done.returncode, done.stderr) == (0, "")
    shown = figures(done.stdout)
    assert shown["all", "asked"] == ("240", "not run")
    assert "The blocking lookups were not run: namespaces are refused" in " ".join(done.stdout.split())


def test_the_demo_takes_other_zones(tmp_path: Path, without_namespaces: tuple[str, ...]) -> None:
    (tmp_path / "other.zone").write_text(
        "$ORIGIN other.test.\n@ 60 SOA ns root 1 1 1 1 1\nwww 60 A 192.0.2.1\n"
    )
    done = run_demo("--zones", str(tmp_path), before=without_namespaces)
    assert (done.returncode, done.stderr) == (0, "")
    assert figures(done.stdout)["getaddrinfo", "negative"][0] == "0"


def test_zones_without_an_address_are_refused(tmp_path: Path) -> None:
    (tmp_path / "texts.zone").write_text("$ORIGIN t.test.\n@ 60 SOA ns root 1 1 1 1 1\n")
    done = run_demo("--zones", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "no name there has an address" in done.stderr


@pytest.mark.parametrize("words", [["--zones", "/nowhere"], ["--greenlets", "0"], ["www.example"]])
def test_bad_words_after_the_verb_get_one_line(words: list[str]) -> None:
    done = run_demo(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"gdns demo: .*\(see gdns demo --help\)\n", done.stderr)


def test_a_server_that_is_down_counts_as_failure(dns_server: Server) -> None:
    dns_server.stop_listening()
    try:
        measured = demo.measure(dns_server.address, [Lookup("gethostbyname", "www.example.")], 1)
    finally:
        dns_server.resume()
    assert measured.verdicts["gethostbyname"][FAILED] == 1


def test_the_verdicts_of_resolve_are_those_of_the_others(dns_server: Server) -> None:
    dns_server.fault("failing.example.", rcode("SERVFAIL"))
    names = ("failing.example.", "none.example.")
    measured = demo.measure(dns_server.address, [Lookup("resolve", name, "MX") for name in names], 1)
    assert measured.verdicts["resolve"] == {ANSWERED: 0, FAILED: 1, NEGATIVE: 1}


def test_figures_that_are_missing_are_shown_as_not_run() -> None:
    counts = {function: {ANSWERED: 1, NEGATIVE: 0, FAILED: 0} for function in workload.FUNCTIONS}
    groups = demo.rows(Measurement(counts, 1.5, 0.0042, 0.0), "no namespaces")
    assert ("all", "asked", "3", "not run") in groups[-2]
    assert ("longest hub gap", "", "4.2 ms", "not run") in groups[-1]
