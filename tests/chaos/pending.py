"""More look-ups pending at once than there are ids: each is answered.

python -m tests.chaos.pending native|gevent [70000]
"""

from __future__ import annotations

import os
import sys
import time

import gdns
from gdns.testing import Server, delay
from tests.conftest import GeventRunner, NativeRunner

PATIENCE = 120.0  # seconds


def main(hub: str, count: int) -> int:
    """Ask for so many names at once while the server takes its time; the exit status."""
    runner = NativeRunner() if hub == "native" else GeventRunner()
    right = 0
    with Server(["*.example. 60 A 192.0.2.7"]) as server:
        server.fault("*.first.example.", delay(1.0))  # so that all are pending before one is answered
        with gdns.Resolver(
            [server.address], timeout=60.0, attempts=1, cache=False, hub=runner.hub
        ) as resolver:

            def look_up(number: int) -> None:
                nonlocal right
                zone = "first.example." if number < 1000 else "example."
                found = resolver.lookup(f"n{number}.{zone}", 2)
                right += found == ("192.0.2.7",)

            began = time.monotonic()
            tasks = [runner.spawn(lambda number=number: look_up(number)) for number in range(count)]
            runner.sleep(0.5)
            stub = resolver._engine().stub
            most = stub.pending
            runner.join(tasks, PATIENCE)  # type: ignore[arg-type]
            left = stub.pending
            seconds = time.monotonic() - began
    descriptors = len(os.listdir("/proc/self/fd"))
    print(f"{hub}: {right} of {count} right in {seconds:.1f} s; {most} pending at the most seen, {left} left,"
          f" {descriptors} descriptors")  # fmt: skip
    return 0 if right == count and not left and descriptors < 30 else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 70_000))
