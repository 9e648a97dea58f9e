"""Makes the rows of getaddrinfo(3)."""

from gdns.endpoints import Endpoint
from gdns.netdb import AddrInfo

def rows(addresses: tuple[str, ...], ends: tuple[Endpoint, ...]) -> list[AddrInfo]:
    """The rows for these addresses, each with all endpoints: (socket type, protocol, port).

    What is behind the `%` of an IPv6 address is the number of an interface.
    """
