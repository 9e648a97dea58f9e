"""Measures gevent's resolvers: on the c-ares that gevent brings along, and on its thread pool with glibc."""

from workers import BOTH, V4, addresses_of, argument_parser, measure, run_on_gevent


def main() -> None:
    parser = argument_parser()
    parser.add_argument("--resolver", choices=["ares", "thread"], default="ares")
    arguments = parser.parse_args()
    client = f"gevent {arguments.resolver} {arguments.call}"
    if arguments.resolver == "ares":
        from gevent.resolver.ares import Resolver

        address, _, port = arguments.server.rpartition(":")
        resolver = Resolver(servers=[address], udp_port=int(port), tcp_port=int(port))
    else:
        from gevent.resolver.thread import Resolver

        resolver = Resolver()  # asks whom resolv.conf names
    if arguments.call == "A":
        measure(client, arguments, run_on_gevent, resolver.gethostbyname, lambda found: {found}, V4)
    else:
        measure(
            client, arguments, run_on_gevent, lambda name: resolver.getaddrinfo(name, 80), addresses_of, BOTH
        )
    resolver.close()


if __name__ == "__main__":
    main()
