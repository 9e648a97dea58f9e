"""CPython's own tests of name resolution, with the functions of socket or with ours in their place.

python -m tests.parity.cpython system
python -m tests.parity.cpython gdns
"""

from __future__ import annotations

import io
import re
import socket
import sys
import unittest
from collections.abc import Iterator

from tests.parity import world
from tests.parity.cases import HOSTS, Setting
from tests.parity.children import NAMES

ABOUT_NAMES = re.compile(r"host|addrinfo|nameinfo|fqdn|idna|create_connection|create_server", re.IGNORECASE)


def main(whose: str) -> int:
    if not world.is_inside():
        return world.reenter("tests.parity.cpython", [whose])
    with world.World() as here:
        here.become(Setting(hosts=f"{HOSTS}127.0.0.1 {socket.gethostname()}\n"))
        _run(whose)
    return 0


def _run(whose: str) -> None:
    if whose == "gdns":
        import gdns

        for name in NAMES:
            setattr(socket, name, getattr(gdns, name))
    from test import test_socket

    suite = unittest.TestLoader().loadTestsFromModule(test_socket)
    chosen = [test for test in _flat(suite) if ABOUT_NAMES.search(test.id().rpartition(".")[2])]
    result = unittest.TextTestRunner(io.StringIO()).run(unittest.TestSuite(chosen))
    ended = {test.id(): "skipped" for test, _ in result.skipped}
    ended |= {test.id(): trouble for test, trouble in [*result.failures, *result.errors]}
    for test in chosen:
        print(test.id(), ended.get(test.id(), "ok"))


def _flat(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _flat(test)
        else:
            yield test


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
