"""What reads strangers' octets, each as a function that raises if something is wrong with the reading."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

from gdns._wire import BadName, Question, Refusal, Reply, read
from gdns.config import parse_host_conf
from gdns.errors import ConfigError
from gdns.gaiconf import parse_gai_conf
from gdns.hosts import _Table as HostsTable
from gdns.nsswitch import parse_nsswitch
from gdns.resolvconf import parse_resolv_conf
from gdns.servers import ServerAddress
from gdns.services import _Table as ServicesTable

SEEDS = Path(__file__).parents[2] / "fixtures" / "wire" / "replies.hex"
QUESTIONS = [Question("www.example.", rdtype) for rdtype in (1, 28, 5, 12, 2, 6, 15, 16, 33, 41, 64, 65, 255)]


def check_reply(octets: bytes) -> None:
    """The first octet chooses the question, the rest is the message."""
    question = QUESTIONS[octets[0] % len(QUESTIONS)] if octets else QUESTIONS[0]
    message = octets[1:]
    found = read(message, question)
    if isinstance(found, Refusal):
        return
    assert isinstance(found, Reply)
    assert found.message == message
    assert 0 <= found.rcode < 1 << 12
    assert 0 <= found.ttl < 1 << 31
    assert found.cookie is None or isinstance(found.cookie, bytes)
    assert all(0 <= code < 1 << 16 and isinstance(text, str) for code, text in found.ede)
    assert found.canonical_name.endswith(".")
    assert len(found.aliases) <= 16
    assert not (found.truncated and found.answered)
    if question.rdtype in (1, 28):
        family = socket.AF_INET if question.rdtype == 1 else socket.AF_INET6
        for address in found.addresses:
            assert socket.inet_pton(family, address) in message
        assert bool(found.addresses) == found.answered
    else:
        assert not found.addresses
    for target in found.targets:
        Question(target, 1)  # a name that can be asked for in turn
    repr(found)


def check_name(octets: bytes) -> None:
    """Octets as the text of a name."""
    with contextlib.suppress(BadName):
        question = Question(octets.decode("latin-1"), 1)
        assert Question(question.qname, 1) == question


def check_resolv_conf(octets: bytes) -> None:
    """Every server that is left can be asked."""
    found = parse_resolv_conf(octets, {}, lambda: "host.example.")
    for server in found.nameservers:
        ServerAddress.parse(server)
    assert found.timeout > 0
    assert found.attempts >= 0
    assert 0 <= found.ndots <= 15


def check_hosts(octets: bytes) -> None:
    """Whatever the file, its lines can be asked for by name and by address."""
    table = HostsTable(octets)
    for word in [b"localhost", b"", b"www.example", *octets.split()[:8]]:
        for family in (0, 2, 10):
            for multi in (True, False):
                table.addresses(word.lower(), family, multi)
    table.names(b"\x7f\0\0\1")
    table.names(bytes(15) + b"\1")


def check_services(octets: bytes) -> None:
    """Ports are ports."""
    table = ServicesTable(octets)
    assert all(0 <= port < 1 << 16 for port in table.ports.values())


def check_server_address(octets: bytes) -> None:
    """A setting that cannot be used is a ConfigError."""
    try:
        address = ServerAddress.parse(octets.decode("latin-1"))
    except ConfigError:
        pass
    else:
        assert 0 < address.port < 1 << 16


TARGETS: dict[str, Callable[[bytes], object]] = {
    "wire": check_reply,
    "name": check_name,
    "resolv.conf": check_resolv_conf,
    "nsswitch.conf": parse_nsswitch,
    "gai.conf": parse_gai_conf,
    "host.conf": lambda octets: parse_host_conf(octets, {}),
    "hosts": check_hosts,
    "services": check_services,
    "server address": check_server_address,
}

WORDS: dict[str, tuple[str, ...]] = {
    "resolv.conf": (
        *("nameserver ", "search ", "domain ", "options ", "sortlist ", "ndots:", "timeout:", "attempts:"),
        *("127.0.0.1", "::1", "fe80::1%lo", "%", "99999999999", "-1", "example."),
    ),
    "nsswitch.conf": ("hosts:", "files", "dns", "[", "]", "NOTFOUND", "!UNAVAIL", "=return", "=continue"),
    "gai.conf": ("label ", "precedence ", "scopev4 ", "reload yes", "::1/128", "::ffff:0:0/96", "/", "40"),
    "host.conf": ("multi ", "on", "off", "order ", "trim "),
    "hosts": ("127.0.0.1", "::1", "localhost", "\t", "fe80::1%lo", "::ffff:192.0.2.1", "www.example"),
    "services": ("http", "80", "/tcp", "/udp", "65536", "/", "\t"),
    "server address": ("tcp://", "[", "]", ":", "53", "127.0.0.1", "::1", "%lo", "tls://"),
    "name": ("\x03www", "\x07example", "\0", "\\000", "\\", ".", "www", "\xc0\x0c"),
}
"""What a file is made of, for those who make some."""


def seeds() -> list[bytes]:
    """Inputs for `check_reply` that between them reach all of the reader that a long run reached."""
    return [bytes.fromhex(line) for line in SEEDS.read_text().split() if not line.startswith("#")]
