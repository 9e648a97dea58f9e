"""The page of what the tests run names every module, and counts statements as they run."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import gdns
import gdns.contrib.psycopg
import gdns.policy
import gdns.testing
from tests.covered import compiled, functions, modules, page

ROOT = Path(__file__).parent.parent

SOURCE = '''\
cdef class Shelf:
    """Where books stand."""

    def find(
        self, title,
    ):
        if title:
            return self.of(
                title
            )
        raise KeyError

if TYPE_CHECKING:
    import books

cdef int count(list books) except? -1:
    return len(books)
'''


def test_the_page_names_every_module_and_none_that_is_gone():
    named = set(
        re.findall(r"^\| `([\w/]+\.\w+)` \|", (ROOT / "docs" / "coverage.md").read_text(), re.MULTILINE)
    )
    every = set(modules.compiled()) | set(modules.interpreted())
    assert every - named == set(), (
        "write rows by hand (`| `gdns/x.py` | | not yet measured | | | |`), or measure"
    )
    assert [
        module for module in named - every if not (module.endswith(".pxd") and (ROOT / module).exists())
    ] == []


def test_nothing_public_is_among_the_functions_that_no_test_entered():
    text = (ROOT / "docs" / "coverage.md").read_text()
    table = text.partition("| in | functions that no test entered |")[2].partition("\n\n")[0]
    idle = {name for row in table.splitlines()[2:] for name in re.findall(r"`([\w.]+)`", row.split("|")[2])}
    public = {*gdns.__all__, *gdns.testing.__all__, *gdns.policy.__all__, *gdns.contrib.psycopg.__all__}
    for kind in (gdns.Resolver, gdns.testing.Server, gdns.testing.Link, gdns.testing.FakeClock):
        public |= {f"{kind.__name__}.{name}" for name in vars(kind) if not name.startswith("_")}
    assert idle & public == set()


def test_a_statement_counts_where_it_begins_and_heads_and_docstrings_do_not():
    lines = {
        1: True,
        2: True,
        4: True,
        7: True,
        8: False,
        9: False,
        11: True,
        13: True,
        14: False,
        16: True,
        17: False,
    }
    assert compiled.folded(lines, SOURCE) == {7: True, 8: False, 11: True, 17: False}


def test_the_lines_that_never_ran_are_told_with_their_text(tmp_path):
    (tmp_path / "shelf.pyx").write_text(SOURCE)
    lines = {"shelf.pyx": {7: True, 8: False, 11: False, 17: True}}
    assert page.never(lines, tmp_path) == (
        "shelf.pyx:8:             return self.of(\nshelf.pyx:11:         raise KeyError\n"
    )


def test_the_examples_hold():
    assert [doctest.testmod(module).failed for module in (compiled, functions)] == [0, 0]
