"""gevent's own tests of name resolution, with a resolver of ours or of its own.

python -m tests.parity.gevents gdns.gevent.Resolver
python -m tests.parity.gevents thread [MODULE ...]

Prints a line for each test: its name, and "ok", "skipped" or the end of its traceback.
"""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import unittest
from collections.abc import Iterator

from tests.parity import world
from tests.parity.cases import HOSTS, Setting

MODULES = (
    "test__socket_dns",
    "test__socket_dns6",
    "test__getaddrinfo_import",
    "test__issue230",
    "test__destroy",
    "test__socket",
    "test__socket_ex",
    "test__socket_errors",
    "test__socket_timeout",
    "test__socket_close",
    "test__server",
    "test__greenness",
    "test__threading_no_monkey",
    "test__threadpool",
)
# the names that gevent's tests look up in the world, which here is this machine's loopback
RECORDS = (
    "www.gevent.org. 300 CNAME python-gevent.readthedocs.org.",
    "python-gevent.readthedocs.org. 300 CNAME readthedocs.io.",
    "readthedocs.io. 300 A 192.0.2.82",
    "82.2.0.192.in-addr.arpa. 300 PTR readthedocs.io.",
    "gevent.org. 300 A 192.0.2.83",
    "google.com. 300 A 192.0.2.84",
    "google.com. 300 AAAA 2001:db8::84",
    "example.com. 300 A 192.0.2.85",
    "aaaa.test-ipv6.com. 300 AAAA 2001:db8::86",
    "ipv6.google.com. 300 CNAME ipv6.l.google.com.",
    "ipv6.l.google.com. 300 AAAA 2001:db8::87",
    "7.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 300 PTR ipv6.l.google.com.",
    "ds.test-ipv6.com. 300 A 192.0.2.88",
    "ds.test-ipv6.com. 300 AAAA 2001:db8::88",
    "xn--d1abbgf6aiiy.xn--p1ai. 300 A 192.0.2.89",
)
HOSTS_FILE_ENTRIES = (
    250  # names and addresses of gevent's own hosts file that are looked up, each in five ways
)
PATIENCE = 120  # seconds for one module


def main(resolver: str, *modules: str) -> int:
    if not world.is_inside():
        return world.reenter("tests.parity.gevents", [resolver, *modules])
    with world.World() as here:
        hosts = f"{HOSTS}127.0.0.1 {socket.gethostname()}\n{_half_of_gevents_hosts()}"
        here.become(Setting(hosts=hosts, records=RECORDS, interfaces="both"))
        environ = {key: value for key, value in os.environ.items() if key not in _NAMES_OF_CI}
        environ |= {"GEVENT_RESOLVER": resolver, "GEVENTTEST_MAX_ETC_HOSTS": str(HOSTS_FILE_ENTRIES)}
        for module in modules or MODULES:
            words = [sys.executable, "-W", "ignore", "-m", "tests.parity.gevents", "--run", module]
            try:
                done = subprocess.run(
                    words, env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False
                )
            except subprocess.TimeoutExpired:
                print(f"{module} not finished after {PATIENCE} s")
                continue
            print(
                "".join(line + "\n" for line in done.stdout.splitlines() if line.startswith("gevent.tests."))
            )
            if done.returncode != 0:
                print(
                    f"{module} ended with status {done.returncode}: {done.stderr.strip().splitlines()[-1:]}"
                )
    return 0


_NAMES_OF_CI = ("CI", "TRAVIS", "GITHUB_ACTIONS", "APPVEYOR")  # where gevent's tests are lenient or skip


def _half_of_gevents_hosts() -> str:
    """Every other line of the file whose names gevent's tests look up: so some are known and some are not."""
    from gevent.tests import __file__ as package

    with open(os.path.join(os.path.dirname(package), "hosts_file.txt"), encoding="utf-8") as file:
        lines = [line for line in file if line[:1].isdigit() and not line.startswith("127.")]
    return "".join(lines[::2])


def _run(module: str) -> None:
    """Run the tests of a module, as its own main would."""
    if module == "test__getaddrinfo_import":  # the import is the test
        __import__(f"gevent.tests.{module}")
        print(f"gevent.tests.{module} ok", flush=True)
        os._exit(0)
    suite = unittest.TestLoader().loadTestsFromName(f"gevent.tests.{module}")
    tests = list(_flat(suite))
    result = unittest.TextTestRunner(io.StringIO()).run(unittest.TestSuite(tests))
    ended = {test.id(): "skipped" for test, _ in result.skipped}
    for test, trouble in [*result.failures, *result.errors]:
        name = test.id() if test.id().startswith("gevent") else f"gevent.tests.{module}: {test.id()}"
        ended[name] = trouble.strip().splitlines()[-1]
    for name in dict.fromkeys([*(test.id() for test in tests), *ended]):
        print(name, ended.get(name, "ok"))
    sys.stdout.flush()
    os._exit(0)  # whatever threads and greenlets the tests have left behind


def _flat(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _flat(test)
        else:
            yield test


if __name__ == "__main__":
    if sys.argv[1] == "--run":
        _run(sys.argv[2])
    else:
        sys.exit(main(*sys.argv[1:]))
