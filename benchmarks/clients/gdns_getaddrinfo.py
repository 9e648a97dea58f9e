"""Measures gdns' `getaddrinfo` of both families."""

import socket

from workers import HUBS, addresses_of, argument_parser, measure

from gdns import Resolver


def main() -> None:
    parser = argument_parser()
    parser.add_argument("--hub", choices=HUBS, default="gevent")
    arguments = parser.parse_args()
    resolver = Resolver(nameservers=[f"127.0.0.1:{arguments.port}"])
    measure(
        f"gdns getaddrinfo on {arguments.hub}",
        arguments,
        HUBS[arguments.hub],
        lookup=lambda name: resolver.getaddrinfo(name, 80),
        addresses=addresses_of,
        families=[socket.AF_INET, socket.AF_INET6],
    )


if __name__ == "__main__":
    main()
