"""Measures dnspython: its asynchronous resolver on asyncio, or the other one in threads.

`getaddrinfo` is its `resolve_name`, which asks for AAAA and A. With DISTINCT the resolver gets dnspython's
LRUCache, which it has not as it comes.
"""

import asyncio

import dns.asyncresolver
import dns.exception
import dns.resolver
from workers import BOTH, V4, argument_parser, measure, measure_async, run_in_threads

ERRORS = (dns.exception.DNSException, OSError)


def prepared(resolver, arguments):  # type: ignore[no-untyped-def]
    address, _, port = arguments.server.rpartition(":")
    resolver.nameservers, resolver.port, resolver.search = [address], int(port), []
    resolver.lifetime = 30.0
    if arguments.distinct:
        resolver.cache = dns.resolver.LRUCache()
    return resolver


def main() -> None:
    parser = argument_parser()
    parser.add_argument("--style", choices=["async", "threads"], default="async")
    arguments = parser.parse_args()
    client = f"dnspython {arguments.call}, {arguments.style}"

    async def look_up_all() -> None:
        resolver = prepared(dns.asyncresolver.Resolver(configure=False), arguments)
        if arguments.call == "A":
            await measure_async(
                client,
                arguments,
                lambda name: resolver.resolve(name, "A"),
                lambda found: {record.address for record in found},
                V4,
                ERRORS,
            )
        else:
            await measure_async(
                client,
                arguments,
                lambda name: resolver.resolve_name(name),
                lambda found: set(found.addresses()),
                BOTH,
                ERRORS,
            )

    if arguments.style == "async":
        asyncio.run(look_up_all())
        return
    resolver = prepared(dns.resolver.Resolver(configure=False), arguments)
    if arguments.call == "A":
        measure(
            client,
            arguments,
            run_in_threads,
            lambda name: resolver.resolve(name, "A"),
            lambda found: {record.address for record in found},
            V4,
            ERRORS,
        )
    else:
        measure(
            client,
            arguments,
            run_in_threads,
            lambda name: resolver.resolve_name(name),
            lambda found: set(found.addresses()),
            BOTH,
            ERRORS,
        )


if __name__ == "__main__":
    main()
