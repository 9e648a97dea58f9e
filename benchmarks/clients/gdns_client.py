"""Measures gdns: `lookup` of IPv4 addresses ("A") or of both families, and `getaddrinfo`."""

import socket

from workers import BOTH, HUBS, V4, addresses_of, argument_parser, measure

from gdns import Resolver


def main() -> None:
    parser = argument_parser(["A", "lookup", "getaddrinfo"])
    parser.add_argument("--hub", choices=HUBS, default="gevent")
    arguments = parser.parse_args()
    resolver = Resolver(nameservers=[arguments.server])
    client, run = f"gdns {arguments.call} on {arguments.hub}", HUBS[arguments.hub]
    if arguments.call == "A":
        measure(client, arguments, run, lambda name: resolver.lookup(name, socket.AF_INET), set, V4)
    elif arguments.call == "lookup":
        measure(client, arguments, run, resolver.lookup, set, BOTH)
    else:
        measure(client, arguments, run, lambda name: resolver.getaddrinfo(name, 80), addresses_of, BOTH)


if __name__ == "__main__":
    main()
