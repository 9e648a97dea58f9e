"""Addresses of hosts as the user gives them, for the whole process or for one resolver."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from socket import AF_INET, AF_INET6, AF_UNSPEC, inet_ntop, inet_pton
from typing import Self
from weakref import WeakSet

from gdns.entries import Failure, HostEntry
from gdns.errors import EAI_NODATA, EAI_NONAME, HOST_NOT_FOUND, NO_DATA, ConfigError
from gdns.literals import parse_literal
from gdns.names import encode_idna, to_labels
from gdns.threads import QuietLock

Host = str | tuple[str, int]  # a host, or a host with the one port it is meant for
Addresses = str | Sequence[str] | None

Rule = tuple[int | None, tuple[str, ...] | None]  # port (None: any), addresses (None: there is no such name)
# by host in lower case without final dot; the first rule that fits counts
Table = Mapping[str, tuple[Rule, ...]]


class Overridden(str):
    """The name that was asked for, where its addresses are those given by the user (`HostEntry.origin`)."""

    __slots__ = ()


class Overrides:
    """What users have put in the place of look-ups; with `below`, over what stands there.

    `table` is never changed, but replaced: whoever reads it needs no lock. It is empty, and false, where
    nothing is overridden. `is_idna2008` says how hosts beyond ASCII are encoded.
    """

    __slots__ = ("table", "_below", "is_idna2008", "_above", "_handles", "__weakref__")

    def __init__(self, below: Overrides | None = None, is_idna2008: bool = False) -> None:
        self.table: Table = {}
        self._below = below
        self.is_idna2008 = is_idna2008
        self._above: WeakSet[Overrides] = WeakSet()
        self._handles: tuple[Override, ...] = ()  # the latest first
        if below is not None:
            with _lock:
                below._above.add(self)
                self._merge()

    def add(self, addresses: Mapping[Host, Addresses]) -> Override:
        """Put these in force, over those that are, until the handle's `undo()`.

        Raises TypeError and ConfigError, before anything is changed, for what is no host, port or address.
        """
        handle = Override(self, parse(addresses, self.is_idna2008))
        with _lock:
            self._handles = (handle, *self._handles)
            self._merge()
        return handle

    def remove(self, handle: Override) -> None:
        """Take a handle's out of force, whatever was put in since then."""
        with _lock:
            self._handles = tuple(other for other in self._handles if other is not handle)
            self._merge()

    def find(
        self, name: str, port: int, family: int, is_mapped: bool = False, wants_all: bool = False
    ) -> HostEntry | Failure | None:
        """What is given for a host, None if nothing is; `port` is 0 where none was asked for.

        The others are those of `Nss.host_addresses`.
        """
        for only_port, addresses in self.table.get(name.removesuffix(".").lower(), ()):
            if only_port is None or only_port == port:
                if addresses is None:
                    return Failure(EAI_NONAME, HOST_NOT_FOUND)
                wanted = _of_family(addresses, family, is_mapped, wants_all)
                return HostEntry(wanted, Overridden(name)) if wanted else Failure(EAI_NODATA, NO_DATA)
        return None

    def _merge(self) -> None:
        table: dict[str, tuple[Rule, ...]] = {}
        for handle in self._in_force():
            for host, rules in handle.rules.items():
                table[host] = table.get(host, ()) + rules
        self.table = table
        for above in list(self._above):
            above._merge()

    def _in_force(self) -> tuple[Override, ...]:
        return self._handles if self._below is None else self._handles + self._below._in_force()


class Override:
    """Addresses put in the place of look-ups: in force until `undo()`, or to the end of a `with` statement.

    Several may be undone in any order.
    """

    __slots__ = ("rules", "_overrides", "_is_on")

    def __init__(self, overrides: Overrides, rules: Table) -> None:
        self.rules = rules
        self._overrides = overrides
        self._is_on = True

    @property
    def is_on(self) -> bool:
        """Whether these are in force."""
        return self._is_on

    def undo(self) -> None:
        """Take them out of force; safe to call twice."""
        self._is_on = False
        self._overrides.remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.undo()


def override(addresses: Mapping[Host, Addresses]) -> Override:
    """Give hosts other addresses, in the whole process, as curl's `--resolve` does.

    The keys are hosts, or pairs of a host and the one port that is meant: `"api.example"`,
    `("api.example", 443)`. Case and a final dot make no difference, and a host that is not ASCII is meant by
    its A-labels (IDNA). A port is compared with the number that `getaddrinfo` or `create_connection` makes of
    theirs, be it given as text or as a service's name; functions without a port see only hosts without one.

    The values are an address, a list of addresses, or None: there is no such name (EAI_NONAME). They come out
    in the order given, which no rule of RFC 6724 changes, and only those of the family asked for (EAI_NODATA
    if there is none). AI_CANONNAME gives the name asked for.

    `getaddrinfo`, `gethostbyname`, `gethostbyname_ex`, `lookup`, `create_connection`, and the first half of
    `gethostbyaddr` see them in every resolver, thread and greenlet; `resolve` asks DNS as ever. Nothing is
    sent for such a host, and nobody waits. Hosts that are addresses themselves cannot be overridden.

    Returns a handle with `undo()`, which is a context manager too. Of several, the latest that has the host
    (and port) counts, and within one a pair before the host alone; a resolver's own come before the process'.
    Raises TypeError or ConfigError, before anything is changed, for what is no host, port or address.

    >>> with override({"api.example": "192.0.2.10", ("api.example", 443): ["192.0.2.11", "2001:db8::1"]}):
    ...     pass  # everybody who connects to api.example is sent there
    """
    return PROCESS.add(addresses)


def parse(addresses: Mapping[Host, Addresses], is_idna2008: bool = False) -> Table:
    """The rules of a mapping as users write it; raises as `override`."""
    if not isinstance(addresses, Mapping):
        raise TypeError(f"override: expected a mapping of hosts to addresses, not {_kind(addresses)}")
    rules: dict[str, dict[int | None, tuple[str, ...] | None]] = {}
    for key, value in addresses.items():
        host, port = _parse_key(key, is_idna2008)
        ports = rules.setdefault(host, {})
        if port in ports:
            raise ConfigError(f"override: {key!r} means the same as a key before it")
        ports[port] = _parse_value(key, value)
    # a rule for one port comes before the one for all
    return {
        host: tuple(sorted(ports.items(), key=lambda rule: rule[0] is None)) for host, ports in rules.items()
    }


def _parse_key(key: Host, is_idna2008: bool) -> tuple[str, int | None]:
    host: object = key
    port: int | None = None
    if isinstance(key, tuple):
        if len(key) != 2:
            raise TypeError(f"override: expected a host or (host, port), not {key!r}")
        host, port = key
        if isinstance(port, bool) or not isinstance(port, int):
            raise TypeError(f"override: the port of {key!r} must be a number, not {_kind(port)}")
        if not 1 <= port <= 65535:
            raise ConfigError(f"override: the port of {key!r} is not one of 1 to 65535")
    if not isinstance(host, str):
        raise TypeError(f"override: expected a host or (host, port), not {key!r}")
    try:
        name = encode_idna(host, is_idna2008)
    except UnicodeError as error:
        raise ConfigError(f"override: {host!r} is not the name of a host: {error}") from None
    if parse_literal(name) is not None:
        raise ConfigError(f"override: {host!r} is an address, which is nothing to look up")
    if name == "." or to_labels(name) is None:
        raise ConfigError(f"override: {host!r} is not the name of a host")
    return name.removesuffix(".").lower(), port


def _parse_value(key: Host, value: Addresses) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, str):
        return (_parse_address(key, value),)
    if isinstance(value, bytes) or not isinstance(value, Iterable):
        raise TypeError(f"override: {key!r} takes an address, a list of them, or None, not {_kind(value)}")
    addresses = tuple(_parse_address(key, address) for address in value)
    if not addresses:
        raise ConfigError(f"override: {key!r} has no address; None says that there is no such name")
    return addresses


def _parse_address(key: Host, address: object) -> str:
    """An address as inet_ntop(3) writes it."""
    if not isinstance(address, str):
        raise TypeError(f"override: {key!r} takes addresses as str, not {_kind(address)}")
    family = AF_INET6 if ":" in address else AF_INET
    try:
        return inet_ntop(family, inet_pton(family, address))
    except (OSError, ValueError):  # ValueError: non-ASCII, or a NUL
        raise ConfigError(f"override: {address!r}, given for {key!r}, is not an IP address") from None


def _kind(value: object) -> str:
    return type(value).__name__


def _of_family(addresses: tuple[str, ...], family: int, is_mapped: bool, wants_all: bool) -> tuple[str, ...]:
    if family == AF_UNSPEC:
        return addresses
    ipv4 = tuple(address for address in addresses if ":" not in address)
    if family == AF_INET:
        return ipv4
    ipv6 = tuple(address for address in addresses if ":" in address)
    if is_mapped and (wants_all or not ipv6):
        ipv6 += tuple("::ffff:" + address for address in ipv4)
    return ipv6


_lock = QuietLock()  # held to replace tables, never to read them
PROCESS = Overrides()
