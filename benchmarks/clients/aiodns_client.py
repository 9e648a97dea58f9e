"""Measures aiodns, on asyncio's loop or on uvloop's."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import aiodns
from workers import BOTH, V4, argument_parser, measure_async

Main = Callable[[Coroutine[Any, Any, None]], None]


def run_on(loop: str) -> Main:
    if loop == "uvloop":
        import uvloop

        return uvloop.run
    return asyncio.run


def main() -> None:
    parser = argument_parser()
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    arguments = parser.parse_args()

    async def look_up_all() -> None:
        resolver = aiodns.DNSResolver(nameservers=[arguments.server])
        client = f"aiodns {arguments.call} on {arguments.loop}"
        errors = (aiodns.error.DNSError,)
        if arguments.call == "A":
            await measure_async(
                client,
                arguments,
                lambda name: resolver.query_dns(name, "A"),
                lambda found: {record.data.addr for record in found.answer},
                V4,
                errors,
            )
        else:
            await measure_async(
                client,
                arguments,
                lambda name: resolver.getaddrinfo(
                    name, port=80, family=socket.AF_UNSPEC, type=socket.SOCK_STREAM
                ),
                lambda found: {node.addr[0].decode() for node in found.nodes},
                BOTH,
                errors,
            )
        await resolver.close()

    run_on(arguments.loop)(look_up_all())


if __name__ == "__main__":
    main()
