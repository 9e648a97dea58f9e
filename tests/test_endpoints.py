"""What getaddrinfo makes of a service, a socket type and a protocol."""

from __future__ import annotations

import socket
from socket import SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM

import pytest

from gdns.endpoints import SOCK_DCCP, endpoints
from gdns.errors import EAI_NONAME, EAI_SERVICE, EAI_SOCKTYPE
from gdns.services import Services

TCP, UDP, DCCP, SCTP, UDPLITE = 6, 17, 33, 132, 136


@pytest.fixture
def services(tmp_path):
    path = tmp_path / "services"
    path.write_text(
        "http 80/tcp www\nhttp 80/sctp\ndomain 53/tcp\ndomain 5353/udp\n"
        "snmp 161/udp\nlite 7/udplite\nd 9/dccp\n"
    )
    return Services(path)


@pytest.fixture
def of(services):
    def ask(port, type=0, proto=0, is_numeric=False):
        return endpoints(port, type, proto, is_numeric, services)

    return ask


def test_a_port_without_hints_fans_out_to_stream_datagram_and_raw(of):
    assert of(80) == ((SOCK_STREAM, TCP, 80), (SOCK_DGRAM, UDP, 80), (SOCK_RAW, 0, 80))


def test_no_port_at_all_is_port_zero(of):
    assert of(None, SOCK_STREAM) == of("*", SOCK_STREAM) == of("", SOCK_STREAM) == ((SOCK_STREAM, TCP, 0),)


@pytest.mark.parametrize(
    ("type", "proto", "expected"),
    [
        (SOCK_STREAM, 0, (SOCK_STREAM, TCP, 80)),
        (SOCK_STREAM, SCTP, (SOCK_STREAM, SCTP, 80)),
        (SOCK_SEQPACKET, 0, (SOCK_SEQPACKET, SCTP, 80)),
        (SOCK_DGRAM, UDPLITE, (SOCK_DGRAM, UDPLITE, 80)),
        (SOCK_DCCP, 0, (SOCK_DCCP, DCCP, 80)),
        (0, UDP, (SOCK_DGRAM, UDP, 80)),
        (0, SCTP, (SOCK_STREAM, SCTP, 80)),
    ],
)
def test_hints_choose_one_endpoint(of, type, proto, expected):
    assert of(80, type, proto) == (expected,)


def test_the_socket_types_are_those_of_the_socket_module(of):
    assert [type(kind) for kind, _, _ in of(80)] == [socket.SocketKind] * 3


@pytest.mark.parametrize(
    ("type", "proto", "number"),
    [
        (99, 0, EAI_SOCKTYPE),
        (SOCK_STREAM, UDP, EAI_SOCKTYPE),
        (SOCK_RAW, 0, EAI_SERVICE),
        (0, 99, EAI_SERVICE),
    ],
)
def test_hints_that_fit_no_endpoint_name_what_is_wrong(of, type, proto, number):
    assert of(80, type, proto) == number


def test_raw_sockets_have_no_port_but_any_protocol(of):
    assert of(None, SOCK_RAW) == ((SOCK_RAW, 0, 0),)
    assert of(None, SOCK_RAW, 89) == of(None, 0, 89) == ((SOCK_RAW, 89, 0),)


def test_a_named_service_is_offered_where_the_file_lists_it(of):
    assert of("http") == ((SOCK_STREAM, TCP, 80), (SOCK_STREAM, SCTP, 80), (SOCK_SEQPACKET, SCTP, 80))
    assert of("domain") == ((SOCK_STREAM, TCP, 53), (SOCK_DGRAM, UDP, 5353))
    assert of("lite") == ((SOCK_DGRAM, UDPLITE, 7),)
    assert of("d") == ((SOCK_DCCP, DCCP, 9),)
    assert of(b"www", SOCK_STREAM) == ((SOCK_STREAM, TCP, 80),)


@pytest.mark.parametrize(
    ("port", "type", "proto"),
    [
        ("HTTP", 0, 0),
        ("nope", 0, 0),
        ("http", SOCK_DGRAM, 0),
        ("snmp", SOCK_STREAM, 0),
        ("http", SOCK_RAW, 0),
    ],
)
def test_an_unknown_service_is_an_error(of, port, type, proto):
    assert of(port, type, proto) == EAI_SERVICE


def test_names_are_refused_where_a_number_is_demanded(of):
    assert of("http", is_numeric=True) == EAI_NONAME
    assert of("80", SOCK_STREAM, is_numeric=True) == ((SOCK_STREAM, TCP, 80),)


@pytest.mark.parametrize(
    ("port", "number"),
    [
        (70000, 4464),
        (65536, 0),
        ("4294967376", 80),
        (" 80", 80),
        ("+80", 80),
        ("0080", 80),
        ("80\0x", 80),
        (-(2**63), 0),
        ("-18446744073709551536", 80),
    ],
)
def test_a_number_is_read_as_strtoul_reads_it_and_cut_to_16_bits(of, port, number):
    assert of(port, SOCK_STREAM) == ((SOCK_STREAM, TCP, number),)


@pytest.mark.parametrize(
    "port", [-1, 2**31, "80 ", "0x50", "8 0", "-", " ", "99999999999999999999", "\uff14"]
)
def test_what_is_no_number_to_glibc_is_looked_up_as_a_name(of, port):
    assert of(port) == EAI_SERVICE


@pytest.mark.parametrize(
    "port", [True, 80.0, bytearray(b"80"), SOCK_STREAM, object(), 2**63, -(2**63) - 1, "\udc80"]
)
def test_ports_of_other_types_are_refused_as_the_interpreter_refuses_them(of, port):
    def ours():
        found = of(port)
        if isinstance(found, int):
            raise socket.gaierror(found, "")
        return found[0][2]

    # newer interpreters take the digits of big numbers
    theirs = outcome_of(lambda: socket.getaddrinfo("192.0.2.1", port)[0][4][1])
    assert outcome_of(ours) == theirs


def outcome_of(function):
    try:
        return function()
    except socket.gaierror as error:
        return error.errno
    except (OSError, OverflowError, UnicodeEncodeError) as error:
        return type(error), error.args
