"""gai.conf(5), as glibc 2.36 reads it."""

from socket import AF_INET, AF_INET6, inet_pton
from typing import NamedTuple


class Prefix(NamedTuple):
    """A value for the addresses that begin with `bits` bits of `network`.

    Labels and precedences count in IPv6, where IPv4 is mapped: 128 bits; scopes in IPv4: 32.
    """

    network: int
    bits: int
    value: int


def _table(*rows: tuple[str, int, int]) -> tuple[Prefix, ...]:
    return tuple(
        Prefix(
            int.from_bytes(inet_pton(AF_INET6 if ":" in address else AF_INET, address), "big"), bits, value
        )
        for address, bits, value in rows
    )


# RFC 3484 with glibc's additions (site-local, unique local, Teredo); most specific first, as all tables here
DEFAULT_LABELS = _table(
    ("::1", 128, 0),
    ("::", 96, 3),
    ("::ffff:0.0.0.0", 96, 4),
    ("2001::", 32, 7),
    ("2002::", 16, 2),
    ("fec0::", 10, 5),
    ("fc00::", 7, 6),
    ("::", 0, 1),
)
DEFAULT_PRECEDENCES = _table(
    ("::1", 128, 50),
    ("::", 96, 20),
    ("::ffff:0.0.0.0", 96, 10),
    ("2002::", 16, 30),
    ("::", 0, 40),
)
DEFAULT_SCOPES = _table(
    ("169.254.0.0", 16, 2),
    ("127.0.0.0", 8, 2),
    ("0.0.0.0", 0, 14),
)


class GaiConf(NamedTuple):
    """The tables of RFC 6724, section 2.1, most specific prefix first, each ending in one that fits all."""

    labels: tuple[Prefix, ...] = DEFAULT_LABELS
    precedences: tuple[Prefix, ...] = DEFAULT_PRECEDENCES
    scopes: tuple[Prefix, ...] = DEFAULT_SCOPES
    reload: bool = False


def parse_gai_conf(content: bytes) -> GaiConf:
    """Parse the file's content; one good line of a kind puts that kind's whole default table aside."""
    labels: list[Prefix] = []
    precedences: list[Prefix] = []
    scopes: list[Prefix] = []
    reload = False
    for line in content.split(b"\n"):
        words = line.partition(b"\0")[0].partition(b"#")[0].split()
        keyword, first, second = [*words, b"", b"", b""][:3]
        match keyword:
            case b"label":
                labels += _parse_prefix(first, second)
            case b"precedence":
                precedences += _parse_prefix(first, second)
            case b"scopev4":
                scopes += _parse_scope(first, second)
            case b"reload":
                reload = first == b"yes"
    return GaiConf(
        labels=_complete(labels, 1) or DEFAULT_LABELS,
        precedences=_complete(precedences, 40) or DEFAULT_PRECEDENCES,
        scopes=_complete(scopes, 14) or DEFAULT_SCOPES,
        reload=reload,
    )


def _complete(rows: list[Prefix], fallback: int) -> tuple[Prefix, ...]:
    if rows and all(row.bits for row in rows):
        rows = [*rows, Prefix(0, 0, fallback)]
    return tuple(sorted(rows, key=lambda row: -row.bits))


def _parse_prefix(prefix: bytes, value: bytes) -> list[Prefix]:
    """The row of a label or precedence line, if it is one."""
    address, has_bits, bits_text = prefix.partition(b"/")
    network = _pton(AF_INET6, address)
    bits = _number(bits_text, 128) if has_bits else 128
    number = _number(value, 0x7FFFFFFF)
    if network is None or bits is None or number is None:
        return []
    return [Prefix(network, bits, number)]


def _parse_scope(prefix: bytes, value: bytes) -> list[Prefix]:
    """The row of a scopev4 line, if it is one; its prefix is IPv4, plain or mapped."""
    address, has_bits, bits_text = prefix.partition(b"/")
    network = _pton(AF_INET6, address)
    if network is not None:
        offset = 96
    else:
        network = _pton(AF_INET, address)
        offset = 0
    bits = _number(bits_text, offset + 32) if has_bits else offset + 32
    number = _number(value, 0x7FFFFFFF)
    if network is None or bits is None or bits < offset or number is None:
        return []
    if offset and network >> 32 != 0xFFFF:
        return []
    return [Prefix(network & 0xFFFFFFFF, bits - offset, number)]


def _pton(family: int, address: bytes) -> int | None:
    try:
        return int.from_bytes(inet_pton(family, address.decode("ascii")), "big")
    except (OSError, ValueError):
        return None


def _number(text: bytes, limit: int) -> int | None:
    """A number as strtoul takes it: nothing at all is 0."""
    digits = text[1:] if text.startswith((b"+", b"-")) else text
    if text and not digits.isdigit():
        return None
    digits = digits.lstrip(b"0")
    if len(digits) > 10 or (digits and text.startswith(b"-")):  # -1 is the largest of all to strtoul
        return None
    number = int(digits or b"0")
    return number if number <= limit else None
