"""What one source of names says about a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

try:
    import cython
except ImportError:  # compiled, it is not asked for
    from gdns import uncompiled as cython

from gdns.errors import HOST_NOT_FOUND
from gdns.names import is_hostname
from gdns.nsswitch import Status
from gdns.outcome import Outcome
from gdns.rdtypes import PTR

if TYPE_CHECKING:
    from gdns.hosts import Hit


@cython.cclass
@cython.no_gc
class HostEntry:
    """Addresses with their names, or the names of one address.

    `origin` says where they come from: lines of the hosts file, what DNS brought (with IPv4 and IPv6, the
    outcome whose CNAME chain names the host), or the special-use name that means this host.
    """

    __slots__ = ("addresses", "origin")
    status = Status.SUCCESS

    def __init__(self, addresses: tuple[str, ...], origin: Hit | Outcome | str) -> None:
        self.addresses = addresses
        self.origin = origin

    def names(self) -> tuple[str, list[str]]:
        """The canonical name, and the aliases in the order of the source (struct hostent).

        Of a CNAME chain, what is no host name is left out (glibc's res_hnok).
        """
        origin = self.origin
        if isinstance(origin, str):
            return shown(origin), []
        if not isinstance(origin, Outcome):
            return origin.canonical_name, list(origin.aliases)
        reply = origin.reply
        assert reply is not None
        if origin.question.rdtype == PTR:
            return shown(reply.targets[0]), []
        chain = (*reply.aliases, reply.canonical_name)
        # the first is the name asked for: as this caller spells it, not as whoever asked first for it
        names = [shown(name) for name in (origin.question.qname, *chain[1:]) if is_hostname(name)]
        return names[-1], names[:-1]


def host_entry(addresses: tuple[str, ...], origin: Hit | Outcome | str) -> HostEntry:
    """As the constructor makes it, for less."""
    entry = HostEntry.__new__(HostEntry)
    entry.addresses = addresses
    entry.origin = origin
    return entry


class Miss:
    """Why a source, or the last of several, has nothing, in the terms of nsswitch.conf(5) and netdb.h.

    `herrno` is the source's own word, `h_errno` what is then found in the variable of that name, which only
    DNS writes to. `outcome` is what DNS said, if it was asked. Where `is_certain` is False it did not say
    that there is no such name, nor that it has no such addresses.
    """

    __slots__ = ("status", "herrno", "outcome", "is_certain", "h_errno")

    def __init__(
        self,
        status: Status,
        herrno: int,
        outcome: Outcome | None = None,
        is_certain: bool = True,
        h_errno: int | None = None,
    ) -> None:
        self.status = status
        self.herrno = herrno
        self.outcome = outcome
        self.is_certain = is_certain
        self.h_errno = herrno if h_errno is None else h_errno


class Failure:
    """Why all sources together have nothing, in the numbers of getaddrinfo(3) and of h_errno."""

    __slots__ = ("eai", "h_errno", "outcome")

    def __init__(self, eai: int, h_errno: int = HOST_NOT_FOUND, outcome: Outcome | None = None) -> None:
        self.eai = eai
        self.h_errno = h_errno
        self.outcome = outcome


class Foreign:
    """A look-up that only the system's own resolver can make, and the reason why."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


def shown(name: str) -> str:
    """A name as the functions of netdb.h show it: without the final dot."""
    return name if name == "." else name.removesuffix(".")
