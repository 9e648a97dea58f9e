import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdns.literals import Literal, LiteralError, is_address, parse_literal

INTERFACES = {"lo": 1, "eth0": 2}


def interface_index(name: str) -> int:
    try:
        return INTERFACES[name]
    except KeyError:
        raise OSError("no interface with this name") from None


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("127.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0X7F.0x1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("1", "0.0.0.1"),
        ("1.65535", "1.0.255.255"),
        ("4294967295", "255.255.255.255"),
    ],
)
def test_ipv4_is_read_in_every_form_of_inet_aton(host, address):
    literal = parse_literal(host)
    assert literal == Literal(socket.AF_INET, socket.inet_aton(address))
    assert literal.address == address


@pytest.mark.parametrize(
    "host",
    [
        "",
        "www.example",
        "192.0.2.7 ",
        "192.0.2.7\n",
        " 192.0.2.7",
        "192.0.2.7 x",
        "192.0.2.7x",
        "192.0.2.7.",
        "192.0.2.256",
        "4294967296",
        "08",
        "1.2.3.4.5",
        "+1",
        "1e1",
        "192.0.2.7%lo",
        "٣",
        "1::2::3",
        "2001:db8::7 ",
        "::01.2.3.4",
        "[::1]",
        "é::1",
        "%1",
        "dead.beef",
    ],
)
def test_what_is_no_address_is_a_name(host):
    assert parse_literal(host, interface_index=interface_index) is None


@pytest.mark.parametrize(
    ("host", "family", "mapped", "expected"),
    [
        ("192.0.2.7", socket.AF_INET6, False, LiteralError.FAMILY),
        ("192.0.2.7", socket.AF_INET6, True, Literal(socket.AF_INET6, bytes(10) + b"\xff\xff\xc0\0\2\7")),
        ("192.0.2.7", socket.AF_INET, True, Literal(socket.AF_INET, b"\xc0\0\2\7")),
        ("2001:db8::7", socket.AF_INET, True, LiteralError.FAMILY),
        ("::ffff:192.0.2.7", socket.AF_INET, False, Literal(socket.AF_INET, b"\xc0\0\2\7")),
        ("::ffff:192.0.2.7", 0, False, Literal(socket.AF_INET6, bytes(10) + b"\xff\xff\xc0\0\2\7")),
    ],
)
def test_an_address_of_the_other_family_is_refused_or_mapped(host, family, mapped, expected):
    assert parse_literal(host, family, mapped) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("fe80::5%lo", 1),
        ("febf::5%eth0", 2),
        ("ff02::1%eth0", 2),
        ("ff01::1%lo", 1),
        ("ff05::1%lo", None),
        ("fec0::1%lo", None),
        ("fd12::1%lo", None),
        ("fd12::1%1", 1),
        ("::1%99", 99),
        ("fe80::5%0001", 1),
        ("fe80::5%4294967295", 4294967295),
        ("fe80::5%4294967296", None),
        ("fe80::5%" + "9" * 5000, None),
        ("fe80::5%", None),
        ("fe80::5%+1", None),
        ("fe80::5% 1", None),
        ("fe80::5%1x", None),
        ("fe80::5%nosuch", None),
        ("fe80::5%lo%lo", None),
    ],
)
def test_a_scope_is_a_number_or_an_interface_of_a_link_local_address(host, expected):
    literal = parse_literal(host, interface_index=interface_index)
    if expected is None:
        assert literal is LiteralError.SCOPE
    else:
        assert isinstance(literal, Literal)
        assert literal.scope_id == expected


def test_the_wrong_family_is_reported_before_the_wrong_scope():
    assert (
        parse_literal("fe80::5%nosuch", socket.AF_INET, interface_index=interface_index)
        is LiteralError.FAMILY
    )


numeric_text = st.text(st.sampled_from("0123456789abfxX.:%lo "), max_size=24)
addresses = st.ip_addresses().map(str)


@given(numeric_text | addresses, st.sampled_from([0, socket.AF_INET, socket.AF_INET6]), st.booleans())
def test_hosts_are_read_as_the_system_reads_them(host, family, mapped):
    flags = socket.AI_NUMERICHOST | (socket.AI_V4MAPPED if mapped else 0)
    try:
        host.encode("idna")
        [(_, _, _, _, expected)] = socket.getaddrinfo(host, None, family, socket.SOCK_STREAM, 0, flags)
    except socket.gaierror as error:
        assert not isinstance(parse_literal(host, family, mapped), Literal)
        is_wrong_family = error.errno == socket.EAI_ADDRFAMILY
        assert (parse_literal(host, family, mapped) is LiteralError.FAMILY) is is_wrong_family
    except UnicodeError:
        pass
    else:
        literal = parse_literal(host, family, mapped)
        assert isinstance(literal, Literal)
        assert literal.address == expected[0]
        if literal.family == socket.AF_INET6:
            assert literal.scope_id == expected[3]


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7"])
def test_what_inet_pton_reads_is_an_address(host):
    assert is_address(host)


@pytest.mark.parametrize(
    "host", ["", "www.example", "127.1", "0x7f.1", "fe80::1%lo", "::g", "192.0.2.\u0667", "::1\0"]
)
def test_what_inet_pton_does_not_read_is_none(host):
    assert not is_address(host)
