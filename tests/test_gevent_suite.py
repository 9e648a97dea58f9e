"""gevent's own tests, which come in its wheel, end with gdns as they end with the system's resolver."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.parity import world  # noqa: E402
from tests.parity.gevents import MODULES  # noqa: E402

OURS = "gdns.gevent.Resolver"
ABOUT_DNS = MODULES[:5]
NEIGHBOURS = MODULES[5:]

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("gevent.tests") is None, reason="this gevent came without its tests"
    ),
    pytest.mark.skipif(
        not world.is_permitted(),
        reason="unshare(1) is refused, so there can be no private network for the names that gevent looks up",
    ),
]


def outcomes(resolver: str, modules: tuple[str, ...]) -> dict[str, str]:
    """What became of each test of these modules of gevent's."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.parity.gevents", resolver, *modules]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = [line.split(None, 1) for line in done.stdout.splitlines() if line]
    return dict(lines)


def passed(outcomes: dict[str, str]) -> int:
    return list(outcomes.values()).count("ok")


def test_the_tests_of_name_resolution_pass_as_with_the_systems_resolver_and_more_than_with_ares():
    ours = outcomes(OURS, ABOUT_DNS)
    assert {name: said for name, said in ours.items() if said not in ("ok", "skipped")} == {}
    assert passed(ours) > 1300
    assert ours == outcomes("thread", ABOUT_DNS)
    ares = outcomes("ares", ABOUT_DNS)  # which is granted leniency; a dotted path is not
    assert passed(ours) > passed(ares) + 200


def test_the_neighbouring_tests_end_as_with_the_systems_resolver():
    ours = outcomes(OURS, NEIGHBOURS)
    assert passed(ours) > 100
    theirs = outcomes("thread", NEIGHBOURS)
    worse = {name: said for name, said in ours.items() if said != "ok" and theirs.get(name) == "ok"}
    assert worse == {}
