"""DNS cookies with BIND, which asks for its own to come back (RFC 7873)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from gdns._ares import USE_EDNS, AresLane
from tests.integration.test_real_servers import await_answer, free_port, program
from tests.test_ares import Lane

NAMED = """
options {{
    directory "{folder}";
    pid-file none;
    session-keyfile none;
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    recursion no;
    dnssec-validation no;
    require-server-cookie yes;
}};
controls {{ }};
zone "example" {{ type primary; file "{zone}"; }};
"""
ZONE = """$ORIGIN example.
@ 60 SOA ns.example. host.example. 1 60 60 60 60
@ 60 NS ns.example.
ns 60 A 192.0.2.53
www 60 A 192.0.2.7
"""


@pytest.fixture(scope="module")
def strict_named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a BIND that says BADCOOKIE to whoever has a cookie, but not yet its own."""
    command = program("named")
    folder = tmp_path_factory.mktemp("named")
    zone = folder / "example.zone"
    zone.write_text(ZONE)
    port = free_port()
    (folder / "named.conf").write_text(NAMED.format(folder=folder, port=port, zone=zone))
    arguments = ["-f", "-n", "1", "-c", str(folder / "named.conf"), "-L", str(folder / "log")]
    with subprocess.Popen([command, *arguments], stderr=subprocess.PIPE, text=True) as process:
        try:
            await_answer(port, process)
            yield port
        finally:
            process.terminate()
            process.communicate(timeout=20)


def test_a_server_that_insists_on_its_cookie_is_answered_and_cancelled_all_the_same(strict_named):
    lane = Lane(AresLane)
    address = f"127.0.0.1:{strict_named}"
    for _ in range(3):
        lane.finish(attempt := lane.ask(address, "www.example.", wishes=USE_EDNS))
        assert attempt.reply.addresses == ("192.0.2.7",)
        assert attempt.reply.edns
    attempts = [lane.ask(address, "www.example.", wishes=USE_EDNS) for _ in range(10)]
    for attempt in attempts[1:]:
        lane.lane.cancel(attempt)
    lane.lane.flush()
    assert all(attempt.ended for attempt in attempts[1:])
    lane.finish(attempts[0], last := lane.ask(address, "www.example.", wishes=USE_EDNS))
    assert last.reply.addresses == ("192.0.2.7",)
    assert lane.lane.pending == 0
    lane.lane.close()
    lane.sockets.close()
