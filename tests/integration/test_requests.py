"""requests, urllib3 and grequests with the plugin."""

from __future__ import annotations

import pytest

from tests.integration.conftest import DELAY, asked, needs

pytestmark = needs("requests")

SESSIONS = """
import requests

def fetch(name):
    return requests.get(f"http://{name}:{sys.argv[1]}/", timeout=30).text.partition(":")[0]

names = [f"n{number % 10}.web.example" for number in range(50)]
# measured
greenlets = [gevent.spawn(fetch, name) for name in names]
gevent.joinall(greenlets, raise_error=True)
said = [greenlet.value for greenlet in greenlets] == names
"""
POOL = """
import urllib3
pool = urllib3.PoolManager(maxsize=50)
names = [f"n{number % 10}.web.example" for number in range(50)]
# measured
greenlets = [gevent.spawn(pool.request, "GET", f"http://{name}:{sys.argv[1]}/") for name in names]
gevent.joinall(greenlets, raise_error=True)
said = [greenlet.value.data.decode().partition(":")[0] for greenlet in greenlets] == names
"""
GREQUESTS = """
import grequests
# measured
pages = grequests.map(grequests.get(f"http://n0.web.example:{sys.argv[1]}/") for _ in range(50))
said = [page.status_code for page in pages] == [200] * 50
"""
DEAD = """
import requests
# measured
def fetch():
    try:
        requests.get("http://none.example/", timeout=30)
    except requests.ConnectionError as error:
        return "Name or service not known" in str(error)
said = gevent.spawn(fetch).get()
"""


@pytest.mark.parametrize(
    ("program", "hosts"),
    [
        pytest.param(SESSIONS, 10, id="requests"),
        pytest.param(POOL, 10, id="urllib3"),
        pytest.param(GREQUESTS, 1, id="grequests", marks=needs("grequests")),
    ],
)
def test_fifty_gets_ask_once_for_each_host_and_stop_nobody(run_app, names, web, program, hosts):
    done = run_app(program, web)
    assert done.said is True
    assert done.longest_gap < DELAY / 2
    for number in range(hosts):
        assert asked(names, f"n{number}.web.example.") == ["A", "AAAA"]
    assert len(names.questions) == 2 * hosts


def test_a_host_that_does_not_exist_fails_in_the_words_of_requests(run_app):
    done = run_app(DEAD)
    assert done.said is True
    assert done.longest_gap < DELAY / 2
