"""The test server as the server of a whole program."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gdns.testing import Server
from tests.parity.world import is_permitted

ZONE = {
    "www.corp.example.": {"A": "192.0.2.7"},
    "long.corp.example.": {"A": [f"192.0.2.{n}" for n in range(99)]},
}


def test_a_resolv_conf_names_the_server_and_what_else_it_is_given(tmp_path, monkeypatch):
    server = Server(ZONE)
    monkeypatch.setattr(Server, "port", 53)
    path = server.resolv_conf(
        tmp_path / "resolv.conf", search=["corp.example"], options=["timeout:1", "use-vc"]
    )
    assert path.read_text() == "nameserver 127.0.0.1\nsearch corp.example\noptions timeout:1 use-vc\n"
    assert server.resolv_conf(tmp_path / "plain").read_text() == "nameserver 127.0.0.1\n"


def test_a_resolv_conf_has_no_place_for_a_port(tmp_path, dns_server):
    for use in (lambda: dns_server.resolv_conf(tmp_path / "x"), lambda: dns_server.command(["true"])):
        with pytest.raises(ValueError, match=r"no place for a port.*port=53"):
            use()
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("argv", ["true", []])
def test_a_command_is_a_list_of_words(monkeypatch, argv):
    monkeypatch.setattr(Server, "port", 53)
    with pytest.raises(TypeError, match="a command is a list of a program and its arguments"):
        Server().command(argv)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"search": "corp.example"}, TypeError),
        ({"options": ["a b"]}, ValueError),
        ({"search": [""]}, ValueError),
    ],
)
def test_words_that_a_resolv_conf_cannot_hold_are_refused(tmp_path, monkeypatch, arguments, error):
    monkeypatch.setattr(Server, "port", 53)
    with pytest.raises(error):
        Server().resolv_conf(tmp_path / "resolv.conf", **arguments)


INSIDE = """if True:
    import subprocess, sys
    from gdns.testing import Server
    PROGRAM = "from socket import *; print(gethostbyname('www'), len(gethostbyname_ex('long')[2]))"
    with Server({zone!r}, host="127.0.0.53", port=53) as server:
        argv = [sys.executable, "-c", PROGRAM]
        command = server.command(argv, search=["corp.example"], options=["timeout:1"])
        print(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        print(sorted({{query.transport for query in server.queries}}))
        print(open("/etc/resolv.conf").read() == {before!r})
"""


@pytest.mark.skipif(not is_permitted(), reason="namespaces cannot be made here")
@pytest.mark.skipif(not os.path.exists("/etc/resolv.conf"), reason="there is no /etc/resolv.conf")
def test_a_program_that_knows_nothing_of_gdns_asks_the_server():
    with open("/etc/resolv.conf") as file:
        before = file.read()
    program = INSIDE.format(zone=ZONE, before=before)
    script = 'ip link set lo up && exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "-rmn", "sh", "-c", script, sys.executable, program],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["192.0.2.7", "99", "['tcp',", "'udp']", "True"], done.stderr
