"""geventhttpclient, which locust is built on, with the plugin."""

from __future__ import annotations

from tests.integration.conftest import DELAY, asked, needs

pytestmark = needs("geventhttpclient")

PROGRAM = """
from geventhttpclient import HTTPClient

def fetch(name):
    client = HTTPClient(name, int(sys.argv[1]), connection_timeout=30, network_timeout=30)
    try:
        return bytes(client.get("/").read()).decode().partition(":")[0]
    finally:
        client.close()

names = [f"n{number % 10}.web.example" for number in range(50)]
# measured
greenlets = [gevent.spawn(fetch, name) for name in names]
gevent.joinall(greenlets, raise_error=True)
said = [greenlet.value for greenlet in greenlets] == names
"""


def test_fifty_clients_ask_once_for_each_host_and_stop_nobody(run_app, names, web):
    done = run_app(PROGRAM, web)
    assert done.said is True
    assert done.longest_gap < DELAY / 2
    for number in range(10):
        assert set(asked(names, f"n{number}.web.example.")) <= {"A", "AAAA"}
        assert "A" in asked(names, f"n{number}.web.example.")
    assert len(names.questions) <= 20
