"""Measures gdns with lists of names: `Resolver.resolve_many`, and `gdns bulk` with NDJSON written to a file.

The command's own start is not counted: what one name takes is taken away.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from workers import V4, Moment, argument_parser, expected_addresses, now, peak

SAMPLE = {f"n{number}": expected_addresses(f"n{number}.bench.example", V4) for number in range(0, 10**6, 997)}


def resolve_many(server: str, names: int, in_flight: int) -> tuple[int, int, float, float, int]:
    from gdns import Resolver

    resolver = Resolver(nameservers=[server])
    if not hasattr(resolver, "resolve_many"):
        raise SystemExit("this gdns has no resolve_many")
    answered = wrong = 0
    resolver.lookup("warm-up.bench.example")
    start = now()
    questions = ((f"n{number}.bench.example", "A") for number in range(names))
    for result in resolver.resolve_many(questions, concurrency=in_flight):
        addresses = result.outcome.addresses
        answered += bool(addresses)
        number, _, _ = result.question[0].partition(".")
        if number in SAMPLE:  # all of them would be the caller's work, and on the clock
            wrong += set(addresses) != SAMPLE[number]
    end = now()
    return answered, wrong, end.cpu - start.cpu, end.wall - start.wall, peak()


def command(server: str, names: int, in_flight: int) -> tuple[int, int, float, float, int]:
    if subprocess.run([sys.executable, "-c", "import gdns.cli.bulk"], capture_output=True).returncode:
        raise SystemExit("this gdns has no bulk")
    with tempfile.TemporaryDirectory() as folder:
        small = run_command(Path(folder), server, 1, in_flight)
        large = run_command(Path(folder), server, names, in_flight)
        answered = wrong = 0
        with open(Path(folder) / "out") as lines:
            for line in lines:
                row = json.loads(line)
                found = {answer["answer"] for answer in (row.get("data") or row).get("answers", ())}
                answered += bool(found)
                wrong += bool(found) and found != expected_addresses(row["name"].rstrip("."), V4)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return answered, wrong, large.cpu - small.cpu, large.wall - small.wall, usage.ru_maxrss * 1024


def run_command(folder: Path, server: str, names: int, in_flight: int) -> Moment:
    """The CPU and the time that one run of the command takes."""
    # line by line: the system counts what this process had when it began the other to the other's memory
    with open(folder / "names", "w") as file:
        file.writelines(f"n{number}.bench.example\n" for number in range(names))
    words = [
        f"@{server}",
        "--concurrency",
        str(in_flight),
        "--output",
        str(folder / "out"),
        str(folder / "names"),
    ]
    (folder / "out").unlink(missing_ok=True)
    began = now()
    with subprocess.Popen(
        [sys.executable, "-m", "gdns", "bulk", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise SystemExit(said or f"gdns bulk ended with status {process.returncode}")
    return Moment(usage.ru_utime + usage.ru_stime, now().wall - began.wall)


def main() -> None:
    parser = argument_parser()
    parser.add_argument("--how", choices=["resolve_many", "command"], default="resolve_many")
    arguments = parser.parse_args()
    measure = resolve_many if arguments.how == "resolve_many" else command
    answered, wrong, cpu, wall, most = measure(arguments.server, arguments.names, arguments.in_flight)
    print(
        json.dumps(
            {
                "client": arguments.how,
                "lookups": arguments.names,
                "answered": answered,
                "wrong": wrong,
                "cpu_us_per_lookup": round(cpu / arguments.names * 1e6, 3),
                "wall": round(wall, 3),
                "peak": most,
            }
        )
    )


if __name__ == "__main__":
    main()
