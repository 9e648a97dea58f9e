"""Finds out which servers are meant on the command line."""

from __future__ import annotations

import re
import socket

from gdns.cli.usage import UsageError
from gdns.errors import ConfigError, GaiError
from gdns.resolvconf import DNS_PORT, ResolvConf
from gdns.servers import ServerAddress

FORMS = "@192.0.2.1, @192.0.2.1:5300, @[2001:db8::1]:5300, @ns.example or @ns.example#5300"


def servers_for(
    server: str | None, family: int, port: int | None, resolv_conf: ResolvConf
) -> list[ServerAddress]:
    """The servers to ask: the one written after "@", or those of resolv.conf.

    `family` keeps those with an address of AF_INET or AF_INET6; `port` is for those written without one.
    Raises UsageError where there are none, or none of that family; ConfigError for what is no server.
    """
    if server is None:
        known = [ServerAddress.parse(text) for text in resolv_conf.nameservers]
        if port is not None:
            known = [address._replace(port=port) for address in known]
    else:
        known = _servers_called(server, port)
    servers = [address for address in known if family in (socket.AF_UNSPEC, address.family)]
    if not servers:
        version, other = (4, 6) if family == socket.AF_INET else (6, 4)
        named = f"@{server}" if server else "resolv.conf"
        raise UsageError(f"{named} names no server with an IPv{version} address: try -{other}")
    return servers


def _servers_called(text: str, port: int | None) -> list[ServerAddress]:
    """What is meant by "@text": an address, or every address of a host name; dig's `#port` is `:port`."""
    written, has_hash, after = text.partition("#")
    if has_hash:
        if port is not None:
            raise UsageError(f"the port of @{text} is given twice: leave out -p")
        host = f"[{written}]" if ":" in written and not written.startswith("[") else written
        return _servers_called(f"{host}:{after}", None)
    try:
        address = ServerAddress.parse(text)
    except ConfigError as error:
        named = re.fullmatch(r"([\w.-]*[a-z_][\w.-]*)(?::(\d+))?", text, re.IGNORECASE)
        if named is None:
            raise ConfigError(f"{error}; a server is written like {FORMS}") from None
    else:
        has_port = re.search(r"(^[^:\[\]]*|\]):\d+$", text.rpartition("://")[2]) is not None
        return [_at_port(address, has_port, port, text)]
    name, number = named.groups()
    from gdns.resolver import Resolver

    try:
        with Resolver() as resolver:
            found = resolver.lookup(name)
    except (GaiError, ValueError) as error:
        reason = error.strerror if isinstance(error, GaiError) else error
        raise UsageError(f"name server {text!r}: {reason}; give its address instead") from None
    at = f":{number or DNS_PORT}"
    addresses = [ServerAddress.parse(f"[{host}]{at}" if ":" in host else f"{host}{at}") for host in found]
    return [_at_port(address, number is not None, port, text) for address in addresses]


def _at_port(address: ServerAddress, has_port: bool, port: int | None, text: str) -> ServerAddress:
    if port is None:
        return address
    if has_port:
        raise UsageError(f"the port of @{text} is given twice: leave out -p")
    return address._replace(port=port)
