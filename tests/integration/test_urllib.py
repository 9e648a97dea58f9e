"""The program gevent is known by: urlopen, unchanged, in many greenlets."""

from __future__ import annotations

import pytest

from tests.integration.conftest import DELAY, asked

PROGRAM = """
import urllib.request

def fetch(name):
    with urllib.request.urlopen(f"http://{name}:{sys.argv[1]}/", timeout=30) as page:
        return page.read().decode().partition(":")[0]

names = [f"n{number % 40}.web.example" for number in range(120)]
# measured
greenlets = [gevent.spawn(fetch, name) for name in names]
gevent.joinall(greenlets, raise_error=True)
said = [greenlet.value for greenlet in greenlets] == names
"""


@pytest.mark.parametrize("loop", ["libev-cext", "libuv-cffi"])
def test_urlopen_of_many_urls_at_once_asks_once_for_each_host_and_stops_nobody(run_app, names, web, loop):
    done = run_app(PROGRAM, web, GEVENT_LOOP=loop)
    assert done.said is True
    assert done.longest_gap < DELAY / 2
    for number in range(40):
        assert asked(names, f"n{number}.web.example.") == ["A", "AAAA"]
    assert len(names.questions) == 80


def test_one_environment_variable_switches_a_patched_program_over(names, web):
    """The same program without the plugin does not find these names: they are gdns' server's alone."""
    import os
    import subprocess
    import sys

    program = (
        "from gevent import monkey\nmonkey.patch_all()\nimport urllib.request\n"
        f"print(urllib.request.urlopen('http://a.web.example:{web}/', timeout=30).read())"
    )
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("GEVENT", "GDNS"))}
    environ["GEVENT_RESOLVER_NAMESERVERS"] = names.address
    without = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, timeout=60)
    assert b"socket.gaierror" in without.stderr
    environ["GDNS_AUTO"] = "1"
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, timeout=60)
    assert done.stdout.startswith(b"b'a.web.example"), done.stderr
