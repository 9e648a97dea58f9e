"""A short storm on each hub; `make chaos` is the long one."""

from __future__ import annotations

import subprocess
import sys


def test_no_lookup_is_lost_late_or_wrong_in_a_storm() -> None:
    storms = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.chaos", "--names", "3000", "--hub", hub],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for hub in ("native", "gevent")
    ]
    for storm in storms:
        said, complained = storm.communicate(timeout=120)
        assert storm.returncode == 0, said + complained
        assert complained == ""
