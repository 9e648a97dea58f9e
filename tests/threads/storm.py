"""Eight threads look up with one resolver, each on its hub, while others change whatever can be changed."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from typing import Any

import gdns
from gdns.hubs import NativeHub
from gdns.testing import Server
from gdns.threads import original

THREADS = 8
NAMES = 40
ZONE = {f"n{number}.example.": {"A": f"192.0.2.{number + 1}"} for number in range(NAMES)}

start_thread = original("_thread", "start_new_thread")
allocate_lock = original("_thread", "allocate_lock")


def together(*functions: Callable[[], None]) -> list[str]:
    """Call functions in threads of the system's, all at once; what they raised."""
    troubles: list[str] = []
    ended = []

    def run(function: Callable[[], None], gate: Any) -> None:
        try:
            function()
        except BaseException as error:
            troubles.append(f"{function.__name__}: {error!r}")
        finally:
            gate.release()

    for function in functions:
        gate = allocate_lock()
        gate.acquire()
        ended.append(gate)
        start_thread(run, (function, gate))
    for gate in ended:
        gate.acquire()
    return troubles


def greenlets(kind: str, functions: list[Callable[[], object]]) -> None:
    """Run functions as greenlets of the calling thread's hub."""
    if kind == "gevent":
        import gevent

        jobs = [gevent.spawn(function) for function in functions]
        gevent.joinall(jobs, raise_error=True)
        gevent.get_hub().destroy(destroy_loop=True)
    else:
        hub = NativeHub.of_this_thread()
        tasks = [hub.spawn(function) for function in functions]
        hub.join(*tasks)
        for task in tasks:
            task.get()


def storm(kind: str, rounds: int, seed: int) -> list[str]:
    """What went wrong; nothing if all is well."""
    wrong: list[str] = []
    with Server(ZONE) as server, Server(ZONE) as other:
        resolver = gdns.Resolver([server.address], timeout=5.0, cache_entries=NAMES // 2)
        # what is loaded late is loaded now: a child of a fork waits for ever for a module that another thread
        # was importing (so it is with CPython's own locks)
        greenlets(kind, [lambda: resolver.gethostbyname("n1.example"), resolver.dump, resolver.stats])
        first = resolver.stats()["questions"]
        done: list[int] = []
        asked = [0] * THREADS
        resolver.on_outcome(lambda outcome: None)

        def user(number: int) -> Callable[[], None]:
            chance = random.Random(f"{seed} {number}")

            def look_up() -> None:
                for _ in range(rounds):
                    at = chance.randrange(NAMES)
                    found = resolver.gethostbyname(f"n{at}.example")
                    asked[number] += 1
                    if found != f"192.0.2.{at + 1}":
                        wrong.append(f"n{at}.example is {found}")

            def use() -> None:
                try:
                    greenlets(kind, [look_up] * 5)
                finally:
                    done.append(number)  # in one step

            return use

        def while_they_run(change: Callable[[int], object]) -> Callable[[], None]:
            def keep_changing() -> None:
                turn = 0
                while len(done) < THREADS:
                    turn += 1
                    change(turn)
                    sleep(0.0005)

            return keep_changing

        def flush(turn: int) -> None:
            resolver.flush(f"n{turn % NAMES}.example" if turn % 2 else None)

        def set_servers(turn: int) -> None:
            if not turn % 40:
                resolver.set_servers([(server, other)[turn // 40 % 2].address])

        def hook(turn: int) -> None:
            with resolver.on_query(lambda question, server: None), resolver.on_outcome(lambda outcome: None):
                pass

        def override(turn: int) -> None:
            with resolver.override({"n0.example": "192.0.2.1"}), gdns.override({f"x{turn}.example": None}):
                pass

        def look(turn: int) -> None:
            numbers = resolver.stats()
            if not 0 <= numbers["sent"] - numbers["resent"] <= numbers["questions"]:
                wrong.append(f"counted {numbers}")
            len(resolver.dump())

        def fork(turn: int) -> None:
            if turn % 50 or turn > 200:
                return
            child = os.fork()
            if not child:
                status = 1
                try:
                    resolver.flush(), resolver.stats(), resolver.on_query(len).undo()
                    status = 0 if resolver.gethostbyname("n1.example") == "192.0.2.2" else 2
                finally:
                    os._exit(status)
            if os.waitpid(child, 0)[1]:
                wrong.append("a child failed")

        sleep = original("time", "sleep")
        changes = [flush, set_servers, hook, override, look]
        if "t" not in sys.abiflags:  # a child of a process with other threads has but luck there
            changes.append(fork)
        wrong += together(
            *[user(number) for number in range(THREADS)], *[while_they_run(change) for change in changes]
        )
        numbers = resolver.stats()
        if sum(asked) != THREADS * 5 * rounds:
            wrong.append(f"{asked} look-ups ended")
        if (
            not sum(asked) * 0.9 < numbers["questions"] - first <= sum(asked)
        ):  # what is overridden asks nothing
            wrong.append(f"{numbers['questions']} questions counted for {sum(asked)} look-ups")
        kept = resolver._shared.cache
        if len(kept) > NAMES // 2 or sum(1 for _ in resolver.dump()) != len(kept):
            wrong.append(f"{len(kept)} entries")
        if resolver._shared.hooks.on_query or len(resolver._shared.hooks.on_outcome) != 1:
            wrong.append("hooks were left or lost")
        resolver.close()
    return wrong


def closing(kind: str, rounds: int) -> list[str]:
    """Resolvers that one thread closes while seven make their engines: nothing is left open."""
    wrong: list[str] = []
    with Server(ZONE) as server:
        for _ in range(rounds):
            resolver = gdns.Resolver([server.address], timeout=5.0)

            def use(resolver: gdns.Resolver = resolver) -> None:
                def look_up() -> None:
                    try:
                        while True:
                            resolver.flush()
                            resolver.gethostbyname("n1.example")
                    except (gdns.ResolverClosed, gdns.GaiError):
                        pass

                greenlets(kind, [look_up] * 2)

            wrong += together(*[use] * (THREADS - 1), resolver.close)
            try:
                resolver.gethostbyname("n1.example")
                wrong.append("a closed resolver answered")
            except (gdns.ResolverClosed, gdns.GaiError):
                pass
    return wrong
