"""locust without its web page: users that ask for pages of a host with a name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.integration.conftest import DELAY, asked, environment, needs

pytestmark = needs("locust")

FILE = """
from locust import FastHttpUser, HttpUser, constant, events, task
from beat import Beat

class Slow(HttpUser):
    wait_time = constant(0.05)
    @task
    def get(self):
        self.client.get("/")

class Fast(FastHttpUser):
    wait_time = constant(0.05)
    @task
    def get(self):
        self.client.get("/fast")

beat = Beat()

@events.test_start.add_listener
def start(environment, **kwargs):
    beat.__enter__()

@events.quitting.add_listener
def quit(environment, **kwargs):
    print(f"longest gap: {beat.longest}")
"""


def test_twenty_users_ask_once_for_the_host_and_stop_nobody(names, web, tmp_path: Path):
    (tmp_path / "locustfile.py").write_text(FILE)
    words = [
        "--headless",
        "-u",
        "20",
        "-r",
        "20",
        "-t",
        "5s",
        "--host",
        f"http://shop.web.example:{web}",
        "--json",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "locust", *words, "-f", str(tmp_path / "locustfile.py")],
        env=environment(names),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    (gap,) = [line for line in done.stdout.splitlines() if line.startswith("longest gap: ")]
    stats = {entry["name"]: entry for entry in json.loads(done.stdout.replace(gap, ""))}
    assert set(stats) == {"/", "/fast"}
    for entry in stats.values():
        assert entry["num_requests"] > 20
        assert entry["num_failures"] == 0
    assert float(gap.split()[-1]) < DELAY / 2
    assert asked(names, "shop.web.example.") == ["A", "AAAA"]
