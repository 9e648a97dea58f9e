"""The exceptions of gdns, in the numbers and texts of netdb.h."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from gdns import outcome as _outcome

if TYPE_CHECKING:
    from gdns.outcome import Outcome, Status

EAI_BADFLAGS = -1
EAI_NONAME = -2
EAI_AGAIN = -3
EAI_FAIL = -4
EAI_NODATA = -5
EAI_FAMILY = -6
EAI_SOCKTYPE = -7
EAI_SERVICE = -8
EAI_ADDRFAMILY = -9
EAI_SYSTEM = -11

# gai_strerror(3) and hstrerror(3) of glibc; also elsewhere, so that programs see one text
GAI_TEXTS = {
    EAI_BADFLAGS: "Bad value for ai_flags",
    EAI_NONAME: "Name or service not known",
    EAI_AGAIN: "Temporary failure in name resolution",
    EAI_FAIL: "Non-recoverable failure in name resolution",
    EAI_NODATA: "No address associated with hostname",
    EAI_FAMILY: "ai_family not supported",
    EAI_SOCKTYPE: "ai_socktype not supported",
    EAI_SERVICE: "Servname not supported for ai_socktype",
    EAI_ADDRFAMILY: "Address family for hostname not supported",
}

NETDB_INTERNAL = -1  # errno says more
HOST_NOT_FOUND = 1
TRY_AGAIN = 2
NO_RECOVERY = 3
NO_DATA = 4

HOST_TEXTS = {
    HOST_NOT_FOUND: "Unknown host",
    TRY_AGAIN: "Host name lookup failure",
    NO_RECOVERY: "Unknown server error",
    NO_DATA: "No address associated with name",
}

EAI_OF: dict[Status, int] = {
    _outcome.NODATA: EAI_NODATA,
    _outcome.NXDOMAIN: EAI_NONAME,
    _outcome.SERVFAIL: EAI_AGAIN,
    _outcome.REFUSED: EAI_AGAIN,
    _outcome.FAILED: EAI_FAIL,
    _outcome.TIMEOUT: EAI_AGAIN,
    _outcome.UNREACHABLE: EAI_AGAIN,
    _outcome.CLOSED: EAI_FAIL,
    _outcome.INVALID: EAI_NONAME,
}


class ConfigError(ValueError):
    """A setting given by the caller that cannot be used; the text names it."""


class GaiError(socket.gaierror):
    """A failed look-up of a name: a `socket.gaierror` that knows how it came about.

    `errno` is one of EAI_* (netdb.h), `outcome` the `Outcome` it was made from, or None where no
    question was asked.
    """

    outcome: Outcome | None

    def __init__(self, number: int, text: str | None = None, outcome: Outcome | None = None) -> None:
        super().__init__(number, GAI_TEXTS[number] if text is None else text)
        self.outcome = outcome


class ResolverClosed(GaiError):
    """The resolver was closed before, or while, it looked up a name. Its number is EAI_FAIL."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        super().__init__(EAI_FAIL, "The resolver was closed", outcome)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.outcome,)


class AddressRefused(GaiError):
    """The resolver's policy refused every address of a host. Its number is EAI_FAIL.

    `host` is as it was asked for, `addresses` are those that were refused.
    """

    def __init__(self, host: str, addresses: tuple[str, ...]) -> None:
        super().__init__(
            EAI_FAIL, f"The address policy refused {host or 'this host'}: {', '.join(addresses)}"
        )
        self.host = host
        self.addresses = addresses

    def __reduce__(self) -> tuple[type[AddressRefused], tuple[str, tuple[str, ...]]]:
        return type(self), (self.host, self.addresses)


class HostError(socket.herror):
    """A failed look-up by the older functions: a `socket.herror` with its `outcome`, as in `GaiError`."""

    outcome: Outcome | None

    def __init__(self, number: int, outcome: Outcome | None = None) -> None:
        super().__init__(number, HOST_TEXTS[number])
        self.outcome = outcome
