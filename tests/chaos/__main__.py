"""The long storm: 20,000 look-ups on each hub.

    python -m tests.chaos [--names 20000] [--seed 1] [--hub native|gevent]

Exits with status 1 if a look-up was lost, late or wrong, or if anything stayed behind.
"""

from __future__ import annotations

import argparse
import multiprocessing

from tests.chaos.verdict import run_one


def main() -> int:
    """Run the storms one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--names", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hub", choices=["native", "gevent"], action="append")
    arguments = parser.parse_args()
    status = 0
    for hub in arguments.hub or ["native", "gevent"]:
        process = multiprocessing.get_context("spawn").Process(
            target=run_one, args=(hub, arguments.names, arguments.seed)
        )
        process.start()
        process.join(300)
        if process.is_alive():
            print(f"{hub}: still not over after 300 s")
            process.kill()
        status |= process.exitcode != 0
    return int(status)


if __name__ == "__main__":
    raise SystemExit(main())
