"""Measures gdns' `lookup` of IPv4 addresses."""

import socket

from workers import HUBS, argument_parser, measure

from gdns import Resolver


def main() -> None:
    parser = argument_parser()
    parser.add_argument("--hub", choices=HUBS, default="gevent")
    arguments = parser.parse_args()
    resolver = Resolver(nameservers=[f"127.0.0.1:{arguments.port}"])
    measure(
        f"gdns lookup on {arguments.hub}",
        arguments,
        HUBS[arguments.hub],
        lookup=lambda name: resolver.lookup(name, socket.AF_INET),
        addresses=set,
        families=[socket.AF_INET],
    )


if __name__ == "__main__":
    main()
