"""The benchmarks' own correctness: a figure counts only if every answer was the right one."""

from __future__ import annotations

import json
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import guard, page, works, world
from benchmarks.field import Client, Field, Report
from benchmarks.programs import BUILD, ROOT, build, find_libcares, responder

NAMES, IN_FLIGHT = 60, 20
ASKS_RESOLV_CONF = ("glibc", "node lookup", "gevent thread pool", "eventlet greendns")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    build()
    with responder(least_window=2 * IN_FLIGHT) as responder_port:
        yield responder_port


def report_of(command: list[str], port: int, *more: int) -> Report:
    client = Client("under test", command)
    client.run(f"127.0.0.1:{port}", NAMES, IN_FLIGHT, *more)
    assert client.reports, client.complaint
    return client.reports[0]


def query_of(rdtype: int, *, flags: int = 0x0100) -> bytes:
    header = struct.pack("!6H", 4711, flags, 1, 0, 0, 0)
    return header + b"\x02n1\x05bench\x07example\x00" + struct.pack("!2H", rdtype, 1)


@pytest.fixture
def asker(port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connected:
        connected.settimeout(5.0)
        connected.connect(("127.0.0.1", port))
        yield connected


@pytest.mark.parametrize("call", ["A", "getaddrinfo"])
def test_every_client_that_can_be_told_whom_to_ask_gets_every_answer_right(port: int, call: str) -> None:
    clients = [
        client
        for client in Field().of(call).values()
        if not client.missing and not client.label.startswith(ASKS_RESOLV_CONF)
    ]
    assert len(clients) >= 8
    for client in clients:
        report = report_of(client.command, port)
        assert (report.lookups, report.answered, report.wrong) == (NAMES, NAMES, 0), client.label


# those that ask whom resolv.conf names have it in the driver's test
@pytest.mark.parametrize("label", [name for name in works.CACHES if not name.startswith(ASKS_RESOLV_CONF)])
def test_clients_that_know_a_name_know_it_right(port: int, label: str) -> None:
    client = Field().of("getaddrinfo")[label]
    if client.missing:
        pytest.skip(client.missing)
    client.run(f"127.0.0.1:{port}", NAMES, 1, 10)
    assert client.is_right, client.complaint
    assert client.reports[0].answered == NAMES


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if world.enter_with() is None or not shutil.which("ip"):
        pytest.skip("namespaces cannot be made here")
    output = tmp_path_factory.mktemp("benchmarks") / "results.json"
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "--tiny",
        "--no-peers",
        "--only",
        "g",
        "--output",
        str(output),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    found: dict[str, Any] = json.loads(output.read_text())
    assert done.returncode in (0, 1), done.stderr
    return found


def test_the_driver_measures_every_part_and_gdns_is_right_in_each(results: dict[str, Any]) -> None:
    assert {key.split("/")[0] for key in results["works"]} == {
        "A",
        "getaddrinfo",
        "cached getaddrinfo",
        "cached lookup",
        "growth",
        "one at a time",
        "bulk",
        "remote A",
        "remote getaddrinfo",
        "pending",
        "import",
    }
    for part, figures in results["works"].items():
        for label in ("gdns on gevent", "gdns on its own hub", "glibc in threads"):
            said = figures.get(label, {})
            assert (said.get("lost", 0), said.get("wrong", 0), said.get("complaint", "")) == (0, 0, ""), part
    lists = results["works"]["bulk"]
    assert [lists["gdns bulk/100"][word] for word in ("lookups", "lost", "wrong")] == [100, 0, 0]


def test_the_page_has_a_value_for_everything_that_was_measured(results: dict[str, Any]) -> None:
    template = page.TEMPLATE.read_text()
    text = page.render(results, template)
    assert "{{" not in text
    assert "**gdns on gevent**" in text
    assert "| `import gdns` | under 25 ms |" in text


def test_the_page_is_what_the_template_makes_of_the_committed_figures() -> None:
    figures = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    assert (ROOT / "docs" / "performance.md").read_text() == page.render(figures, page.TEMPLATE.read_text())


def test_every_picture_of_the_page_is_there() -> None:
    text = (ROOT / "docs" / "performance.md").read_text()
    pictures = [line.split()[1] for line in text.splitlines() if line.startswith("```{image}")]
    assert len(pictures) == 6
    assert [name for name in pictures if not (ROOT / "docs" / name).exists()] == []


def test_pictures_are_the_same_for_the_same_figures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    drawn = []
    for folder in ("one", "two"):
        command = [
            sys.executable,
            "-m",
            "benchmarks.plots",
            "benchmarks/results.json",
            str(tmp_path / folder),
        ]
        subprocess.run(command, cwd=ROOT, check=True)
        drawn.append({path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()})
    assert drawn[0] == drawn[1]


def test_a_client_that_fails_says_why_instead_of_reporting(port: int) -> None:
    client = Client("under test", [str(BUILD / "packets"), "MX"])
    client.run(f"127.0.0.1:{port}", NAMES, IN_FLIGHT)
    assert client.has_failed
    assert client.complaint == "MX: neither A nor getaddrinfo"
    assert not client.reports


def test_a_client_that_never_ends_is_ended_and_says_so() -> None:
    client = Client("under test", ["sh", "-c", "exec sleep 60"])
    client.run("127.0.0.1:53", NAMES, IN_FLIGHT, limit=0.1)
    assert client.complaint == "not done within 0 s"


def test_ratios_compare_runs_of_the_same_repetition() -> None:
    figures = {
        "one": {"cpu_us_per_lookup": [20.0, 90.0, 10.0]},
        "other": {"cpu_us_per_lookup": [10.0, 45.0, 4.0]},
    }
    assert page.ratio(figures, "one", "other") == 2.0


def test_a_goal_is_reached_or_not_by_its_figure_alone() -> None:
    def results_with(milliseconds: float) -> dict[str, Any]:
        return {"works": {"A/1000": {}, "import": {"gdns": {"median": milliseconds}}}}

    assert "| `import gdns` | under 25 ms | 24.0 ms | yes |" in page.goals_table(results_with(24.0))
    assert "| `import gdns` | under 25 ms | 26.0 ms | **no** |" in page.goals_table(results_with(26.0))
    assert "| A, 100 in flight | at most 1/7 of gevent ares | - | not measured |" in page.goals_table(
        results_with(24.0)
    )


def test_the_responder_has_no_other_types(asker: socket.socket) -> None:
    query = query_of(rdtype=15)
    asker.send(query)
    reply = asker.recv(512)
    assert struct.unpack("!6H", reply[:12]) == (4711, 0x8180, 1, 0, 0, 0)
    assert reply[12:] == query[12:]


def test_the_responder_drops_what_is_no_query(asker: socket.socket) -> None:
    whole = query_of(rdtype=1)
    for junk in (b"", bytes(11), query_of(rdtype=1, flags=0x8180), whole[:-1], whole[:12] + b"\xff" * 40):
        asker.send(junk)
    query = query_of(rdtype=16)
    asker.send(query)
    assert asker.recv(512)[12:] == query[12:]


def test_the_responder_holds_its_answers_until_it_is_asked_for_a_text() -> None:
    build()
    with (
        responder("127.0.0.1:0", "held") as port,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker,
    ):
        asker.connect(("127.0.0.1", port))
        asker.settimeout(5.0)
        for rdtype in (1, 28, 16):
            asker.send(query_of(rdtype))
        replies = [asker.recv(512) for _ in range(3)]
        assert [len(reply) - len(query_of(1)) for reply in replies] == [16, 28, 0]
        asker.send(query_of(1))
        assert len(asker.recv(512)) == len(replies[0])


def test_the_responder_answers_in_groups() -> None:
    build()
    with (
        responder("127.0.0.1:0", "3") as port,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker,
    ):
        asker.connect(("127.0.0.1", port))
        asker.send(query_of(1))
        asker.send(query_of(1))
        asker.settimeout(0.05)
        with pytest.raises(TimeoutError):
            asker.recv(512)
        asker.send(query_of(1))
        asker.settimeout(5.0)
        assert len([asker.recv(512) for _ in range(3)]) == 3


def test_the_responder_ends_with_its_driver() -> None:
    build()
    with subprocess.Popen(
        [BUILD / "responder", "127.0.0.1:0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["port"] > 0
        process.stdin.close()
        assert process.wait(timeout=5) == 0


def test_the_guard_calls_a_tenth_more_a_failure_and_a_new_case_none() -> None:
    lines = guard.compare({"hit": 111, "A": 109, "less": 80, "other": 5}, {"hit": 100, "A": 100, "less": 100})
    assert [line.split("%")[-1].strip() for line in lines[:3]] == ["MORE", "", "less: --update"]
    assert lines[3].endswith("new")


def test_the_guard_has_a_baseline_of_every_case() -> None:
    baselines = json.loads(guard.BASELINE.read_text())
    expected = {f"{hub}: {case}" for hub in guard.HUBS for case in guard.CASES}
    assert baselines
    assert [name for name, counts in baselines.items() if set(counts) != expected] == []


def test_the_reference_is_the_c_ares_that_gdns_uses() -> None:
    from gdns import _libcares

    assert find_libcares().samefile(_libcares.library_file())
