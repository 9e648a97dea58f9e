"""IP addresses as numbers."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdns._addresses import distance, parse
from gdns._routes import Routes


def number_of(text: str) -> int:
    address = parse(text)
    return address.high << 64 | address.low


@given(st.ip_addresses())
def test_an_address_is_the_number_that_its_octets_spell(address):
    number = int(address) if address.version == 6 else 0xFFFF << 32 | int(address)
    assert number_of(str(address)) == number
    assert parse(str(address)).is_ipv6 == (address.version == 6)


@given(st.ip_addresses(v=6), st.ip_addresses(v=6))
def test_the_distance_is_what_follows_the_common_prefix(first, second):
    assert distance(parse(str(first)), parse(str(second))) == (int(first) ^ int(second)).bit_length()


def test_a_scope_is_left_out():
    assert number_of("fe80::1%3") == number_of("fe80::1%eth0") == number_of("fe80::1")


@pytest.mark.parametrize(
    "text",
    ["", "www.example", "192.0.2", "192.0.2.1%1", "::g", "1" * 100, "::1\0", "192.0.2.1\0", "é::1", ":"],
)
def test_other_texts_are_refused(text):
    with pytest.raises(OSError, match="illegal IP address"):
        parse(text)
    assert Routes().source_of(text) is None


def test_the_longest_address_is_read():
    text = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"
    assert number_of(text) == int(ipaddress.ip_address(text))


def test_routes_that_are_closed_are_opened_again():
    routes = Routes()
    for _ in range(2):
        assert routes.source_of("127.0.0.1") == b"\x7f\0\0\1"
        routes.close()
        routes.close()
