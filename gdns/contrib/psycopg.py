"""Gives libpq addresses, so that it need not look up the hosts it connects to.

libpq, under psycopg2 and psycopg 3, calls getaddrinfo(3) itself and stops the hub meanwhile. With `hostaddr`
it does not (libpq, "Parameter Key Words"), and goes on using `host` for TLS and the password file.

    conn = psycopg2.connect(**with_hostaddr("host=db.example dbname=shop"))
    patch_psycopg()  # or: let connect do so by itself
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

from gdns.errors import GaiError
from gdns.patch import resolver_in_force
from gdns.switch import Place, Switch

__all__ = ["patch_psycopg", "with_hostaddr"]


def with_hostaddr(conninfo: str = "", **keywords: Any) -> dict[str, Any]:
    """The keywords of a connection, with `hostaddr` for the hosts they name.

    `conninfo` is a connection string or URI of libpq's, which needs psycopg or psycopg2 to be read; keywords
    count more than it. A host with several addresses is listed with each, as libpq would try them. Names of
    folders, hosts without an address given already, and connections without a host stay as they are.
    Raises GaiError for a host that cannot be found, and what psycopg raises for a malformed string.
    """
    wanted = _parsed(conninfo) if conninfo else {}
    wanted |= {name: value for name, value in keywords.items() if value is not None}
    host = wanted.get("host") or os.environ.get("PGHOST")
    if not host or wanted.get("hostaddr") or os.environ.get("PGHOSTADDR"):
        return wanted
    hosts = str(host).split(",")
    ports = str(wanted.get("port") or os.environ.get("PGPORT") or "").split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    if len(ports) != len(hosts):
        return wanted  # libpq has its own words for that
    tried = [
        (name, address, port)
        for name, port in zip(hosts, ports, strict=True)
        for address in ([""] if not name or name[0] in "/@" else resolver_in_force().lookup(name))
    ]
    wanted["host"], wanted["hostaddr"], port_list = (",".join(column) for column in zip(*tried, strict=True))
    if port_list.strip(","):
        wanted["port"] = port_list
    return wanted


def patch_psycopg() -> Switch:
    """Let psycopg's and psycopg2's connect do so; `undo()` of what is returned puts theirs back.

    Both are patched if both are installed. A host that cannot be found is an OperationalError, as before.
    Raises ImportError if neither is installed.
    """
    places = []
    for module in ("psycopg2", "psycopg"):
        try:
            __import__(module)
        except ImportError:
            continue
        package = sys.modules[module]
        error = package.OperationalError
        connect = _connecting(package.connect, error)
        places.append(Place(package, "connect", connect))
        if module == "psycopg":
            kind = package.Connection
            places.append(
                Place(kind, "connect", classmethod(_connecting(vars(kind)["connect"].__func__, error, 1)))
            )
    if not places:
        raise ImportError("neither psycopg nor psycopg2 is installed: pip install psycopg, or psycopg2")
    return Switch(places)


def _connecting(
    connect: Callable[..., Any], not_found: type[Exception], skipped: int = 0
) -> Callable[..., Any]:
    """A `connect` that is given addresses; `skipped` arguments come before the connection string."""

    @functools.wraps(connect)
    def with_addresses(*args: Any, **keywords: Any) -> Any:
        before, dsn, after = args[:skipped], args[skipped : skipped + 1], args[skipped + 1 :]
        name = "conninfo" if "conninfo" in keywords else "dsn"
        conninfo = dsn[0] if dsn else keywords.pop(name, None)
        own = {key: keywords.pop(key) for key in _NOT_LIBPQ & keywords.keys()}
        try:
            wanted = with_hostaddr(conninfo or "", **keywords)
        except GaiError as error:  # in the words, and of the type, that users of psycopg look for
            raise not_found(f"could not translate host name to address: {error.strerror}") from error
        return connect(*before, "", *after, **wanted, **own)

    return with_addresses


_NOT_LIBPQ = {  # what psycopg's connect takes for itself
    "connection_factory",
    "cursor_factory",
    "async",
    "async_",
    "autocommit",
    "context",
    "prepare_threshold",
    "row_factory",
}


def _parsed(conninfo: str) -> dict[str, Any]:
    if sys.modules.get("psycopg2") is not None:
        return dict(sys.modules["psycopg2"].extensions.parse_dsn(conninfo))
    from psycopg.conninfo import conninfo_to_dict

    return dict(conninfo_to_dict(conninfo))
