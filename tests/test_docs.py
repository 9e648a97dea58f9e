"""What the pages in docs/ say of the code is true of it."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import gdns
import gdns.testing
from gdns import errors, records, resolvconf
from gdns.hubs import NativeHub
from gdns.testing import Server
from tests.faults.cases import CASES

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
TESTS = ROOT / "tests"


def page(name: str) -> str:
    return (DOCS / name).read_text()


# --- tests


def names_of_tests(path: Path) -> set[str]:
    """The names of the tests in a file, or in a folder; cases of a table by their own names."""
    files = sorted(path.rglob("test_*.py")) if path.is_dir() else [path]
    found = {
        node.name
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    return found | {case.id for case in CASES} if path == TESTS / "faults" / "test_cases.py" else found


def test_every_test_that_the_features_name_exists():
    named = re.findall(r"`((?:\w+/)?test_\w+\.py)::(\w+)`", page("features.md"))
    assert len(named) > 60
    assert [(file, test) for file, test in named if test not in names_of_tests(TESTS / file)] == []


def test_every_feature_that_is_built_names_a_test_and_every_pain_is_there():
    rows = [line.strip("| \n").split(" | ") for line in page("features.md").splitlines() if line[:2] == "| "]
    assert [row for row in rows if row[-1] != "checked by" and "::" not in row[-1]] == []
    assert [int(row[0]) for row in rows if row[0].isdigit()] == list(range(1, 26))


def test_every_module_that_the_features_name_exists():
    rows = [line.split(" | ") for line in page("features.md").splitlines() if line[:2] == "| "]
    modules = {word for row in rows if len(row) == 5 for word in re.findall(r"`(\w+)`", row[3])}
    modules |= {word for row in rows if len(row) == 3 for word in re.findall(r"^`(\w+)`", row[1])}
    found = {path.stem for path in (ROOT / "gdns").glob("*.py*")} | {
        path.parent.name for path in (ROOT / "gdns").glob("*/__init__.py")
    }
    assert len(modules) > 20
    assert modules - found == set()


def test_every_test_that_the_guarantees_name_exists():
    named = re.findall(r"`(tests/[\w/.]+?)(?: -k (\"[^\"]+\"|\w+))?`", page("guarantees.md"))
    assert len(named) > 20
    for file, chosen in named:
        path = ROOT / file
        assert path.exists(), file
        names = [name.lower() for name in names_of_tests(path)]
        assert names, file
        for word in re.split(r" (?:or|and|not) ", chosen.strip('"')) if chosen else ():
            assert any(word.lower() in name for name in names), f"{file} -k {word}"


def test_there_are_seventeen_guarantees_and_each_names_its_test():
    guarantees = re.split(r"^(?=\*\*\d+\. )", page("guarantees.md"), flags=re.MULTILINE)[1:]
    assert [int(re.match(r"\*\*(\d+)", text)[1]) for text in guarantees] == list(range(1, 18))
    assert [text for text in guarantees if "`tests/" not in text] == []


def test_the_search_list_of_a_cluster_costs_its_queries_once_and_counts_them(run_all):
    suffixes = ("shop.svc.cluster.example", "svc.cluster.example", "cluster.example")
    with (
        Server({"api.example.": {"A": "192.0.2.7"}, "cluster.example.": {}}) as server,
        gdns.Resolver([server.address], search=suffixes, ndots=5) as resolver,
    ):
        for _ in range(3):
            run_all([lambda: resolver.lookup("api.example")] * 20)
        assert resolver.stats()["in_vain"] == 2 * len(suffixes)
        assert server.query_count == 2 * len(suffixes) + 2
