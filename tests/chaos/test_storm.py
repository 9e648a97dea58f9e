"""A short storm on each hub; `python -m tests.chaos` is the long one."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("hub", ["native", "gevent"])
def test_no_lookup_is_lost_late_or_wrong_in_a_storm(hub: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--names", "3000", "--hub", hub],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
