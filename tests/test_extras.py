"""What is said where a package that only some programs need is missing."""

from __future__ import annotations

import doctest
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gdns import extras

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NEEDED = [
    ("prometheus_client", "metrics", "import gdns.metrics"),
    ("gevent", "gevent", "import gdns.gevent"),
    ("eventlet", "eventlet", "import gdns.eventlet"),
    ("idna", "idna", "import gdns; gdns.Resolver(idna=2008)"),
]
WITHOUT = """\
import sys

class Absent:
    def find_spec(self, name, path, target=None):
        if name == sys.argv[1]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""


@pytest.mark.parametrize(("package", "extra", "program"), NEEDED)
def test_a_missing_package_is_told_of_with_the_extra_that_brings_it(package, extra, program):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT + program, package], cwd=ROOT, capture_output=True, text=True
    )
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: "), done.stderr
    assert last.endswith(f": pip install '{PROJECT['name']}[{extra}]'")
    assert package in last
    assert extra in PROJECT["optional-dependencies"]


def test_the_example_in_the_docstring_is_right():
    assert doctest.testmod(extras) == (0, 1)
