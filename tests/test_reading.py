"""A big reply is read as dnspython reads it, and others run meanwhile."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gdns.reading import read_message, respell
from gdns.resolver import Resolver
from gdns.testing import Server

RECORDS = (
    ("A", "192.0.2.{n}"),
    ("AAAA", "2001:db8::{n}"),
    ("MX", "{n} mail.big.example."),
    ("TXT", '"number {n}"'),
    ("SRV", "0 0 {n} srv.example."),
    ("SOA", "ns.example. host.example. {n} 1 2 3 4"),
    ("CAA", '0 issue "ca{n}.example"'),
    ("HTTPS", "{n} svc.example. alpn=h2"),
    ("RRSIG", "A 8 2 60 20300101000000 20200101000000 {n} example. AAAA"),
    ("TYPE65280", "\\# 1 0{d}"),
)


def reply(seed: int, count: int) -> bytes:
    """A reply with records of all kinds, in any section, some of them more than once."""
    chosen = random.Random(seed)
    query = dns.message.make_query("big.example.", "A", use_edns=0)
    response = dns.message.make_response(query, our_payload=4096)
    for _ in range(count):
        rdtype, text = chosen.choice(RECORDS)
        section = chosen.choice([response.answer, response.authority, response.additional])
        name = chosen.choice(["big.example.", "BIG.example.", "x.example.", "."])
        rdata = text.format(n=chosen.randrange(1, 200), d=chosen.randrange(10))
        section.append(dns.rrset.from_text(name, chosen.choice([0, 60, 0x7FFFFFFF]), "IN", rdtype, rdata))
    return bytes(response.to_wire(max_size=65535, prefer_truncation=False))


def result(read: Callable[[], dns.message.Message]) -> object:
    try:
        message = read()
    except Exception as error:
        return type(error)
    return (
        message.id,
        message.flags,
        message.sections,
        [[(rrset.name.labels, rrset.ttl, list(rrset)) for rrset in section] for section in message.sections],
        message.opt,
        message.wire,
    )


@pytest.mark.parametrize("seed", range(20))
def test_a_big_message_is_what_dnspython_makes_of_it(seed):
    wire = reply(seed, 80 + 10 * seed)
    ours = result(partial(read_message, wire, lambda: None))
    assert ours == result(partial(dns.message.from_wire, wire))
    assert isinstance(ours, tuple)


@example(0, 34, b"\xfa", 0)  # a TSIG out of place
@settings(max_examples=300, deadline=None)
@given(st.integers(0, 5), st.integers(12, 2000), st.binary(min_size=1, max_size=4), st.integers(0, 40))
def test_a_damaged_one_fails_as_it_fails_in_dnspython(seed, at, octets, cut):
    wire = reply(seed, 80)
    wire = wire[:at] + octets + wire[at + len(octets) :]
    wire = wire[: len(wire) - cut]
    assert result(partial(read_message, wire, lambda: None)) == result(partial(dns.message.from_wire, wire))


def with_additional(wire: bytes, record: bytes) -> bytes:
    """The message with one more record at its end."""
    return wire[:10] + (int.from_bytes(wire[10:12]) + 1).to_bytes(2) + wire[12:] + record


TSIG_DATA = b"\x04hmac\0" + bytes(6) + b"\x01\x2c" + b"\0\0" + b"\0\x07" + bytes(4)
TSIG = b"\x03key\0" + b"\x00\xfa" + b"\x00\xff" + bytes(4) + len(TSIG_DATA).to_bytes(2) + TSIG_DATA


@pytest.mark.parametrize(
    ("spoil", "refusal"),
    [
        (lambda wire: wire + b"x", dns.message.TrailingJunk),
        (lambda wire: with_additional(wire, b"\0\x00\x29\x04\xd0" + bytes(6)), dns.message.BadEDNS),
        (lambda wire: with_additional(wire, TSIG), dns.message.UnknownTSIGKey),
        (lambda wire: with_additional(with_additional(wire, TSIG), TSIG), dns.message.BadTSIG),
    ],
    ids=["octets behind", "two OPT", "TSIG", "two TSIG"],
)
def test_what_a_message_must_not_hold_is_refused_as_dnspython_refuses_it(spoil, refusal):
    wire = spoil(reply(1, 80))
    assert result(partial(dns.message.from_wire, wire)) is refusal
    assert result(partial(read_message, wire, lambda: None)) is refusal


def test_small_messages_are_left_to_dnspython():
    pauses: list[None] = []
    assert read_message(reply(1, 5), lambda: pauses.append(None)).answer is not None
    assert pauses == []


def test_a_name_is_respelt_where_it_is_the_same_name():
    query = dns.message.make_query("wWw.Example.", "A")
    response = dns.message.make_response(query)
    response.answer.append(dns.rrset.from_text("wWw.Example.", 60, "IN", "A", "192.0.2.1"))
    wire = bytes(response.to_wire())
    ours = dns.message.from_wire(respell(wire, dns.name.from_text("WWW.example.")))
    assert ours.question[0].name.to_text() == ours.answer[0].name.to_text() == "WWW.example."
    assert respell(wire, dns.name.from_text("web.example.")) is wire
    assert respell(wire, dns.name.from_text("wWw.Example.")) is wire


# On a hub


@pytest.fixture(scope="module")
def big_server():
    """A server with 4,000 addresses at one name, near the 64 KiB that a message can have."""
    with Server() as server:
        server.add(*(f"big.example. 60 A 10.1.{n // 250}.{n % 250 + 1}" for n in range(4000)))
        yield server


def test_others_run_while_four_thousand_records_are_read(big_server, runner):
    answers: list[object] = []
    gaps: list[float] = []

    def ask() -> None:
        answers.append(resolver.resolve("big.example"))

    def tick(wanted: int) -> None:
        longest = 0.0
        last = time.perf_counter()
        while len(answers) < wanted:
            runner.sleep(0.0005)
            now = time.perf_counter()
            longest = max(longest, now - last)
            last = now
        gaps.append(longest)

    with Resolver(nameservers=[big_server.address], hub=runner.hub, timeout=20.0) as resolver:
        for turn in range(5):  # the best of five, against three times the bound
            runner.join([runner.spawn(ask), runner.spawn(partial(tick, turn + 1))], 60)
    assert [len(answer) for answer in answers] == [4000] * 5
    assert min(gaps) < 3 * 0.025


def test_a_greenlet_killed_while_it_reads_harms_nobody(big_server, runner):
    with Resolver(nameservers=[big_server.address], hub=runner.hub, timeout=20.0) as resolver:
        resolver.resolve("big.example")
        started: list[bool] = []

        def ask() -> None:
            started.append(True)
            resolver.resolve("big.example")

        task = runner.spawn(ask)
        while not started:
            runner.sleep(0.001)
        runner.kill(task)
        assert len(resolver.resolve("big.example")) == 4000
