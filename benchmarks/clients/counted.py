"""Runs under callgrind for the guard: each case REPEATS times, each between two calls of getsid(2) as marks.

usage: counted.py ADDRESS:PORT HUB

The responder answers in groups of GROUP questions, and look-ups that ask come GROUP questions at a time: so
the batches are the same in every run, whoever is fast. Nothing is freed by chance either: the garbage
collector is called before each case and kept out of it.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections.abc import Callable

REPEATS = 6  # the first makes what is made once; the guard takes the median of the others
HITS = 200
GROUP = 60  # questions in a batch: fewer than gdns sends before it has heard anything (128)
BATCHES = 4
CASES = ("getaddrinfo of a known name", "lookup of a known name", "A", "getaddrinfo")  # in this order
LOOKUPS = (HITS, HITS, GROUP * BATCHES, GROUP * BATCHES // 2)


def main() -> None:
    # here, for guard.py imports the names above without the programs
    from workers import HUBS  # type: ignore[import-not-found]

    from gdns import Resolver

    server, hub = sys.argv[1:]
    resolver = Resolver(nameservers=[server])
    run = HUBS[hub]
    names = iter(range(10**6))

    def known_getaddrinfo() -> None:
        for _ in range(HITS):
            resolver.getaddrinfo("known.bench.example", 80)

    def known_lookup() -> None:
        for _ in range(HITS):
            resolver.lookup("known.bench.example")

    def one_a() -> None:
        for _ in range(BATCHES):
            resolver.lookup(f"n{next(names)}.bench.example", socket.AF_INET)

    def one_getaddrinfo() -> None:
        for _ in range(BATCHES):
            resolver.getaddrinfo(f"n{next(names)}.bench.example", 80)

    cases: tuple[tuple[Callable[[], None], int], ...] = (
        (known_getaddrinfo, 1),
        (known_lookup, 1),
        (one_a, GROUP),
        (one_getaddrinfo, GROUP // 2),
    )
    run(lambda: (resolver.getaddrinfo("known.bench.example", 80), None)[1], 1)
    for work, workers in cases:
        for _ in range(REPEATS):
            gc.collect()
            gc.disable()
            os.getsid(0)
            run(work, workers)
            os.getsid(0)
            gc.enable()
    resolver.close()


if __name__ == "__main__":
    main()
