"""Checks the arguments that resolvers are made with.

What cannot be used is a ConfigError, what is of the wrong type a TypeError; the text begins with the name of
the argument, which is `what`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from gdns._wire import Question
from gdns.errors import ConfigError
from gdns.names import encode_idna, to_labels
from gdns.rdtypes import A
from gdns.servers import ServerAddress


def servers_of(what: str, nameservers: Iterable[str]) -> list[ServerAddress]:
    """The servers as addresses, of which there is one at least."""
    if isinstance(nameservers, (str, bytes)):
        raise ConfigError(f"{what}: expected a list of addresses, not the single text {nameservers!r}")
    addresses = [ServerAddress.parse(text) for text in nameservers]
    if not addresses:
        raise ConfigError(f"{what}: expected at least one address")
    return addresses


def domains_of(domains: Mapping[str, Iterable[str]], is_idna2008: bool) -> dict[bytes, list[ServerAddress]]:
    """The servers by the wire form of their domain, in lower case."""
    if not isinstance(domains, Mapping):
        raise TypeError(f"domains: expected a dict, not {type(domains).__name__}")
    parsed = {}
    for domain, servers in domains.items():
        if not isinstance(domain, str):
            raise TypeError(f"domains: expected domains as str, not {type(domain).__name__}")
        try:
            key = Question(encode_idna(domain, is_idna2008), A).key[:-4]
        except ValueError as error:
            raise ConfigError(f"domains: {domain!r} is not a domain name ({error})") from None
        if key in parsed:
            raise ConfigError(f"domains: {domain!r} is there twice")
        parsed[key] = servers_of(f"domains: {domain}", servers)
    return parsed


def seconds(what: str, value: float) -> float:
    """A number of seconds that may be 0."""
    return 0.0 if value == 0 and not isinstance(value, bool) else positive_seconds(what, value)


def positive_seconds(what: str, value: float) -> float:
    """A number of seconds above 0, and not without end."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{what}: expected seconds as a number, not {type(value).__name__}")
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{what}: expected a positive number of seconds, not {value!r}")
    return float(value)


def whole(what: str, value: int, least: int, most: int) -> int:
    """A whole number between these two, which count."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what}: expected a whole number, not {type(value).__name__}")
    if not least <= value <= most:
        raise ConfigError(f"{what}: expected {least} to {most}, not {value}")
    return value


def suffixes_of(search: Iterable[str]) -> tuple[str, ...]:
    """The domains of a search list."""
    if isinstance(search, (str, bytes)):
        raise ConfigError(f"search: expected a list of domains, not the single text {search!r}")
    suffixes = tuple(search)
    for suffix in suffixes:
        if not isinstance(suffix, str):
            raise TypeError(f"search: expected domains as str, not {type(suffix).__name__}")
        if to_labels(suffix) is None:
            raise ConfigError(f"search: {suffix!r} is not a domain name")
    return suffixes
