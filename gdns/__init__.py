"""A DNS resolver for greenlets: c-ares on the hub's event loop.

The functions of the `socket` module that look names up, and more, without stopping other greenlets::

    import gdns

    gdns.getaddrinfo("www.example.com", 443)
    gdns.lookup("www.example.com")
    gdns.resolve("example.com", "MX")

They are the methods of `default_resolver()`, which does as the system's settings say. A `Resolver` of one's
own takes other servers and other limits.

PYTEST_DONT_REWRITE: else pytest would warn where a program has loaded gdns before it.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gdns._version import __version__
from gdns.errors import AddressRefused, ConfigError, GaiError, HostError, ResolverClosed

if TYPE_CHECKING:
    from gdns import policy as policy
    from gdns.dnspython import patch_dnspython
    from gdns.overrides import override
    from gdns.patch import patch_socket
    from gdns.records import NXDOMAIN, YXDOMAIN, LifetimeTimeout, NoAnswer, NoNameservers
    from gdns.resolver import Resolver, default_resolver
    from gdns.watch import watch_blocking

    _of_default = Resolver()
    getaddrinfo = _of_default.getaddrinfo
    gethostbyname = _of_default.gethostbyname
    gethostbyname_ex = _of_default.gethostbyname_ex
    gethostbyaddr = _of_default.gethostbyaddr
    getnameinfo = _of_default.getnameinfo
    getfqdn = _of_default.getfqdn
    lookup = _of_default.lookup
    create_connection = _of_default.create_connection
    resolve = _of_default.resolve
    resolve_address = _of_default.resolve_address
    resolve_name = _of_default.resolve_name
    resolve_many = _of_default.resolve_many
    canonical_name = _of_default.canonical_name
    zone_for_name = _of_default.zone_for_name
    explain = _of_default.explain
    flush = _of_default.flush
    stats = _of_default.stats

_METHODS = (
    "getaddrinfo",
    "gethostbyname",
    "gethostbyname_ex",
    "gethostbyaddr",
    "getnameinfo",
    "getfqdn",
    "lookup",
    "create_connection",
    "resolve",
    "resolve_address",
    "resolve_name",
    "resolve_many",
    "canonical_name",
    "zone_for_name",
    "explain",
    "flush",
    "stats",
)
_ELSEWHERE = {"override": "gdns.overrides", "patch_socket": "gdns.patch", "watch_blocking": "gdns.watch"}
_EXCEPTIONS_OF_RESOLVE = ("NXDOMAIN", "LifetimeTimeout", "NoAnswer", "NoNameservers", "YXDOMAIN")

_EXTENSIONS = (
    "gdns._addresses",
    "gdns._ares",
    "gdns._clock",
    "gdns._datagram",
    "gdns._dicts",
    "gdns._libcares",
    "gdns._links",
    "gdns._ndjson",
    "gdns._routes",
    "gdns._rows",
    "gdns._sockets",
    "gdns._wire",
)

__all__ = [
    "AddressRefused",
    "ConfigError",
    "GaiError",
    "HostError",
    "LifetimeTimeout",
    "NXDOMAIN",
    "NoAnswer",
    "NoNameservers",
    "Resolver",
    "ResolverClosed",
    "YXDOMAIN",
    "__version__",
    "canonical_name",
    "create_connection",
    "default_resolver",
    "explain",
    "flush",
    "getaddrinfo",
    "getfqdn",
    "gethostbyaddr",
    "gethostbyname",
    "gethostbyname_ex",
    "getnameinfo",
    "lookup",
    "override",
    "patch_dnspython",
    "patch_socket",
    "resolve",
    "resolve_address",
    "resolve_many",
    "resolve_name",
    "stats",
    "watch_blocking",
    "zone_for_name",
]


def __getattr__(name: str) -> Any:
    """Load what is not needed by everybody, or not yet, when it is first asked for (PEP 562)."""
    value: object
    if name in ("Resolver", "default_resolver"):
        value = getattr(_engine(), name)
    elif name in _METHODS:
        value = getattr(_engine().default_resolver(), name)
    elif name == "patch_dnspython":
        value = importlib.import_module("gdns.alone" if _is_alone() else "gdns.dnspython").patch_dnspython
    elif name in _EXCEPTIONS_OF_RESOLVE:
        # brings dnspython, whose own exceptions stand in for ours where these cannot occur
        value = getattr(importlib.import_module("dns.resolver" if _is_alone() else "gdns.records"), name)
    elif name == "policy":
        return importlib.import_module("gdns.policy")
    elif name in _ELSEWHERE:
        value = getattr(importlib.import_module(_ELSEWHERE[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def _engine() -> ModuleType:
    """The module that serves: gdns' own engine or, where it cannot be imported, the system's resolver."""
    try:
        return importlib.import_module("gdns.resolver")
    except ImportError as error:
        if not _is_of_an_extension(error):
            raise
        alone = importlib.import_module("gdns.alone")
        alone.serve_alone(error)
        return alone


def _is_of_an_extension(error: ImportError) -> bool:
    """Whether one of our extension modules is missing or does not load, or finds no c-ares; else it is a bug.

    Elsewhere than on Linux there are no extensions, and modules are missing that we need beside them.
    """
    if sys.platform != "linux":
        return True
    return error.name in _EXTENSIONS and error.name not in sys.modules


def _is_alone() -> bool:
    """Whether the system's resolver serves because ours cannot be imported."""
    return bool(_engine().__name__ == "gdns.alone")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if os.environ.get("GDNS_WATCH", "") not in ("", "0"):
    __getattr__("watch_blocking")()
