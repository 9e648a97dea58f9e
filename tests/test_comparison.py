"""What the comparison says of others, and of us, is what happens."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from tests.parity.world import is_permitted

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "comparison.md").read_text()
HOSTS = "127.0.0.1 localhost\n192.0.2.99 inhosts.example\n"
INSIDE = 'ip link set lo up && mount --bind "$0" /etc/hosts && exec "$@"'


def is_of_the_page(package: str) -> bool:
    """Whether the version installed is that which the page speaks of."""
    try:
        return f"{package} {version(package)}" in PAGE
    except PackageNotFoundError:
        return False


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What came of each question, by resolver."""
    if not is_permitted():
        pytest.skip("namespaces cannot be made here")
    if not all(is_of_the_page(package) for package in ("gevent", "eventlet", "dnspython", "aiodns")):
        pytest.skip("the page speaks of other versions than those installed")
    hosts = tmp_path_factory.mktemp("etc") / "hosts"
    hosts.write_text(HOSTS)
    done = subprocess.run(
        ["unshare", "-rmn", "sh", "-c", INSIDE, str(hosts), sys.executable, "-m", "tests.comparing"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def cells(answers):
    """What the page has to say of a resolver, row by row."""
    assert "error" not in answers, answers["error"]

    def said(answer):
        return "found" if re.fullmatch(r"192\.0\.2\.\d+", answer) else answer

    return [
        str(answers["queries"][0]),
        str(answers["queries"][1]),
        said(answers["hosts"]),
        said(answers["missing"]),
        said(answers["failing"]),
        said(answers["garbled"]),
        "at once" if answers["before"] == 0 else "waits",
    ]


def test_the_table_of_the_comparison_is_what_happens(found):
    table = PAGE[PAGE.index("| | gdns |") :].split("\n\n")[0].splitlines()
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    written = {name: [row[column] for row in rows] for column, name in enumerate(head) if name}
    assert written == {name: cells(found[name]) for name in written}


def test_gevents_dnspython_resolver_sends_nothing(found):
    assert found["gevent dnspython"]["queries"] == [0, 0]
    assert found["gevent dnspython"]["again"] == ["gaierror -3"] * 2
