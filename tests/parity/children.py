"""Calls made in a child process, with what came of them."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import traceback
from collections.abc import Callable, Sequence

from tests.parity.cases import Answer, Call, Setting
from tests.parity.world import World, h_errno

PORT = 53
PATIENCE = 120  # seconds for the calls of one child
STALE = 77  # a number that h_errno never has: an herror that shows it was told nothing

Functions = dict[str, Callable[..., object]]
NAMES = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo", "getfqdn")


def of_glibc() -> Functions:
    """The functions of the socket module; before each call h_errno gets a value that tells nothing."""
    number = h_errno()

    def prepared(function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            number.value = STALE
            return function(*arguments)

        return call

    return {name: prepared(getattr(socket, name)) for name in NAMES}


def of_gdns() -> Functions:
    """The methods of a resolver of the system's settings."""
    from gdns import Resolver

    resolver = Resolver(cache=False)
    return {name: getattr(resolver, name) for name in NAMES}


def ask(
    world: World, setting: Setting, calls: Sequence[Call], make: Callable[[], Functions], is_alone: bool
) -> list[Answer]:
    """Make the calls in a child process, or with `is_alone` each in one of its own."""
    if is_alone:
        return [answer for call in calls for answer in _ask(world, setting, [call], make)]
    return _ask(world, setting, calls, make)


def _ask(
    world: World, setting: Setting, calls: Sequence[Call], make: Callable[[], Functions]
) -> list[Answer]:
    seen_before = world.server.query_count
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # for what both say of odd files
            signal.alarm(PATIENCE)
            os.environ.update(setting.environ)
            try:
                outcomes: object = _make_calls(calls, make())
            except BaseException:
                outcomes = traceback.format_exc()
            with os.fdopen(writing, "w") as pipe:
                json.dump(outcomes, pipe)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    outcomes = json.loads(text or '"nothing was heard of it"')
    if isinstance(outcomes, str):
        raise RuntimeError(f"a child ended with status {status} over {setting} {calls}: {outcomes}")
    questions = _questions_by_call(world, seen_before, len(calls))
    return [
        Answer(text, kind, number, frozenset(asked), seconds)
        for (text, kind, number, seconds), asked in zip(outcomes, questions, strict=True)
    ]


def _make_calls(calls: Sequence[Call], functions: Functions) -> list[tuple[str, str, int | None, float]]:
    marks = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    outcomes = []
    for index, call in enumerate(calls):
        marks.sendto(_mark(index), ("127.0.0.1", PORT))
        began = time.monotonic()
        try:
            outcome = repr(functions[call.function](*call.arguments)), "", None
        except Exception as error:
            kind = next(kind for kind in type(error).__mro__ if not kind.__module__.startswith("gdns"))
            number = error.errno if isinstance(error, OSError) else None
            outcome = repr(error.args), kind.__qualname__, number
        outcomes.append((*outcome, time.monotonic() - began))
    marks.sendto(_mark(len(calls)), ("127.0.0.1", PORT))
    return outcomes


def _mark(index: int) -> bytes:
    """A query that divides the server's log: for mark-INDEX. TXT."""
    label = b"mark-%d" % index
    return b"\0\0\0\0\0\1\0\0\0\0\0\0" + bytes((len(label),)) + label + b"\0\0\x10\0\1"


def _questions_by_call(world: World, seen_before: int, count: int) -> list[set[tuple[str, str]]]:
    last = f"mark-{count}."
    while True:
        questions = world.server.questions[seen_before:]
        if any(name == last for name, _ in questions):
            break
        time.sleep(0.001)
    by_call: list[set[tuple[str, str]]] = [set() for _ in range(count)]
    current: set[tuple[str, str]] = set()
    for name, rdtype in questions:
        if name.startswith("mark-") and rdtype == "TXT":
            index = int(name[5:-1])
            current = by_call[index] if index < count else set()
        else:
            current.add((name, rdtype))
    return by_call
