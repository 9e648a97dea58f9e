"""`gdns bench`: what look-ups cost here, in figures and as a picture."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gdns.cli import bench, chart
from gdns.testing import Server, silent
from tests.command import call

QUICK = ("--seconds", "0.05", "--lookups", "40")


def test_it_measures_against_a_server_of_its_own_and_draws(tmp_path: Path) -> None:
    picture = tmp_path / "bench.svg"
    done = call("bench", *QUICK, "--svg", str(picture))
    assert (done.status, done.err) == (0, "")
    assert "from the cache" in done.out
    assert len(re.findall(r"^of the server|^from the cache", done.out, re.MULTILINE)) == 1 + len(bench.STEPS)
    assert done.out.count("█") > len(bench.STEPS)
    drawn = ElementTree.fromstring(picture.read_text())
    marks = [mark for mark in drawn.iter() if mark.tag.endswith("circle")]
    assert len(marks) == len(bench.STEPS)


def test_another_server_is_asked_for_a_name_and_not_too_often(dns_server: Server) -> None:
    dns_server.add("www.example. 60 A 192.0.2.7")
    done = call("bench", f"@{dns_server.address}", "www.example", "--seconds", "5", "--json")
    figures = json.loads(done.out)
    assert [one["at_once"] for one in figures] == [1, 1, 4, 16]
    assert all(0 < one["lookups"] <= bench.MOST_OF_OTHERS and one["failed"] == 0 for one in figures)
    assert all(0 < one["median"] <= one["tail"] for one in figures)
    assert dns_server.query_count <= 3 * bench.MOST_OF_OTHERS + 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["@192.0.2.1", "a..example"], "is no host"),
        (["www.example"], "a name is for a server of yours"),
        (["@192.0.2.1"], "no name to ask @192.0.2.1 for"),
        (["--seconds", "0"], "0 is not a positive number of seconds"),
        ([*QUICK, "--svg", "/nowhere/x.svg"], "--svg /nowhere/x.svg: No such file or directory"),
    ],
)
def test_bad_words_get_one_line(words: list[str], said: str) -> None:
    done = call("bench", *words)
    assert (done.status, done.out) == (2, "")
    assert said in done.err


def test_a_server_that_is_silent_is_not_measured(dns_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    dns_server.fault(None, silent())
    monkeypatch.setenv("RES_OPTIONS", "timeout:1 attempts:1")
    dns_server.stop_listening()
    try:
        done = call("bench", f"@{dns_server.address}", "www.example", *QUICK)
    finally:
        dns_server.resume()
    assert (done.status, done.out) == (3, "")
    assert done.err == (
        "gdns: www.example: Temporary failure in name resolution; "
        "`gdns doctor` with the same words shows why\n"
    )


def test_bars_are_as_long_as_their_figures() -> None:
    one, two = chart.bars([("1", 50.0), ("16", 100.0)])
    assert (one.count("█"), two.count("█")) == (chart.WIDTH // 2, chart.WIDTH)
    assert chart.bars([]) == []


def test_however_short_the_time_each_measurement_has_a_look_up() -> None:
    done = call("bench", "--seconds", "1e-9", "--json")
    assert (done.status, done.err) == (0, "")
    assert all(one["lookups"] >= 1 for one in json.loads(done.out))


@pytest.mark.parametrize("most", [1.0, 9.99, 10.0, 12_226.0, 99_999.0, 0.03])
def test_the_steps_of_a_picture_are_round_and_few(most: float) -> None:
    tick = chart._tick(most)
    assert f"{tick:e}"[0] in "125"
    assert 1 <= most / tick <= 5
