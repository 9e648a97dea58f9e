"""A celery worker with the gevent pool, its broker and its results in folders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.integration.conftest import DELAY, HERE, asked, environment, needs

pytestmark = needs("celery")

TASKS = """
import pathlib
from celery import Celery

here = pathlib.Path(__file__).parent
for name in ("queue", "processed", "results", "control"):
    (here / name).mkdir(exist_ok=True)
app = Celery("tasks", broker="filesystem://", backend=f"file://{here}/results")
app.conf.broker_transport_options = {
    "data_folder_in": str(here / "queue"),
    "data_folder_out": str(here / "queue"),
    "control_folder": str(here / "control"),
}
app.conf.broker_connection_retry_on_startup = True

@app.task
def look(name):
    import socket
    from beat import Beat
    with Beat() as beat:
        return socket.getaddrinfo(name, 80)[0][4][0], beat.longest
"""
SENDER = """
import json
from tasks import look
results = [look.delay(f"n{number % 3}.web.example") for number in range(30)]
print(json.dumps([result.get(timeout=50, interval=0.05) for result in results]))
"""


def test_thirty_tasks_at_once_ask_once_for_each_host_and_stop_nobody(names, tmp_path: Path):
    import json

    (tmp_path / "tasks.py").write_text(TASKS)
    environ = environment(names)
    environ["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(HERE)])
    worker_words = ["celery", "-A", "tasks", "worker", "-P", "gevent", "-c", "30", "--without-gossip"]
    with open(tmp_path / "log", "w") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", *worker_words, "--without-mingle", "--without-heartbeat"],
            env=environ,
            cwd=tmp_path,
            stdout=log,
            stderr=log,
        )
    try:
        done = subprocess.run(
            [sys.executable, "-c", SENDER],
            env=environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr + (tmp_path / "log").read_text()
    finally:
        worker.terminate()
        worker.wait(timeout=30)
    results = json.loads(done.stdout)
    assert [address for address, _ in results] == ["127.0.0.1"] * 30
    assert max(gap for _, gap in results) < DELAY / 2
    for number in range(3):
        assert asked(names, f"n{number}.web.example.") == ["A", "AAAA"]
