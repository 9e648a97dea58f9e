"""`gdns explain`: where the addresses of a host came from."""

from __future__ import annotations

import json
import re
import sys

import pytest

from gdns.testing import Server, delay, rcode
from tests.command import call


def test_it_shows_the_tree_of_where_an_address_came_from(dns_server: Server) -> None:
    dns_server.add("www.example. 60 A 192.0.2.7")
    done = call("explain", f"@{dns_server.address}", "www.example", "-4")
    assert (done.status, done.err) == (0, "")
    first, files, dns, name, question = done.out.splitlines()
    assert first.startswith("www.example (AF_INET): 192.0.2.7 [")
    assert files == "├─ files: /etc/hosts does not name it"
    assert (dns, name) == ("└─ dns: 192.0.2.7", "   └─ www.example.")
    assert question.startswith(f"      └─ A: 192.0.2.7 from {dns_server.address} over udp in ")


def test_it_shows_the_same_as_json(dns_server: Server) -> None:
    dns_server.add("www.example. 60 A 192.0.2.7")
    done = call("explain", f"@{dns_server.address}", "www.example", "--json")
    found = json.loads(done.out)
    assert (found["host"], found["addresses"], found["error"]) == ("www.example", ["192.0.2.7"], None)


@pytest.mark.parametrize("has_rich", [True, False])
def test_colour_comes_with_rich_and_without_it(
    dns_server: Server, monkeypatch: pytest.MonkeyPatch, has_rich: bool
) -> None:
    dns_server.add("www.example. 60 A 192.0.2.7")
    if not has_rich:
        for module in [name for name in sys.modules if name.split(".")[0] == "rich"] + ["rich.console"]:
            monkeypatch.setitem(sys.modules, module, None)
    done = call("explain", f"@{dns_server.address}", "www.example", "--color=always")
    assert ("\x1b[" in done.out) is has_rich
    plain = re.sub(r"\x1b\[[\d;]*m", "", done.out)
    assert re.search(r"A: 192\.0\.2\.7 from \S+ over udp", plain)


def test_its_status_tells_no_from_nobody_knows(dns_server: Server) -> None:
    at = f"@{dns_server.address}"
    dns_server.fault("broken.example.", rcode("SERVFAIL"))
    assert call("explain", at, "nowhere.example").status == 1
    assert call("explain", at, "broken.example", "--attempts", "1").status == 3
    assert call("explain", at, "192.0.2.1").status == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no name to explain: `gdns explain www.example`"),
        (["a.example", "b.example"], "one name at a time, not both a.example and b.example"),
        (["@192.0.2.1", "@192.0.2.2", "a.example"], "one server at a time"),
        (["@", "a.example"], "the server is empty"),
        ([""], "the name is empty"),
        (["a\0b.example"], "is no host"),
        (["a.example", "--jason"], "unrecognized arguments: --jason"),
    ],
)
def test_words_that_are_no_host_get_one_line(words: list[str], said: str) -> None:
    done = call("explain", *words)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert done.err.endswith("(see gdns explain --help)\n")


def test_a_slow_server_is_given_the_time_that_is_asked_for(dns_server: Server) -> None:
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault(None, delay(30))
    done = call("explain", f"@{dns_server.address}", "www.example", "--timeout", "0.05", "--attempts", "1")
    assert done.status == 3
    assert "no reply after" in done.out
