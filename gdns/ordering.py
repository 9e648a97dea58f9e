"""The order of addresses: RFC 6724 as glibc's getaddrinfo sorts by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from socket import inet_aton
from typing import NamedTuple

try:
    import cython
except ImportError:  # compiled, it is not asked for
    from gdns import uncompiled as cython

from gdns._addresses import Address, distance, parse
from gdns.gaiconf import GaiConf, Prefix

_MEMO = 4096  # networks, and source addresses, of which is kept what the tables say

# `Verdict.rank`, from the first rule to the seventh; a bit that is set makes a destination worse
_UNREACHABLE = 1 << 36
_OTHER_SCOPE = 1 << 35
_DEPRECATED = 1 << 34
_NOT_HOME = 1 << 33
_OTHER_LABEL = 1 << 32
_HIGHEST = 0x7FFFFFFF  # precedence
_PRECEDENCE = _HIGHEST << 1
_TUNNEL = 1


class Source(NamedTuple):
    """The address this host would speak from, and what its interface says of it.

    `prefix_length` counts the on-link bits, 0 if unknown; `is_native` is false for tunnels.
    """

    address: str
    prefix_length: int = 0
    is_deprecated: bool = False
    is_home: bool = False
    is_native: bool = True


class _Traits:
    """What the tables say of an address."""

    __slots__ = ("label", "precedence", "scope")

    def __init__(self, label: int, precedence: int, scope: int) -> None:
        self.label = label
        self.precedence = precedence
        self.scope = scope


@cython.cclass
@cython.no_gc
class _Origin:
    """A source address as destinations are rated by it."""

    __slots__ = ("source", "address", "traits", "flags", "prefix_length")

    def __init__(self, source: Source, address: Address, traits: _Traits) -> None:
        self.source = source
        self.address = address
        self.traits = traits
        self.flags = (
            (_DEPRECATED if source.is_deprecated else 0)
            | (0 if source.is_home else _NOT_HOME)
            | (0 if source.is_native else _TUNNEL)
        )
        self.prefix_length = source.prefix_length


class Verdict:
    """How good a destination is from a source; smaller is better.

    `rank` is rules 1 to 7 in one number, `scope` rule 8, `distance` rule 9: bits beyond the common prefix,
    which tell only among addresses of one family.
    """

    __slots__ = ("is_ipv6", "rank", "scope", "distance")

    def __init__(self, is_ipv6: bool, rank: int, scope: int, distance: int) -> None:
        self.is_ipv6 = is_ipv6
        self.rank = rank
        self.scope = scope
        self.distance = distance

    def rules(self) -> tuple[int, ...]:
        """What rules 1 to 8 say, one by one."""
        rank = self.rank
        return (
            rank & _UNREACHABLE,
            rank & _OTHER_SCOPE,
            rank & _DEPRECATED,
            rank & _NOT_HOME,
            rank & _OTHER_LABEL,
            rank & _PRECEDENCE,
            rank & _TUNNEL,
            self.scope,
        )


def _verdict(is_ipv6: bool, rank: int, scope: int, distance: int) -> Verdict:
    """As the constructor makes it, for less."""
    verdict = Verdict.__new__(Verdict)
    verdict.is_ipv6 = is_ipv6
    verdict.rank = rank
    verdict.scope = scope
    verdict.distance = distance
    return verdict


class Policy:
    """The tables of gai.conf, and what they said so far."""

    def __init__(self, gai_conf: GaiConf | None = None) -> None:
        gai_conf = gai_conf or GaiConf()
        self._labels = _prepare(gai_conf.labels, 128)
        self._precedences = _prepare(gai_conf.precedences, 128)
        self._scopes = _prepare(gai_conf.scopes, 32)
        # What the tables say of a network, where no row tells its addresses apart: nearly everywhere
        self._networks: dict[int, _Traits] = {}
        rows = (*gai_conf.labels, *gai_conf.precedences)
        self._mixed = {row.network >> 64 for row in rows if row.bits > 64} | {0}
        self._mixed_ipv4 = any(row.bits > 112 and row.network >> 32 == 0xFFFF for row in rows) or any(
            row.bits > 16 for row in gai_conf.scopes
        )
        self._origins: dict[str, _Origin] = {}

    def judge(self, destination: str, source: Source | None) -> Verdict:
        """Rate a destination by the rules that look at one alone. Raises OSError for what is no address."""
        there = parse(destination)
        traits = self._traits(there)
        rank = (_HIGHEST - traits.precedence) << 1
        if source is None:
            return _verdict(there.is_ipv6, rank | _UNREACHABLE, traits.scope, 0)
        origin = self._origin(source)
        here = origin.traits
        rank |= origin.flags
        if traits.scope != here.scope:
            rank |= _OTHER_SCOPE
        if traits.label != here.label:
            rank |= _OTHER_LABEL
        bits = distance(there, origin.address)
        if not there.is_ipv6 and bits > 32 - (origin.prefix_length or 32):
            bits = 32  # glibc's rule 9: off the source's subnet, none is nearer
        return _verdict(there.is_ipv6, rank, traits.scope, bits)

    def _origin(self, source: Source) -> _Origin:
        origin = self._origins.get(source.address)
        if origin is None or origin.source is not source:
            if len(self._origins) >= _MEMO:
                self._origins.clear()
            address = parse(source.address)
            origin = self._origins[source.address] = _Origin(source, address, self._traits(address))
        return origin

    def _traits(self, address: Address) -> _Traits:
        network: int
        if address.is_ipv6:
            network = address.high
            is_mixed = network in self._mixed
        else:
            network = -1 - (address.low >> 16 & 0xFFFF)
            is_mixed = self._mixed_ipv4
        if is_mixed:
            return self._look_up(address)
        traits = self._networks.get(network)
        if traits is None:
            if len(self._networks) >= _MEMO:
                self._networks.clear()
            traits = self._networks[network] = self._look_up(address)
        return traits

    def _look_up(self, address: Address) -> _Traits:
        low: int = address.low
        mapped: int = address.high
        mapped = mapped << 64 | low
        scope = _scope6(mapped) if address.is_ipv6 else _value(self._scopes, low & 0xFFFFFFFF)
        return _Traits(_value(self._labels, mapped), _value(self._precedences, mapped), scope)


_Table = list[tuple[int, int, int]]  # bits to drop, what must remain, value


def _prepare(rows: Sequence[Prefix], width: int) -> _Table:
    return [(width - row.bits, row.network >> (width - row.bits), row.value) for row in rows]


def _value(table: _Table, number: int) -> int:
    for shift, prefix, value in table:
        if number >> shift == prefix:
            return value
    raise LookupError("a table ends in a prefix that fits all")


def _scope6(number: int) -> int:
    """The scope of an IPv6 address (RFC 6724, section 3.1); loopback counts as link-local."""
    first = number >> 120
    second = number >> 112 & 0xFF
    if first == 0xFF:
        return second & 0x0F
    if first == 0xFE and second >= 0x80:
        return 2 if second < 0xC0 else 5
    return 2 if number == 1 else 14


_RULES = (  # of RFC 6724, section 6, in the order of `Verdict.rank`
    "there is a way to it",
    "its scope is that of the source address",
    "its source address is not deprecated",
    "its source address is a home address",
    "its label is that of the source address",
    "its precedence is higher",
    "the way to it is no tunnel",
    "its scope is smaller",
)


def deciding_rule(one: Verdict, two: Verdict) -> tuple[int, str]:
    """The number of the rule of RFC 6724 that puts one address before another, and what it says.

    They are what `Policy.judge` says of each. 10 where none does, and they stay as they came.
    """
    for number, (rule, other, reason) in enumerate(zip(one.rules(), two.rules(), _RULES, strict=True)):
        if rule != other:
            return number + 1, reason
    if one.is_ipv6 == two.is_ipv6 and one.distance != two.distance:
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
    return arranged(destinations, [policy.judge(address, source_of(address)) for address in destinations])


def arranged(destinations: Sequence[str], verdicts: list[Verdict]) -> list[str]:
    """The destinations in the order that what `Policy.judge` says of each puts them in."""
    if len(verdicts) == 2:
        return list(destinations[::-1] if _precedes(verdicts[1], verdicts[0]) else destinations)
    ipv6 = sum([verdict.is_ipv6 for verdict in verdicts])
    if not ipv6 or ipv6 == len(verdicts):
        keys = [(verdict.rank, verdict.scope, verdict.distance) for verdict in verdicts]
        places = sorted(range(len(keys)), key=keys.__getitem__)
    else:
        places = _merge_sort(range(len(verdicts)), verdicts)
    return [destinations[place] for place in places]


def _merge_sort(places: Sequence[int], verdicts: Sequence[Verdict]) -> list[int]:
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


def _precedes(later: Verdict, earlier: Verdict) -> bool:
    """Whether a rule prefers the one that came later."""
    if later.rank != earlier.rank:
        return later.rank < earlier.rank
    if later.scope != earlier.scope:
        return later.scope < earlier.scope
    return later.is_ipv6 == earlier.is_ipv6 and later.distance < earlier.distance


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
