"""resolv.conf(5), exactly as glibc 2.36 reads it."""

import os
import re
from collections.abc import Callable, Mapping
from socket import AF_INET6, gethostname, if_nametoindex, inet_aton, inet_ntop, inet_pton
from typing import NamedTuple

from gdns.files import WatchedFile, warn_once
from gdns.literals import Literal, parse_literal
from gdns.names import LOOPBACK_IPV4, from_octets

DNS_PORT = 53  # of every server: the file has no place for another
UNNAMED = (LOOPBACK_IPV4,)  # who is asked where the file names nobody
MAX_NAMESERVERS = 3  # MAXNS
MAX_NDOTS = 15  # RES_MAXNDOTS
MAX_TIMEOUT = 30  # seconds, RES_MAXRETRANS
MAX_ATTEMPTS = 5  # RES_MAXRETRY
MAX_SORTLIST = 10  # MAXRESOLVSORT

_ATOI = rb"[ \t\n\v\f\r]*([+-]?[0-9]+)"
_SORT_NET = rb"[^\s;/&\x80-\xff]*"
_SORT_MASK = rb"[^\s;\x80-\xff]*"


class ResolvConf(NamedTuple):
    """What resolv.conf, LOCALDOMAIN and RES_OPTIONS ask for.

    `nameservers` are addresses, IPv6 with `%` and the number of the scope if it has one. `search` holds the
    suffixes as written, octets beyond printable ASCII escaped; a leading dot, the lone dot and the empty
    suffix mean what `names.candidates` makes of them. `sortlist` pairs IPv4 networks with masks, as integers.
    `timeout` is in seconds. With `attempts` 0, glibc asks nobody.
    """

    nameservers: tuple[str, ...] = UNNAMED
    search: tuple[str, ...] = ()
    sortlist: tuple[tuple[int, int], ...] = ()
    ndots: int = 1
    timeout: int = 5
    attempts: int = 2
    rotate: bool = False
    edns0: bool = False
    trust_ad: bool = False
    use_vc: bool = False
    single_request: bool = False
    single_request_reopen: bool = False
    no_tld_query: bool = False
    no_aaaa: bool = False
    no_reload: bool = False
    names_servers: bool = False  # whether `nameservers` come from the file
    bad_nameserver_line: int | None = None  # number of the first nameserver line without an address


def read_resolv_conf(
    path: str | os.PathLike[str] = "/etc/resolv.conf",
    environ: Mapping[str, str] = os.environ,
    hostname: Callable[[], str] = gethostname,
) -> ResolvConf:
    """Read the file once; whatever it holds, a usable configuration comes out."""
    resolv_conf = WatchedFile(path, lambda content: parse_resolv_conf(content, environ, hostname)).look()
    warn_if_serverless(resolv_conf, os.fspath(path))
    return resolv_conf


def warn_if_serverless(resolv_conf: ResolvConf, path: str) -> None:
    """Log, once for a path, that the file names no server."""
    if not resolv_conf.names_servers:
        line = resolv_conf.bad_nameserver_line
        detail = f"line {line} holds no address" if line else "no nameserver line"
        warn_once(path, "names no server, asking " + UNNAMED[0], detail)


def parse_resolv_conf(
    content: bytes,
    environ: Mapping[str, str],
    hostname: Callable[[], str],
    interface_index: Callable[[str], int] = if_nametoindex,
) -> ResolvConf:
    """Parse the file's content (glibc's res_vinit_1); what it cannot mean is ignored.

    LOCALDOMAIN stands in for `search` and `domain`, RES_OPTIONS comes after the options. If neither says
    anything, the search list is the hostname's domain.
    """
    nameservers: list[str] = []
    search: list[bytes] = []
    sortlist: list[tuple[int, int]] = []
    options = _Options()
    bad_nameserver_line = None
    local_domain = environ.get("LOCALDOMAIN")
    if local_domain is not None:
        search = _split_local_domain(os.fsencode(local_domain))
    for number, line in enumerate(content.split(b"\n"), 1):
        line = line.partition(b"\0")[0]
        word = re.match(rb"[a-z]+(?=[ \t])", line)
        if word is None:
            continue
        words = re.split(rb"[ \t]+", line[word.end() :].strip(b" \t"))
        match word[0]:
            case b"nameserver":
                nameserver = _parse_nameserver(words[0], interface_index)
                if nameserver is not None:
                    nameservers.append(nameserver)
                elif bad_nameserver_line is None:
                    bad_nameserver_line = number
            case b"domain" if local_domain is None and words[0]:
                search = words[:1]
            case b"search" if local_domain is None and words[0]:
                search = words
            case b"sortlist":
                sortlist += _parse_sortlist(line[word.end() :])
            case b"options":
                options.read(line[word.end() :])
    if not search:
        _, has_domain, domain = hostname().partition(".")
        search = [os.fsencode(domain)] if has_domain else []
    options.read(os.fsencode(environ.get("RES_OPTIONS", "")))
    return ResolvConf(
        nameservers=tuple(nameservers[:MAX_NAMESERVERS]) or UNNAMED,
        search=tuple(from_octets(suffix) for suffix in search),
        sortlist=tuple(sortlist[:MAX_SORTLIST]),
        ndots=options.ndots,
        timeout=options.timeout,
        attempts=options.attempts,
        rotate=b"rotate" in options.flags,
        edns0=b"edns0" in options.flags,
        trust_ad=b"trust-ad" in options.flags,
        use_vc=b"use-vc" in options.flags,
        single_request=b"single-request" in options.flags,
        single_request_reopen=b"single-request-reopen" in options.flags,
        no_tld_query=bool(options.flags & {b"no-tld-query", b"no_tld_query"}),
        no_aaaa=b"no-aaaa" in options.flags,
        no_reload=b"no-reload" in options.flags,
        names_servers=bool(nameservers),
        bad_nameserver_line=bad_nameserver_line,
    )


def _split_local_domain(value: bytes) -> list[bytes]:
    """The first suffix ends at the first blank, even where it is empty; blanks then separate the others."""
    first, *others = re.split(rb"[ \t]+", value.partition(b"\n")[0])
    return [first, *filter(None, others)]


def _parse_nameserver(word: bytes, interface_index: Callable[[str], int]) -> str | None:
    literal = parse_literal(word.decode("latin-1"), interface_index=interface_index)
    if isinstance(literal, Literal) and literal.scope_id:
        return f"{literal.address}%{literal.scope_id}"
    if isinstance(literal, Literal):
        return literal.address
    if literal is not None:  # a scope that is none: glibc asks the address without it
        return inet_ntop(AF_INET6, inet_pton(AF_INET6, word.partition(b"%")[0].decode("ascii")))
    return None


def _parse_sortlist(text: bytes) -> list[tuple[int, int]]:
    entries: list[tuple[int, int]] = []
    position = 0
    while True:
        while text[position : position + 1] in (b" ", b"\t"):
            position += 1
        net = re.compile(_SORT_NET).match(text, position)
        assert net is not None  # it matches nothing, too
        if not net[0]:  # the end, a `;`, or an octet at which glibc would stay for ever
            return entries
        position = net.end()
        address = _inet_aton(net[0])
        if address is None:
            continue
        mask = _class_mask(address)
        if text[position : position + 1] in (b"/", b"&"):
            mask_text = re.compile(_SORT_MASK).match(text, position + 1)
            assert mask_text is not None
            position = mask_text.end()
            given = _inet_aton(mask_text[0])
            mask = mask if given is None else given
        entries.append((address, mask))


def _inet_aton(text: bytes) -> int | None:
    try:
        return int.from_bytes(inet_aton(text.decode("ascii")), "big")
    except OSError:
        return None


def _class_mask(address: int) -> int:
    """The mask of the network's class, A to C, from the days before CIDR."""
    if address < 0x80000000:
        return 0xFF000000
    return 0xFFFF0000 if address < 0xC0000000 else 0xFFFFFF00


_FLAGS = (  # in glibc's order: the first that begins the word counts
    b"inet6",
    b"rotate",
    b"edns0",
    b"single-request-reopen",
    b"single-request",
    b"no_tld_query",
    b"no-tld-query",
    b"no-reload",
    b"use-vc",
    b"trust-ad",
    b"no-aaaa",
)


class _Options:
    """The options met so far."""

    __slots__ = ("ndots", "timeout", "attempts", "flags")

    def __init__(self) -> None:
        self.ndots = 1
        self.timeout = 5
        self.attempts = 2
        self.flags: set[bytes] = set()

    def read(self, text: bytes) -> None:
        """Take in one line of options (glibc's res_setoptions); unknown words mean nothing."""
        for word in re.finditer(rb"[^ \t]+", text.partition(b"\0")[0]):
            name, has_value, _ = word[0].partition(b":")
            if not has_value or name not in (b"ndots", b"timeout", b"attempts"):
                self.flags.update([flag for flag in _FLAGS if word[0].startswith(flag)][:1])
                continue
            value = _atoi(text, word.start() + len(name) + 1)
            if name == b"ndots":
                self.ndots = min(value, MAX_NDOTS) & 15  # four bits in struct __res_state
            elif name == b"timeout":
                self.timeout = max(1, min(value, MAX_TIMEOUT))
            else:
                self.attempts = max(0, min(value, MAX_ATTEMPTS))


def _atoi(text: bytes, position: int) -> int:
    """C's atoi: blanks before the number are skipped, overflow wraps through long to int; no number is 0."""
    number = re.compile(_ATOI).match(text, position)
    if number is None:
        return 0
    digits = number[1].lstrip(b"+-0")
    magnitude = int(digits or b"0") if len(digits) < 20 else 1 << 63
    value = -magnitude if number[1].startswith(b"-") else magnitude
    value = max(-(1 << 63), min(value, (1 << 63) - 1))
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)
