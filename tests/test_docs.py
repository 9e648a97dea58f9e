"""What the pages in docs/ say of the code is true of it."""

from __future__ import annotations

import ast
import graphlib
import importlib.util
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from prometheus_client import CollectorRegistry, generate_latest

import gdns
import gdns.testing
from gdns import errors, resolvconf
from gdns.metrics import Collector
from gdns.outcome import Status
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
        run_all([lambda: resolver.lookup("api.example")])
        assert resolver.stats()["in_vain"] == 2 * len(suffixes)
        run_all([lambda: resolver.lookup("api.example")] * 20)
        assert resolver.stats()["in_vain"] == 2 * len(suffixes)  # the cache knew
        resolver.flush()
        server.clear()
        run_all([lambda: resolver.lookup("api.example")] * 20)
        assert server.query_count == 2 * len(suffixes) + 2


# --- reference


def first_cells(text: str) -> set[str]:
    """What stands in code in the first cell of the rows of all tables."""
    return {
        word
        for line in text.splitlines()
        if line[:3] == "| `"
        for word in re.findall(r"`([^`]+)`", line.split("|")[1])
    }


def test_the_api_page_has_every_public_name():
    named = set(re.findall(r"\.\. auto\w+:: ([\w.]+)", page("reference/api.md")))
    assert set(gdns.__all__) - named == {"__version__"}
    public = {name for name in vars(gdns.Resolver) if not name.startswith("_")}
    methods = set(re.findall(r"automethod:: (\w+)", page("reference/api.md")))
    assert public == methods | (set(gdns.__all__) & public)


def test_everything_public_has_a_docstring():
    objects = {name: getattr(gdns, name) for name in gdns.__all__ if name != "__version__"}
    objects |= {name: value for name, value in vars(gdns.Resolver).items() if not name.startswith("_")}
    objects |= {name: getattr(gdns.testing, name) for name in gdns.testing.__all__ if name != "MALFORMED"}
    assert [name for name, value in objects.items() if not (value.__doc__ or "").strip()] == []


def test_the_settings_page_has_every_argument_option_and_variable():
    text = page("reference/settings.md")
    arguments = set(inspect.signature(gdns.Resolver.__init__).parameters) - {"self"}
    assert arguments - first_cells(text) == set()
    options = {flag.decode().replace("_", "-") for flag in resolvconf._FLAGS} - {"inet6"}
    assert {option for option in options if option not in text} == set()
    source = "".join(file.read_text() for file in (ROOT / "gdns").rglob("*.py*") if file.suffix != ".pyc")
    variables = set(re.findall(r"GDNS_(?:DISABLE|LIBCARES|LANES|AUTO|WATCH)\b", source))
    variables |= set(re.findall(r"environ\.get\(\"(GDNS_\w+)", source))
    assert {name for name in variables if not re.search(rf"^\| `{name}", text, re.MULTILINE)} == set()


def test_the_defaults_on_the_settings_page_are_those_of_the_constructor():
    rows = [line.split(" | ") for line in page("reference/settings.md").splitlines() if line[:3] == "| `"]
    said = {row[0].strip("| `"): row[1] for row in rows}
    for name, parameter in inspect.signature(gdns.Resolver.__init__).parameters.items():
        if name != "self":
            default = {16 << 20: "16 MiB", "auto": '"auto"'}.get(parameter.default, parameter.default)
            default = f"{default:,.0f}" if type(default) in (int, float) and default > 9999 else default
            default = f"{default:g}" if type(default) is float else default
            assert re.fullmatch(rf"{re.escape(str(default))}( \(.+\))?", said[name]), name


def test_the_errors_page_has_the_numbers_and_texts_of_the_tables():
    text = page("reference/errors.md")
    for table in (errors.GAI_TEXTS, errors.HOST_TEXTS):
        for number, words in table.items():
            assert re.search(rf"^\| `(EAI_)?\w+` \| {number} \| {re.escape(words)} \|$", text, re.MULTILINE)
    for status in Status:
        row = re.search(rf"^\| `{status.value}` \|.*$", text, re.MULTILINE)
        assert row, status
        if status in errors.EAI_OF:
            name = next(
                key
                for key, value in vars(errors).items()
                if key[:4] == "EAI_" and value == errors.EAI_OF[status]
            )
            assert f"`{name}`" in row[0]


def test_the_page_of_numbers_has_every_key_and_every_metric():
    text = page("reference/stats.md")
    with Server({"www.example.": {"A": "192.0.2.7"}}) as server, gdns.Resolver([server.address]) as resolver:
        resolver.gethostbyname("www.example")
        stats = resolver.stats()
        registry = CollectorRegistry()
        registry.register(Collector(resolver))
        names = {
            line.split("{")[0].split()[0]
            for line in generate_latest(registry).decode().splitlines()
            if line[0] != "#"
        }
    keys = {*stats, *stats["cache"], *stats["servers"][0], *stats["dropped"]}
    assert keys - first_cells(text) == set()
    assert (
        names - set(re.findall(r"`(gdns_\w+)`", text)) - {"gdns_outcomes_total", "gdns_dropped_total"}
        == set()
    )


def test_the_page_on_testing_has_every_name():
    text = page("reference/testing.md")
    assert [name for name in gdns.testing.__all__ if not re.search(rf"`{name}\b", text)] == []
    members = [name for name in vars(Server) if not name.startswith("_")]
    assert [name for name in members if not re.search(rf"\b{name}\b", text)] == []


def test_the_trees_of_the_guide_to_explain_are_what_its_program_prints():
    text = page("how-to/explain.md")
    program = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    trees = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )

    def plain(words: str) -> str:
        return re.sub(r"127\.0\.0\.1:\d+|\d+\.\d ms|\d+\.\d s old|TTL \d+ s", "...", words)

    assert [tree for tree in trees if plain(tree) not in plain(done.stdout)] == []


# --- explanation


def drawing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_imports", DOCS / "draw_imports.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_of_the_imports_is_that_of_the_code():
    text = page("explanation/architecture.md")
    assert drawing().with_picture(text) == text, "run: python docs/draw_imports.py"


def test_imports_have_no_cycles():
    graphlib.TopologicalSorter(drawing().imports()).prepare()  # raises CycleError


def test_every_module_that_the_explanations_name_exists():
    found = {path.stem for path in (ROOT / "gdns").glob("*.py*")} | {
        path.parent.name for path in (ROOT / "gdns").glob("*/__init__.py")
    }
    cells = {
        word
        for line in page("explanation/architecture.md").splitlines()
        if line.count("|") == 4 and not line.startswith("| layer")
        for word in re.findall(r"`(\w+)`", line.split("|")[2])
    }
    assert cells - found - {"gdns", "socket", "Resolver"} == set()


def test_every_page_can_be_found_from_the_index():
    listed = set(re.findall(r"^([\w-]+/?[\w-]+)$", page("index.md"), re.MULTILINE))
    pages = {str(file.relative_to(DOCS).with_suffix("")) for file in DOCS.rglob("*.md")}
    assert pages - listed == {"index"}
