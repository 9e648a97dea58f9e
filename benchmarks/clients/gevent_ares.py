"""Measures gevent's resolver on the c-ares that gevent brings along."""

import socket

from gevent.resolver.ares import Resolver
from workers import addresses_of, argument_parser, measure, run_on_gevent


def main() -> None:
    parser = argument_parser()
    parser.add_argument("--call", choices=["gethostbyname", "getaddrinfo"], default="gethostbyname")
    arguments = parser.parse_args()
    client = f"gevent ares {arguments.call}"
    resolver = Resolver(servers=["127.0.0.1"], udp_port=arguments.port, tcp_port=arguments.port)
    if arguments.call == "gethostbyname":
        measure(
            client,
            arguments,
            run_on_gevent,
            lookup=resolver.gethostbyname,
            addresses=lambda address: {address},
            families=[socket.AF_INET],
        )
    else:
        measure(
            client,
            arguments,
            run_on_gevent,
            lookup=lambda name: resolver.getaddrinfo(name, 80),
            addresses=addresses_of,
            families=[socket.AF_INET, socket.AF_INET6],
        )
    resolver.close()


if __name__ == "__main__":
    main()
