"""gunicorn with preloaded gevent workers, that is, forked from a process that had resolved already."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import DELAY, HERE, asked, await_port, environment, free_port, needs

pytestmark = needs("gunicorn")

APP = """
from gevent import monkey
monkey.patch_all()
import json, os, socket
import gevent
from beat import Beat

socket.gethostbyname("preload.web.example")  # in the arbiter, before it forks

def app(environ, start_response):
    name = environ["PATH_INFO"].strip("/") + ".web.example"
    with Beat() as beat:
        lookups = [gevent.spawn(socket.gethostbyname, name) for _ in range(20)]
        gevent.joinall(lookups, raise_error=True)
    said = [os.getpid(), sorted({lookup.value for lookup in lookups}), beat.longest]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(said).encode()]
"""
WORKERS = 4


@pytest.fixture
def gunicorn(names, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Callable[[str], list[object]]]]:
    (tmp_path / "app.py").write_text(APP)
    port = free_port()
    words = ["gunicorn", "--preload", "-k", "gevent", "-w", str(WORKERS), "-b", f"127.0.0.1:{port}"]
    environ = environment(names)
    environ["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(HERE)])
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *words, "--graceful-timeout", "5", "app:app"],
            env=environ,
            cwd=tmp_path,
            stderr=log,
            text=True,
        )
    try:
        await_port(port, process)

        def get(path: str) -> list[object]:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=30) as page:
                found: list[object] = json.loads(page.read())
                return found

        yield process, get
    finally:
        process.terminate()
        process.wait(timeout=30)


def ask_all_workers(
    get: Callable[[str], list[object]], not_of: set[object], name: str
) -> dict[object, list[object]]:
    """What every worker says, of those that are none of `not_of`."""
    said: dict[object, list[object]] = {}
    give_up_at = time.monotonic() + 30
    while len(said) < WORKERS:
        assert time.monotonic() < give_up_at, f"{len(said)} workers answered"
        pid, *rest = get(name)
        if pid not in not_of and pid not in said:
            said[pid] = rest
    return said


def test_four_preloaded_workers_resolve_and_those_after_a_reload_do(gunicorn, names):
    process, get = gunicorn
    first = ask_all_workers(get, set(), "first")
    os.kill(process.pid, signal.SIGHUP)
    second = ask_all_workers(get, set(first), "second")
    for addresses, longest_gap in [*first.values(), *second.values()]:
        assert addresses == ["127.0.0.1"]
        assert longest_gap < DELAY / 2
    # the arbiter asks once each time it loads the program, each worker once for its twenty look-ups
    assert asked(names, "first.web.example.") == ["A"] * WORKERS
    assert WORKERS <= len(asked(names, "second.web.example.")) <= 2 * WORKERS
    assert set(asked(names, "preload.web.example.")) == {"A"}
