"""Measures eventlet's greendns, which is dnspython on eventlet's sockets; it asks whom resolv.conf names."""

import socket
import warnings

from workers import BOTH, V4, addresses_of, argument_parser, measure, run_on_eventlet

warnings.simplefilter("ignore")
from eventlet.support import greendns  # noqa: E402


def main() -> None:
    arguments = argument_parser().parse_args()
    client = f"eventlet {arguments.call}"
    if arguments.call == "A":
        measure(client, arguments, run_on_eventlet, greendns.gethostbyname, lambda found: {found}, V4)
    else:
        measure(
            client,
            arguments,
            run_on_eventlet,
            lambda name: greendns.getaddrinfo(name, 80, type=socket.SOCK_STREAM),
            addresses_of,
            BOTH,
        )


if __name__ == "__main__":
    main()
