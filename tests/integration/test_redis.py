"""redis-py with the plugin, against a real Redis."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import DELAY, asked, await_port, debian_program, free_port, needs

pytestmark = needs("redis")

PROGRAM = """
import redis

def count(number):
    client = redis.Redis(f"redis{number % 2}.web.example", int(sys.argv[1]), socket_connect_timeout=30)
    with client:
        return client.incr("counter")

# measured
greenlets = [gevent.spawn(count, number) for number in range(40)]
gevent.joinall(greenlets, raise_error=True)
said = sorted(greenlet.value for greenlet in greenlets)
"""


@pytest.fixture
def redis_port(tmp_path: Path) -> Iterator[int]:
    command = debian_program("redis-server", "redis-server")
    port = free_port()
    words = [command, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, text=True) as process:
        try:
            await_port(port, process)
            yield port
        finally:
            process.terminate()


def test_forty_clients_ask_once_for_each_host_and_stop_nobody(run_app, names, redis_port):
    done = run_app(PROGRAM, redis_port)
    assert done.said == list(range(1, 41))
    assert done.longest_gap < DELAY / 2
    for number in range(2):
        assert asked(names, f"redis{number}.web.example.") == ["A", "AAAA"]
