"""The longer run of `make fuzz`.

    python -m tests.fuzz [--seconds 60] [--seed N] [--mutations 20000]

First the reply reader by coverage (tests/fuzz/guided.py), then mutated replies through the resolver. Prints
the seed, so that what was found can be found again; exits with status 1 if anything was.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time

from tests.fuzz.guided import fuzz
from tests.fuzz.verdict import mutate_on


def main() -> int:
    """Run both."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for the reader by coverage")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--mutations", type=int, default=20_000, help="look-ups on each hub")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    spawn = multiprocessing.get_context("spawn")  # each begins without the other's modules
    jobs = [spawn.Process(target=fuzz, args=(arguments.seconds, arguments.seed))]
    if arguments.mutations:
        for hub in ("native", "gevent"):
            jobs.append(spawn.Process(target=mutate_on, args=(hub, arguments.mutations, arguments.seed)))
    status = 0
    for job in jobs:
        job.start()
        job.join()
        status |= job.exitcode != 0
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
