"""The program of docs/how-to/dask.md, run as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("distributed")

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "dask.md"


def test_the_program_of_the_guide_resolves_a_list_on_a_local_cluster(tmp_path):
    found = re.search(r"```py\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    program = tmp_path / "program.py"  # a file, for workers import it
    program.write_text(found[1])
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:3] == ["401", "400", "['missing.example']"], done.stderr
