"""Where the time of one lookup goes: the lane, the greenlets, the policies around them.

    make profile            (or: python benchmarks/profile.py --names 20000 --repetitions 7)

Each part is run by itself in a process of its own, interleaved with the others, against the responder in
C. What the policies cost is what a lookup takes beyond the lane that carries it and the greenlet that waits.
"""

from __future__ import annotations

import argparse
import json
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.programs import build, responder

A = 1


def lane_alone(port: int, names: int, in_flight: int) -> float:
    """Questions over the lane with nothing around it."""
    from gdns._datagram import DatagramLane
    from gdns._sockets import Sockets
    from gdns._wire import Question
    from gdns.servers import Server, ServerAddress

    sockets = Sockets()
    lane = DatagramLane(sockets)
    server = Server(ServerAddress("127.0.0.1", port))
    questions = [Question(f"n{number}.bench.example.", A) for number in range(names)]
    poll = select.poll()
    poll.register(sockets.fileno(), select.POLLIN)
    asked = ended = 0
    began = time.process_time()
    while ended < names:
        while asked < names and asked - ended < in_flight:
            lane.ask(server, questions[asked])
            asked += 1
        lane.flush()
        poll.poll()
        sockets.poll(256)
        lane.flush()
        while lane.take_ended() is not None:
            ended += 1
    return time.process_time() - began


def greenlets_alone(port: int, names: int, in_flight: int) -> float:
    """Greenlets that wait and are woken, for nothing."""
    from gdns.hubs import NativeHub, Waiter

    hub = NativeHub.of_this_thread()
    waiting: list[Waiter] = []

    def wake_all() -> None:
        woken = waiting[:]
        waiting.clear()
        for waiter in woken:
            waiter.wake()
        if waiting:
            hub.call_soon(wake_all)

    def work() -> None:
        for _ in numbers:
            waiter = Waiter(hub)
            if not waiting:
                hub.call_soon(wake_all)
            waiting.append(waiter)
            waiter.park()

    numbers = iter(range(names))
    return _run_workers(work, in_flight)


def stub(port: int, names: int, in_flight: int) -> float:
    """Questions to the stub from greenlets."""
    from gdns._wire import Question
    from gdns.hubs import NativeHub
    from gdns.servers import ServerAddress, Servers
    from gdns.stub import Stub

    asker = Stub(
        NativeHub.of_this_thread(), Servers([ServerAddress("127.0.0.1", port)]), timeout=5, attempts=2
    )

    def work() -> None:
        for number in numbers:
            asker.query(Question(f"n{number}.bench.example.", A))

    numbers = iter(range(names))
    return _run_workers(work, in_flight)


def lookup(port: int, names: int, in_flight: int) -> float:
    """The public `Resolver.lookup` of IPv4 addresses from greenlets."""
    from gdns import Resolver

    resolver = Resolver(nameservers=[f"127.0.0.1:{port}"])
    resolver.lookup("warm.bench.example.", 2)

    def work() -> None:
        for number in numbers:
            resolver.lookup(f"n{number}.bench.example.", 2)

    numbers = iter(range(names))
    return _run_workers(work, in_flight)


def _run_workers(work: Callable[[], None], count: int) -> float:
    from gdns.hubs import NativeHub

    hub = NativeHub.of_this_thread()
    workers = [hub.spawn(work) for _ in range(count)]
    began = time.process_time()
    hub.join(*workers)
    for worker in workers:
        worker.get()
    return time.process_time() - began


PARTS = {part.__name__: part for part in (lane_alone, greenlets_alone, stub, lookup)}


def main() -> None:
    """Run every part `--repetitions` times in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--names", type=int, default=20_000)
    parser.add_argument("--in-flight", type=int, default=1000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        cpu = PARTS[arguments.part](arguments.port, arguments.names, arguments.in_flight)
        print(json.dumps(cpu / arguments.names * 1e6))
        return
    build()
    figures: dict[str, list[float]] = {name: [] for name in PARTS}
    with responder() as port:
        command = [sys.executable, __file__, "--port", str(port)]
        command += ["--names", str(arguments.names), "--in-flight", str(arguments.in_flight)]
        for _ in range(arguments.repetitions):
            for name, taken in figures.items():
                done = subprocess.run([*command, "--part", name], check=True, capture_output=True, text=True)
                taken.append(json.loads(done.stdout))
    median = {name: statistics.median(taken) for name, taken in figures.items()}
    base = median["lane_alone"] + median["greenlets_alone"]
    print(f"CPU per A lookup, us; medians of {arguments.repetitions}; {arguments.in_flight} in flight\n")
    for label, microseconds in (
        ("the lane alone: sockets, writing, reading", median["lane_alone"]),
        ("a greenlet that waits and is woken", median["greenlets_alone"]),
        ("policies of the stub: flight, deadline, window, health", median["stub"] - base),
        ("policies above it: settings, hosts, search, order", median["lookup"] - median["stub"]),
        ("all policies", median["lookup"] - base),
        ("a whole Resolver.lookup", median["lookup"]),
    ):
        print(f"{microseconds:8.1f}  {label}")


if __name__ == "__main__":
    main()
