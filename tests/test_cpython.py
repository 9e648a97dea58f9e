"""CPython's own tests of name resolution end as they do without us."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

sys.path.insert(0, str(ROOT))

from tests.parity import world  # noqa: E402

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("test.test_socket") is None,
        reason="CPython's tests are not installed (on Debian: libpython3-testsuite)",
    ),
    pytest.mark.skipif(not world.is_permitted(), reason="network and mount namespaces cannot be made here"),
]


def outcomes(whose: str) -> list[str]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.parity.cpython", whose]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_tests_of_test_socket_end_as_they_do_with_the_systems_functions():
    theirs = outcomes("system")
    assert any("getaddrinfo" in line for line in theirs)
    assert outcomes("gdns") == theirs
