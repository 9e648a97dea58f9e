"""The order of addresses: RFC 6724 as glibc's getaddrinfo sorts by it."""

from collections.abc import Callable, Sequence
from socket import AF_INET, AF_INET6, inet_aton, inet_pton
from typing import NamedTuple

from gdns.gaiconf import GaiConf, Prefix

_MEMO = 4096  # addresses whose verdicts are kept
_MAPPED = 0xFFFF << 32


class Source(NamedTuple):
    """The address this host would speak from, and what its interface says of it.

    `prefix_length` counts the on-link bits, 0 if unknown; `is_native` is false for tunnels.
    """

    address: str
    prefix_length: int = 0
    is_deprecated: bool = False
    is_home: bool = False
    is_native: bool = True


class _Traits(NamedTuple):
    """An address and what the tables say about it."""

    number: int
    width: int  # bits: 32 or 128
    label: int
    precedence: int
    scope: int


class _Verdict(NamedTuple):
    """How good a destination is from a source; smaller is better."""

    source: Source | None
    width: int
    rank: tuple[int, ...]  # rules 1 to 8
    distance: int  # rule 9: bits beyond the common prefix; tells only among addresses of one family


class Policy:
    """The tables of gai.conf, and what they said so far."""

    def __init__(self, gai_conf: GaiConf | None = None) -> None:
        gai_conf = gai_conf or GaiConf()
        self._labels = _prepare(gai_conf.labels, 128)
        self._precedences = _prepare(gai_conf.precedences, 128)
        self._scopes = _prepare(gai_conf.scopes, 32)
        # What the tables say of a network, where no row tells its addresses apart: nearly everywhere
        self._networks: dict[int, tuple[int, int, int]] = {}
        rows = (*gai_conf.labels, *gai_conf.precedences)
        self._mixed = {row.network >> 64 for row in rows if row.bits > 64} | {0}
        self._mixed_ipv4 = any(row.bits > 112 and row.network >> 32 == 0xFFFF for row in rows) or any(
            row.bits > 16 for row in gai_conf.scopes
        )
        self._verdicts: dict[str, _Verdict] = {}
        self._sources: dict[str, _Traits] = {}

    def judge(self, destination: str, source: Source | None) -> _Verdict:
        """Rate a destination by the rules that look at one alone."""
        verdict = self._verdicts.get(destination)
        if verdict is None or verdict.source is not source:
            if len(self._verdicts) >= _MEMO:
                self._verdicts.clear()
                self._sources.clear()
            verdict = self._verdicts[destination] = self._rate(destination, source)
        return verdict

    def _rate(self, destination: str, source: Source | None) -> _Verdict:
        there = self._traits(destination)
        if source is None:
            return _Verdict(None, there.width, (1, 0, 0, 0, 0, -there.precedence, 0, there.scope), 0)
        here = self._sources.get(source.address)
        if here is None:
            here = self._sources[source.address] = self._traits(source.address)
        rank = (
            0,  # rule 1: usable
            there.scope != here.scope,
            source.is_deprecated,
            not source.is_home,
            there.label != here.label,
            -there.precedence,
            not source.is_native,
            there.scope,
        )
        return _Verdict(source, there.width, rank, _distance(there, here, source.prefix_length))

    def _traits(self, address: str) -> _Traits:
        if ":" in address:
            packed = inet_pton(AF_INET6, address.partition("%")[0])
            number = mapped = int.from_bytes(packed, "big")
            network = number >> 64
            is_mixed = network in self._mixed
            width = 128
        else:
            packed = inet_pton(AF_INET, address)
            number = int.from_bytes(packed, "big")
            mapped = _MAPPED | number
            network = -1 - (number >> 16)
            is_mixed = self._mixed_ipv4
            width = 32
        said = self._networks.get(network)
        if said is None or is_mixed:
            scope = _scope6(packed) if width == 128 else _value(self._scopes, number)
            said = (_value(self._labels, mapped), _value(self._precedences, mapped), scope)
            if len(self._networks) >= _MEMO:
                self._networks.clear()
            self._networks[network] = said
        return _Traits(number, width, *said)


_Table = list[tuple[int, int, int]]  # bits to drop, what must remain, value


def _prepare(rows: Sequence[Prefix], width: int) -> _Table:
    return [(width - row.bits, row.network >> (width - row.bits), row.value) for row in rows]


def _value(table: _Table, number: int) -> int:
    for shift, prefix, value in table:
        if number >> shift == prefix:
            return value
    raise LookupError("a table ends in a prefix that fits all")


def _scope6(packed: bytes) -> int:
    """The scope of an IPv6 address (RFC 6724, section 3.1); loopback counts as link-local."""
    if packed[0] == 0xFF:
        return packed[1] & 0x0F
    if packed[0] == 0xFE and packed[1] >= 0x80:
        return 2 if packed[1] < 0xC0 else 5
    return 2 if packed == bytes(15) + b"\1" else 14


def _distance(there: _Traits, here: _Traits, prefix_length: int) -> int:
    """How many bits follow the common prefix; for IPv4 off the source's subnet, all (glibc's rule 9)."""
    distance = (there.number ^ here.number).bit_length()
    if there.width == 32 and distance > 32 - (prefix_length or 32):
        return 32
    return distance


_RULES = (  # of RFC 6724, section 6, in the order of `_Verdict.rank`
    "there is a way to it",
    "its scope is that of the source address",
    "its source address is not deprecated",
    "its source address is a home address",
    "its label is that of the source address",
    "its precedence is higher",
    "the way to it is no tunnel",
    "its scope is smaller",
)


def deciding_rule(
    first: str, second: str, source_of: Callable[[str], Source | None], policy: Policy
) -> tuple[int, str]:
    """The number of the rule of RFC 6724 that puts one address before another, and what it says.

    10 where none does, and they stay as they came.
    """
    one = policy.judge(first, source_of(first))
    two = policy.judge(second, source_of(second))
    for number, reason in enumerate(_RULES):
        if one.rank[number] != two.rank[number]:
            return number + 1, reason
    if one.width == two.width and one.distance != two.distance:
        return 9, "it has more bits in common with its source address"
    return 10, "no rule prefers one, so they stay as they came"


def order(
    destinations: Sequence[str], source_of: Callable[[str], Source | None], policy: Policy
) -> list[str]:
    """The destinations, most promising first (RFC 6724, section 6).

    `source_of` gives the address this host would speak from, None for an unreachable destination. Where no
    rule prefers one, they stay as they were. Raises OSError for what is no address.
    """
    if len(destinations) < 2:
        return list(destinations)
    verdicts = [policy.judge(address, source_of(address)) for address in destinations]
    first = verdicts[0]
    if all(verdict.width == first.width for verdict in verdicts):
        keys = [(verdict.rank, verdict.distance) for verdict in verdicts]
        places = sorted(range(len(keys)), key=keys.__getitem__)
    else:
        places = _merge_sort(range(len(verdicts)), verdicts)
    return [destinations[place] for place in places]


def _merge_sort(places: Sequence[int], verdicts: Sequence[_Verdict]) -> list[int]:
    """glibc's qsort, step by step: rule 9 is not transitive across families, so another would differ."""
    if len(places) < 2:
        return list(places)
    middle = len(places) // 2
    left, right = _merge_sort(places[:middle], verdicts), _merge_sort(places[middle:], verdicts)
    merged: list[int] = []
    i = j = 0
    while i < len(left) and j < len(right):
        if _precedes(verdicts[right[j]], verdicts[left[i]]):
            merged.append(right[j])
            j += 1
        else:
            merged.append(left[i])
            i += 1
    return merged + left[i:] + right[j:]


def _precedes(later: _Verdict, earlier: _Verdict) -> bool:
    """Whether a rule prefers the one that came later."""
    if later.rank != earlier.rank:
        return later.rank < earlier.rank
    return later.width == earlier.width and later.distance < earlier.distance


def apply_sortlist(addresses: Sequence[str], sortlist: Sequence[tuple[int, int]]) -> list[str]:
    """IPv4 addresses by the first network of resolv.conf's sortlist they are in, the others behind.

    What gethostbyname does with an answer's A records, and getaddrinfo when asked for AF_INET alone. A
    network is compared as written: with bits beyond its mask, nothing is in it.
    """
    if not sortlist or len(addresses) < 2:
        return list(addresses)

    def place(address: str) -> int:
        number = int.from_bytes(inet_aton(address), "big")
        return next((i for i, (net, mask) in enumerate(sortlist) if number & mask == net), len(sortlist))

    return sorted(addresses, key=place)
