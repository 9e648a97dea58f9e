"""More look-ups pending at once than there are ids: each is answered, and none takes more than 2 KiB.

python -m tests.chaos.pending native|gevent [70000]
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NoReturn

import gdns
from gdns.testing import Server, gather
from tests.conftest import GeventRunner, NativeRunner

PATIENCE = 120.0  # seconds
HELD = 1000  # look-ups that fill the server's window, so that all others wait behind them
TRIGGER = b"\0\7\1\0\0\1\0\0\0\0\0\0\1x\5first\7example\0\0\1\0\1"  # a query that lets go of those
MOST_OCTETS = 2048  # for one look-up, beside the greenlet that makes it and its stack


def main(hub: str, count: int) -> int:
    """Ask for so many names at once while the server takes its time; the exit status."""
    runner = NativeRunner() if hub == "native" else GeventRunner()
    right = 0
    with Server(["*.example. 60 A 192.0.2.7"]) as server:
        server.fault("*.first.example.", gather(HELD + 1))  # so that all are pending before one is answered
        with gdns.Resolver(
            [server.address], timeout=60.0, attempts=1, cache=False, hub=runner.hub
        ) as resolver:

            def look_up(number: int) -> None:
                nonlocal right
                zone = "first.example." if number < HELD else "example."
                found = resolver.lookup(f"n{number}.{zone}", 2)
                right += found == ("192.0.2.7",)

            runner.join([runner.spawn(lambda: resolver.lookup("one.example.", 2))], PATIENCE)  # type: ignore[arg-type]
            stub = resolver._engine().stub
            before = resident()
            began = time.monotonic()
            tasks = begin(runner, look_up, count)
            most = stub.pending
            while (most < count or server.query_count <= HELD) and time.monotonic() - began < PATIENCE:
                runner.sleep(0.05)
                most = max(most, stub.pending)
            taken = (resident() - before - stacks(tasks)) / count
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trigger:
                trigger.sendto(TRIGGER, ("127.0.0.1", server.port))
            runner.join(tasks, PATIENCE)  # type: ignore[arg-type]
            left = stub.pending
            seconds = time.monotonic() - began
    descriptors = len(os.listdir("/proc/self/fd"))
    command = [sys.executable, "-m", "tests.chaos.pending", hub, str(count), "bare"]
    bare = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(
        f"{hub}: {right} of {count} right in {seconds:.1f} s; {most} pending at the most seen, {left} left,"
        f" {descriptors} descriptors; {taken - bare:.0f} octets each beside a greenlet's {bare:.0f}"
    )
    is_well = right == most == count and not left and descriptors < 30 and taken - bare < MOST_OCTETS
    return 0 if is_well else 1


def measure_bare(hub: str, count: int) -> NoReturn:
    """Print how many octets a greenlet takes that waits for nothing in particular."""
    runner = NativeRunner() if hub == "native" else GeventRunner()
    runner.join([runner.spawn(lambda: None)], PATIENCE)  # type: ignore[arg-type]
    before = resident()
    begun = 0

    def wait(_: int) -> None:
        nonlocal begun
        begun += 1
        runner.sleep(PATIENCE)

    tasks = begin(runner, wait, count)
    while begun < count:
        runner.sleep(0.05)
    print((resident() - before - stacks(tasks)) / count, flush=True)
    os._exit(0 if tasks else 1)


def begin(runner: NativeRunner | GeventRunner, work: Callable[[int], object], count: int) -> list[object]:
    """So many greenlets at work."""
    return [runner.spawn(lambda number=number: work(number)) for number in range(count)]


def stacks(tasks: list[object]) -> int:
    """Octets of the stacks that parked greenlets have left in memory."""
    return sum(task._stack_saved for task in tasks)  # type: ignore[attr-defined]


def resident() -> int:
    """Octets of this process's memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    action = measure_bare if sys.argv[3:] == ["bare"] else main
    raise SystemExit(action(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 70_000))
