"""Presentation names: which of them to ask for, which never to ask for.

A name is a `str` of ASCII in the presentation form of RFC 1035, section 5.1: `\\.` and `\\DDD` are escapes, a
final dot makes it absolute.
"""

import enum
import re
from collections.abc import Iterable, Iterator
from socket import AF_INET, AF_INET6, AF_UNSPEC, inet_pton
from typing import Final

_MAX_LABEL = 63  # octets, RFC 1035, section 2.3.4
_MAX_NAME = 255  # octets on the wire, the length octets and the root included

_ESCAPE = r"(?s)\\([0-9]{3}|[^0-9])"
_HOSTNAME = r"(?!-)[0-9A-Za-z_-]{1,63}(?:\.[0-9A-Za-z_-]{1,63})*\.?"
_ONION, _INVALID, _LOCALHOST = 5, 7, 9  # their lengths
_MAPPED = bytes(10) + b"\xff\xff"


# Spelling


def to_labels(name: str) -> list[bytes] | None:
    """The labels of a name without the root's, or None if no DNS message could carry it.

    Escapes are read as glibc reads them (ns_name_pton): a backslash takes three digits up to 255, or any
    other character. Refused are empty and overlong labels, names over 255 octets, lone backslashes and
    non-ASCII text.
    """
    if name == ".":
        return []
    if not name or not name.isascii():
        return None
    if "\\" not in name:
        labels = name.encode("ascii").split(b".")
    else:
        labels = [b""]
        position = 0
        while position < len(name):
            if name[position] == "\\":
                escape = re.compile(_ESCAPE).match(name, position)
                if escape is None:
                    return None
                code = int(escape[1]) if len(escape[1]) == 3 else ord(escape[1])
                if code > 255:
                    return None
                labels[-1] += bytes((code,))
                position = escape.end()
            elif name[position] == ".":
                labels.append(b"")
                position += 1
            else:
                labels[-1] += name[position].encode("ascii")
                position += 1
    if not labels[-1]:
        labels.pop()
    if any(not 0 < len(label) <= _MAX_LABEL for label in labels):
        return None
    if sum(map(len, labels)) + len(labels) + 1 > _MAX_NAME:
        return None
    return labels


def from_labels(labels: Iterable[bytes]) -> str:
    """The absolute name made of these labels; octets that would mislead a reader are escaped."""
    return "".join(from_octets(re.sub(rb"([.\\])", rb"\\\1", label)) + "." for label in labels) or "."


def from_octets(name: bytes) -> str:
    """A name given as octets, which glibc sends as they are: what is not printable ASCII becomes `\\DDD`."""
    return "".join([chr(octet) if 0x21 <= octet <= 0x7E else f"\\{octet:03d}" for octet in name])


def encode_idna(host: str, is_idna2008: bool = False) -> str:
    """The A-labels of a host, exactly as CPython's `getaddrinfo` makes them (IDNA 2003, the "idna" codec).

    Or, for those who ask for them, those of IDNA 2008 with the mappings of UTS 46: once `need_idna2008` has
    found what makes them. Raises UnicodeError with CPython's texts, for ASCII too: an empty label, or one
    over 63 octets; for what IDNA 2008 forbids that is an `idna.IDNAError`.
    """
    if len(host) <= _MAX_LABEL and host.isascii() and not _has_empty_label(host):
        return host  # nothing the codec could object to
    if is_idna2008 and not host.isascii():
        import idna

        return idna.encode(host, uts46=True).decode("ascii")
    return host.encode("idna").decode("ascii")


def _has_empty_label(name: str) -> bool:
    before = "."
    for letter in name:
        if letter == "." and before == ".":
            return True
        before = letter
    return False


def need_idna2008() -> None:
    """Find the package that IDNA 2008 needs. Raises ImportError, which names the extra that it comes with."""
    try:
        import idna  # noqa: F401 - loaded here, and not with the first name that needs it
    except ModuleNotFoundError as error:
        from gdns.extras import missing

        raise missing(error, "idna") from None


# What to ask for


def candidates(name: str, search: Iterable[str], ndots: int, no_tld_query: bool = False) -> Iterator[str]:
    """Yield the absolute names to ask for, most likely first (resolv.conf(5): search, ndots).

    As glibc's res_search: dots are counted without regard to escapes, a final dot ends all searching, the
    root on the search list stands for the name as it is, and a name that is malformed or does not fit into
    255 octets is never asked for: at such a one the search list is given up. Suffixes need no final dot.

    `no_tld_query` (the option of that name) keeps a name without dots from being asked for as it is, if there
    is a search list.

    >>> list(candidates("www", ["corp.example."], ndots=1))
    ['www.corp.example.', 'www.']
    """
    as_is = absolute(name)
    as_is_first = name.count(".") >= ndots or name.endswith(".")
    if as_is_first and as_is is not None:
        yield as_is
    if name.endswith("."):
        return
    root_is_listed = is_searched = False
    for suffix in search:
        is_searched = True
        suffix = suffix.removeprefix(".")
        root_is_listed = root_is_listed or not suffix
        candidate = absolute(f"{name}.{suffix}")
        if candidate is None:
            break
        yield candidate
    if as_is is None or as_is_first or root_is_listed:
        return
    if "." in name or not is_searched or not no_tld_query:
        yield as_is


def absolute(name: str) -> str | None:
    """The name with its final dot, or None if no DNS message could carry it: to_labels, but faster."""
    if "\\" in name:
        labels = to_labels(name)
        return None if labels is None else from_labels(labels)
    if name == ".":
        return name
    if not name or not name.isascii():
        return None
    length = 0  # of the label
    for letter in name:
        if letter != ".":
            length += 1
        elif 0 < length <= _MAX_LABEL:
            length = 0
        else:
            return None
    absolute = name + "." if length else name
    return None if length > _MAX_LABEL or len(absolute) >= _MAX_NAME else absolute


class SpecialUse(enum.Enum):
    """What a special-use name is answered with, in place of asking a server."""

    LOOPBACK = "loopback"  # the addresses of `LOOPBACK`
    NXDOMAIN = "NXDOMAIN"


LOOPBACK_IPV4 = "127.0.0.1"
LOOPBACK_IPV6 = "::1"
LOOPBACK: Final[dict[int, tuple[str, ...]]] = {
    AF_UNSPEC: (LOOPBACK_IPV6, LOOPBACK_IPV4),
    AF_INET: (LOOPBACK_IPV4,),
    AF_INET6: (LOOPBACK_IPV6,),
}
"""The addresses by which this host reaches itself, by address family."""

_SPECIAL_USE = {
    "localhost": SpecialUse.LOOPBACK,
    "onion": SpecialUse.NXDOMAIN,
    "invalid": SpecialUse.NXDOMAIN,
}


def special_use(name: str) -> SpecialUse | None:
    """How to answer a name that must never leave this host (RFC 6761, sections 6.3 and 6.4; RFC 7686).

    A name below `localhost`, `onion` or `invalid` is special whether absolute or not: no search list may
    carry it out. The three alone are special when absolute; without the final dot only `localhost` is. The
    hosts file comes first for plain `localhost`: that is the caller's order to keep.
    """
    if "\\" in name:  # `x.oni\111n` would leak as well
        labels = to_labels(name) or [b""]
        last, has_parent = labels[-1].decode("latin-1"), len(labels) > 1
    else:
        parent, _, last = name.removesuffix(".").rpartition(".")
        has_parent = parent != ""
    rule = _SPECIAL_USE.get(last.lower())
    if rule is SpecialUse.NXDOMAIN and not has_parent and not name.endswith("."):
        return None
    return rule


def is_ordinary(name: str) -> bool:
    """Whether a glance shows that a name is a host's and is not special: `is_hostname`, no `special_use`.

    False means that they have to be asked.
    """
    first = begins_with = "."  # letters: of the name, of the label
    length = last_length = 0
    for letter in name:
        if (
            "a" <= letter <= "z"
            or "0" <= letter <= "9"
            or "A" <= letter <= "Z"
            or letter == "-"
            or letter == "_"
        ):
            if length == 0:
                begins_with = letter
                if first == ".":
                    first = letter
            length += 1
        elif letter == "." and 0 < length <= _MAX_LABEL:
            last_length = length
            length = 0
        else:
            return False
    if length > _MAX_LABEL or first == "." or first == "-" or len(name) > _MAX_NAME - 2:
        return False
    length = length or last_length
    if length in (_ONION, _INVALID, _LOCALHOST):
        return begins_with not in "oOiIlL" or special_use(name) is None
    return True


def reverse_name(address: str) -> str:
    """The name whose PTR records name an address (RFC 1035, section 3.5; RFC 3596, section 2.5).

    IPv4 inside IPv6, mapped or compatible, is looked up as the IPv4 address, as nss_dns does. A `%scope` is
    dropped. Raises OSError for what is no address.

    >>> reverse_name("192.0.2.7")
    '7.2.0.192.in-addr.arpa.'
    """
    if ":" not in address:
        packed = inet_pton(AF_INET, address)
    else:
        packed = inet_pton(AF_INET6, address.partition("%")[0])
        is_compatible = packed[:12] == bytes(12) and packed[12:] != b"\0\0\0\1"
        if is_compatible or packed[:12] == _MAPPED:
            packed = packed[12:]
    if len(packed) == 4:
        return ".".join(str(octet) for octet in reversed(packed)) + ".in-addr.arpa."
    return ".".join(reversed(packed.hex())) + ".ip6.arpa."


def is_hostname(name: str) -> bool:
    """Whether an address may be looked up for a name, or the name be shown as a CNAME's or PTR's (res_hnok).

    Labels hold letters, digits, `-` and `_`; the name must not start with `-`, which a program could take for
    an option. The root is one. glibc's nss_dns takes any other name for not found and asks nobody.
    """
    if "\\" in name:
        labels = to_labels(name)
        if labels is None:
            return False
        name = from_labels(labels)
    if name in ("", "."):
        return True
    return len(name.removesuffix(".")) <= _MAX_NAME - 2 and re.fullmatch(_HOSTNAME, name) is not None
