"""BIND answers gdns' EDNS options, flags and cookies as it answers dig's."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import pytest

import gdns
from tests.integration.test_real_servers import await_answer, free_port, program

NAMED = """
options {{
    directory "{folder}";
    pid-file none;
    session-keyfile none;
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    recursion no;
    server-id "gdns-under-test";
    dnssec-validation no;
}};
controls {{ }};
zone "example" {{
    type primary;
    file "{zone}";
    dnssec-policy default;
    inline-signing yes;
}};
"""

ZONE = """$ORIGIN example.
@ 60 SOA ns.example. host.example. 1 60 60 60 60
@ 60 NS ns.example.
ns 60 A 192.0.2.53
www 60 A 192.0.2.7
www 60 AAAA 2001:db8::7
"""


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of BIND with the zone example, signed."""
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
            await_signatures(port)
            yield port
        finally:
            process.terminate()
            process.communicate(timeout=20)


def await_signatures(port: int) -> None:
    query = dns.message.make_query("www.example.", "A", want_dnssec=True)
    for _ in range(200):
        reply = dns.query.udp(query, "127.0.0.1", port=port, timeout=5)
        if any(rrset.rdtype == dns.rdatatype.RRSIG for rrset in reply.answer):
            return
        time.sleep(0.1)  # there is nothing that tells
    pytest.fail("BIND did not sign the zone")


@pytest.fixture
def dig(named: int) -> Callable[..., str]:
    command = program("dig")

    def ask(*options: str) -> str:
        words = [command, "@127.0.0.1", "-p", str(named), "+qr", "www.example.", "A", *options]
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout

    return ask


def flags(printed: str) -> list[set[str]]:
    """The header flags of the query and of the reply, as dig prints them."""
    return [set(words.upper().split()) for words in re.findall(r"flags:([ a-z]*);", printed)]


def resolver(port: int) -> gdns.Resolver:
    return gdns.Resolver(nameservers=[f"127.0.0.1:{port}"], timeout=5.0, cache=False)


@pytest.mark.parametrize(
    ("options", "extras"),
    [
        (("+noedns", "+noad"), {}),
        (("+noedns", "+adflag"), {"authentic_data": True}),
        (("+noedns", "+cdflag", "+noad"), {"checking_disabled": True}),
        (("+noedns", "+norecurse", "+noad"), {"no_recursion": True}),
        (("+edns=0", "+nocookie", "+noad"), {"use_edns": True}),
        (("+dnssec", "+nocookie", "+noad"), {"want_dnssec": True}),
    ],
)
@pytest.mark.parametrize("tcp", [False, True])
def test_flags_reach_a_real_server_as_those_of_dig(named, dig, options, extras, tcp):
    printed = dig(*options, *(["+tcp"] if tcp else []))
    with resolver(named) as asking:
        answer = asking.resolve("www.example.", "A", tcp=tcp, **extras)
    ours = set(dns.flags.to_text(answer.response.flags).split())
    header = [words for words in flags(printed) if "QR" in words]
    assert header == [ours]
    types = {dns.rdatatype.to_text(rrset.rdtype) for rrset in answer.response.answer}
    assert types == set(re.findall(r"^www\.example\.\s+\d+\s+IN\s+(\w+)", printed, re.MULTILINE))
    assert ("RRSIG" in types) == bool(extras.get("want_dnssec"))
    assert (answer.response.edns == 0) == ("; EDNS: version: 0" in printed)


@pytest.mark.parametrize("tcp", [False, True])
def test_an_option_is_answered_as_that_of_dig(named, dig, tcp):
    printed = dig("+nsid", "+nocookie", *(["+tcp"] if tcp else []))
    with resolver(named) as asking:
        answer = asking.resolve("www.example.", tcp=tcp, edns_options=[dns.edns.GenericOption(3, b"")])
    (identifier,) = (option for option in answer.response.options if option.otype == dns.edns.OptionType.NSID)
    assert identifier.to_generic().data == b"gdns-under-test"
    assert '("gdns-under-test")' in printed


def test_bind_finds_our_cookie_good(named, dig):
    printed = dig("+cookie")
    assert "(good)" in printed
    with resolver(named) as asking:
        first = asking.resolve("www.example.", use_edns=True)
        second = asking.resolve("www.example.", use_edns=True)
    cookies = [
        option
        for answer in (first, second)
        for option in answer.response.options
        if isinstance(option, dns.edns.CookieOption)
    ]
    assert len(cookies) == 2
    assert cookies[0].client == cookies[1].client
    assert all(len(cookie.server) >= 8 for cookie in cookies)


def test_a_source_is_sent_from(named):
    with resolver(named) as asking:
        assert len(asking.resolve("www.example.", source="127.0.0.1")) == 1
        assert len(asking.resolve("www.example.", source="127.0.0.1", tcp=True)) == 1
