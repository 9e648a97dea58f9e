"""Measures what a look-up costs the client, gdns beside its peers, and writes docs/performance.md.

    make bench                                 everything, under twenty minutes; writes the page
    make bench ARGS=--quick                    under three minutes, to a page under build/
    make bench ARGS="--work A --only gdns"     one table on the screen, and nothing written

README.md beside this says what is measured, how to read it, how to add a client.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from benchmarks import page, peers, works, world
from benchmarks.environment import environment
from benchmarks.field import Field
from benchmarks.programs import BUILD, ROOT, build, find_libcares, stay_on_first_core

COMMITTED = ROOT / "benchmarks" / "results.json"
GDNS = ("gdns on gevent", "gdns on its own hub")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer names and repetitions; the page goes to build/"
    )
    parser.add_argument("--tiny", action="store_true", help="only whether every client works; no page")
    parser.add_argument("--work", choices=["A", "getaddrinfo"], help="this table alone, on the screen")
    parser.add_argument(
        "--only", default="", metavar="WORD", help="clients with WORD in their label, and the reference"
    )
    parser.add_argument("--names", type=int, help="look-ups per run, with --work")
    parser.add_argument(
        "--in-flight", type=int, default=1_000, help="look-ups outstanding, with --work (%(default)s)"
    )
    parser.add_argument("--repetitions", type=int, help="runs of each client")
    parser.add_argument("--output", type=Path, help="where the figures go, as JSON")
    parser.add_argument(
        "--no-peers", action="store_true", help="install nothing: whoever is installed takes part"
    )
    return parser.parse_args()


def plan_of(arguments: argparse.Namespace) -> works.Plan:
    plan = works.TINY if arguments.tiny else works.QUICK if arguments.quick else works.FULL
    return replace(plan, only=arguments.only, repetitions=arguments.repetitions or plan.repetitions)


def output_of(arguments: argparse.Namespace) -> Path:
    if arguments.output:
        return Path(arguments.output)
    is_whole = not (arguments.quick or arguments.tiny or arguments.only or arguments.work)
    return COMMITTED if is_whole else BUILD / "results.json"


def measure(arguments: argparse.Namespace) -> int:
    """Inside the namespaces: measure, write the figures, print what was asked for."""
    began = time.monotonic()

    def tell(what: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {what}", file=sys.stderr, flush=True)

    load = os.getloadavg()[0]
    works.raise_limits()
    stay_on_first_core()
    with world.arranged():
        field = Field()
        todo = works.Works(field, plan_of(arguments), tell)
        if arguments.work:
            key = f"{arguments.work}/{arguments.in_flight}"
            figures = {key: todo.one(arguments.work, arguments.in_flight, arguments.names)}
        else:
            figures = todo.all()
    results = {
        "environment": environment(find_libcares(), load),
        "versions": field.versions(),
        "plan": "tiny" if arguments.tiny else "quick" if arguments.quick else "full",
        "repetitions": plan_of(arguments).repetitions,
        "minutes": round((time.monotonic() - began) / 60, 1),
        "works": figures,
    }
    output = output_of(arguments)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=1) + "\n")
    for key, found in figures.items():
        if "/" in key and key.split("/")[0] in ("A", "getaddrinfo"):
            print(f"\n{key.replace('/', ', ')} in flight\n\n{page.cost_table(found)}")
    return complain(figures)


def complain(figures: dict[str, works.Figures]) -> int:
    """Say which look-ups of gdns were lost or wrong; 1 if there were any."""
    bad = [
        f"{key}: {label}: {said['lost']} lost, {said['wrong']} wrong {said['complaint']}"
        for key, found in figures.items()
        for label, said in found.items()
        if label in GDNS and (said.get("lost") or said.get("wrong") or said.get("complaint"))
    ]
    print(*bad, sep="\n", file=sys.stderr)
    return 1 if bad else 0


def main() -> int:
    """1 if a gdns client failed, or did not get every answer right."""
    arguments = parse_arguments()
    if world.is_inside():
        return measure(arguments)
    build()
    if not arguments.no_peers:
        peers.install()
    status = world.reenter(sys.argv[1:])
    if status in (0, 1) and not (arguments.tiny or arguments.work or arguments.only):
        figures = output_of(arguments)
        whole = figures == COMMITTED
        target = ROOT / "docs" if whole else BUILD / "page"
        subprocess.run(
            [peers.python(), "-m", "benchmarks.plots", figures, target / "_static"], check=True, cwd=ROOT
        )
        page.write(figures, target / "performance.md")
        print(f"{target / 'performance.md'} is written")
    return status


if __name__ == "__main__":
    sys.exit(main())
