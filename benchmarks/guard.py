"""Tells whether a look-up takes more instructions than it did: counted by callgrind, against guard.json.

    python -m benchmarks.guard               compare; 1 if anything takes more than a tenth more
    python -m benchmarks.guard --update      count, and write guard.json
    python -m benchmarks.guard --runs 5      how far apart five countings lie

Instructions repeat where times do not. They depend on Python, c-ares, greenlet, gevent and the compiler, so
there is a baseline for each combination; one that is not in the file yet is told, and is no failure.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks import peers
from benchmarks.clients.counted import CASES, GROUP, LOOKUPS, REPEATS
from benchmarks.environment import ares_version
from benchmarks.programs import HERE, ROOT, build, find_libcares, responder

BASELINE = HERE / "guard.json"
TOLERANCE = 0.10
HUBS = ("native", "gevent")
Counts = dict[str, int]  # instructions of one look-up, by hub and case


def key() -> str:
    """What a count depends on."""
    found = peers.versions(sys.executable, "greenlet", "gevent")
    compiler = subprocess.run(["cc", "-dumpversion"], capture_output=True, text=True).stdout.strip()
    major = [".".join(found[name].split(".")[:2]) for name in sorted(found)]
    parts = [f"Python {platform.python_version()}", f"c-ares {ares_version(find_libcares())}"]
    parts += [f"{name} {version}" for name, version in zip(sorted(found), major, strict=True)]
    return ", ".join([*parts, f"cc {compiler}", platform.machine()])


def count() -> Counts:
    """Instructions that one look-up of each case takes, on each hub."""
    counts: Counts = {}
    for hub in HUBS:
        if hub == "gevent" and "gevent" not in peers.versions(sys.executable, "gevent"):
            continue
        for case, lookups, instructions in zip(CASES, LOOKUPS, _instructions(hub), strict=True):
            counts[f"{hub}: {case}"] = round(instructions / lookups)
    return counts


def _instructions(hub: str) -> list[int]:
    """What each case of clients/counted.py took, the median of its repeats."""
    core = ("taskset", "-c", str(min(os.sched_getaffinity(0))))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0", "PYTHONMALLOC": "pymalloc"}
    with (
        tempfile.TemporaryDirectory(prefix="gdns-guard-") as folder,
        responder("127.0.0.1:0", str(GROUP), within=(*core, *_never_interrupted())) as port,
    ):
        # on the same core as the responder, and never before it: a whole batch is there when the client looks
        command = ["setarch", "-R", "chrt", "--batch", "0", *core, "valgrind", "--tool=callgrind", "--quiet"]
        command += ["--dump-before=getsid", f"--callgrind-out-file={folder}/out"]
        command += [sys.executable, str(HERE / "clients" / "counted.py"), f"127.0.0.1:{port}", hub]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise SystemExit(done.stderr or f"counted.py ended with status {done.returncode}")
        parts = sorted(Path(folder).glob("out.*"), key=lambda path: int(path.suffix[1:]))
        totals = [int(re.findall(r"^totals: (\d+)", part.read_text(), re.MULTILINE)[0]) for part in parts]
    # a part ends with each mark, so every other one is a case; the first repeat makes what is made once
    counted = totals[1 : 2 * len(CASES) * REPEATS : 2]
    return [int(median(counted[first + 1 : first + REPEATS])) for first in range(0, len(counted), REPEATS)]


def _never_interrupted() -> tuple[str, ...]:
    """What starts a command so that it keeps its core until it waits; nothing where that is refused."""
    first = ("chrt", "--fifo", "1")
    return () if subprocess.run([*first, "true"], capture_output=True).returncode else first


def compare(counts: Counts, baseline: Counts) -> list[str]:
    """The table, a line for each case; those that take more are marked."""
    lines = []
    for name, counted in counts.items():
        before = baseline.get(name)
        if before is None:
            lines.append(f"{name:42}{counted:9,}  new")
        else:
            change = counted / before - 1
            mark = "  MORE" if change > TOLERANCE else "  less: --update" if change < -TOLERANCE else ""
            lines.append(f"{name:42}{counted:9,}{before:9,}{change:+8.1%}{mark}")
    return lines


def main() -> int:
    """1 if a look-up takes more than it did."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--update", action="store_true", help="write what is counted to guard.json")
    parser.add_argument(
        "--runs", type=int, default=1, help="count so often, and tell how far apart the counts lie"
    )
    arguments = parser.parse_args()
    for tool in ("valgrind", "setarch", "chrt", "taskset", "cc"):
        if not shutil.which(tool):
            print(f"skipped: {tool} is not installed (Debian: valgrind, util-linux, gcc)")
            return 0
    build()
    runs = [count() for _ in range(arguments.runs)]
    counts = {name: int(median(run[name] for run in runs)) for name in runs[0]}
    if arguments.runs > 1:
        for name in counts:
            every = [run[name] for run in runs]
            print(f"{name:42}{min(every):9,} to {max(every):9,}  {max(every) / min(every) - 1:.2%} apart")
    baselines: dict[str, Counts] = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    this = key()
    if arguments.update:
        baselines[this] = counts
        BASELINE.write_text(json.dumps(dict(sorted(baselines.items())), indent=1) + "\n")
        print(f"{this}: written to {BASELINE.name}")
    if this not in baselines:
        print(f"no baseline for {this}; `python -m benchmarks.guard --update` writes it")
    lines = compare(counts, baselines.get(this, {}))
    if any(line.endswith("MORE") for line in lines):
        again = count()  # a machine that is busy with others' work can add something, and take away nothing
        counts = {name: min(counted, again[name]) for name, counted in counts.items()}
        lines = compare(counts, baselines.get(this, {}))
    print("instructions of one look-up", *lines, sep="\n")
    return 1 if any(line.endswith("MORE") for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
