"""Makes the demo's lookups with the blocking `socket` functions, in a process of its own.

That process has namespaces of its own too, so that the system's resolver asks the demo's server there on
port 53. It is told what to do by a JSON object on standard input, which one on standard output answers.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict

from gdns.cli import namespace
from gdns.cli.stage import ZoneSource, serve
from gdns.cli.workload import ANSWERED, Lookup, Measurement, gai_verdict, run
from gdns.hubs import NativeHub

PATIENCE = 120.0  # seconds after which the process is given up


def measure(zones: ZoneSource, lookups: Sequence[Lookup], greenlets: int) -> Measurement | str:
    """What came of the lookups; or a str that says why they could not be made."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "gdns.cli.blocking"],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},  # ours may be no installed gdns
            input=json.dumps({"zones": zones, "lookups": lookups, "greenlets": greenlets}),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return f"not finished after {PATIENCE:g} s"
    if done.returncode != 0:
        return done.stderr.strip().rpartition("\n")[2] or f"ended with status {done.returncode}"
    result = json.loads(done.stdout)
    return result if isinstance(result, str) else Measurement(**result)


def make_lookup(lookup: Lookup) -> str:
    """Block for one lookup and return its verdict. `resolve` has no counterpart but getaddrinfo."""
    NativeHub.of_this_thread().sleep(0)  # the lookup gives nobody a turn
    try:
        if lookup.function == "gethostbyname":
            socket.gethostbyname(lookup.name)
        else:
            socket.getaddrinfo(lookup.name, 80, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return gai_verdict(error)
    return ANSWERED


def main() -> None:
    """Be the process."""
    task = json.load(sys.stdin)
    try:
        namespace.enter()
        server = serve(task["zones"], port=53)
        namespace.point_system_at_loopback()
    except OSError as error:
        print(json.dumps(f"namespaces are refused here ({error.strerror or error})"))
        return
    with server:
        socket.getaddrinfo("localhost", None)  # the first call sets up the system's resolver
        measurement = run([Lookup(*fields) for fields in task["lookups"]], make_lookup, task["greenlets"])
    print(json.dumps(asdict(measurement)))


if __name__ == "__main__":
    main()
