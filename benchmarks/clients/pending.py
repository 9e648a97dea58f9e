"""Measures what it takes to have all look-ups pending at once: memory for each, and CPU until all have ended.

The responder is one that holds its answers until it is asked for a TXT record, which is done once every
greenlet has begun. "idle" greenlets ask nothing and only wait: what memory a greenlet takes by itself.
"""

from __future__ import annotations

import gc
import json
import resource
import socket
import sys
from collections.abc import Callable

from workers import argument_parser, expected_addresses, now, peak

PAGE = resource.getpagesize()
Lookup = Callable[[str], str]


def resident() -> int:
    """The memory this process has now, in octets."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * PAGE


def give_the_word(server: str) -> None:
    address, _, port = server.rpartition(":")
    query = bytes.fromhex("471101000001000000000000") + b"\x02go\x05bench\x07example\x00\x00\x10\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.sendto(query, (address, int(port)))


def main() -> None:
    parser = argument_parser()
    parser.add_argument("--who", choices=["gdns", "ares", "idle"], default="gdns")
    parser.add_argument("--hub", choices=["gevent", "native"], default="gevent")
    arguments = parser.parse_args()
    names = [f"n{number}.bench.example" for number in range(arguments.names)]
    found: list[str | None] = [None] * len(names)
    begun = errors = 0

    if arguments.hub == "gevent":
        import gevent

        gevent.get_hub()
        spawn = gevent.spawn
        pause = gevent.sleep
        join = gevent.joinall
    else:
        from gdns.hubs import NativeHub

        native = NativeHub.of_this_thread()
        spawn = native.spawn
        pause = native.sleep

        def join(tasks: list[object]) -> None:
            native.join(*tasks)

    wake_all: Callable[[], None] = lambda: None  # noqa: E731
    lookup: Lookup
    if arguments.who == "gdns":
        from gdns import Resolver

        resolver = Resolver([arguments.server], timeout=60.0, attempts=1, cache=False)
        lookup = lambda name: resolver.lookup(name, socket.AF_INET)[0]  # noqa: E731
    elif arguments.who == "ares":
        from gevent.resolver.ares import Resolver as Ares

        address, _, port = arguments.server.rpartition(":")
        lookup = Ares(servers=[address], udp_port=int(port), timeout=60.0, tries=1).gethostbyname
    else:
        from gdns.hubs import Waiter, current

        hub = current()
        waiting: list[Waiter] = []

        def lookup(name: str) -> str:
            waiter = Waiter(hub)
            waiting.append(waiter)
            waiter.park()
            return ""

        def wake_all() -> None:
            while waiting:
                waiting.pop().wake()

    def look_up(number: int) -> None:
        nonlocal begun, errors
        begun += 1
        try:
            found[number] = lookup(names[number])
        except OSError as error:
            if not errors:
                print(repr(error), file=sys.stderr)
            errors += 1

    gc.collect()
    before = resident()
    start = now()
    tasks = [spawn(look_up, number) for number in range(len(names))]
    while begun < len(names):
        pause(0)
    all_pending = resident()
    if arguments.who == "idle":
        hub.call_soon(wake_all)
    else:
        give_the_word(arguments.server)
    join(tasks)
    end = now()
    wrong = sum(
        {address} != expected_addresses(name, [socket.AF_INET])
        for name, address in zip(names, found, strict=True)
        if address
    )
    print(
        json.dumps(
            {
                "client": f"{arguments.who} on {arguments.hub}, pending",
                "lookups": len(names),
                "answered": len(names) - errors,
                "wrong": wrong,
                "cpu_us_per_lookup": round((end.cpu - start.cpu) / len(names) * 1e6, 3),
                "wall": round(end.wall - start.wall, 3),
                "peak": peak(),
                "pending": round((all_pending - before) / len(names), 1),
            }
        )
    )


if __name__ == "__main__":
    main()
