"""Measures what a lookup costs the client: gdns beside its peers, all beside bare packets.

    python benchmarks/run.py --names 20000 --in-flight 1000 --repetitions 5

README.md says what is measured, how to read it, how to add a client.
"""

import argparse
import ctypes
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = ROOT / "build" / "benchmarks"
COMPILE = ["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wshadow", "-Wconversion"]
CHILD_LIMIT = 120.0  # seconds; a client that takes longer has failed
REFERENCE = "plain c-ares"


@dataclass(frozen=True)
class Report:
    """What a client says of one run: the line of JSON that bench.h and workers.py print."""

    client: str
    lookups: int
    answered: int
    wrong: int  # of the answered: not exactly the addresses that the responder gives
    cpu_us_per_lookup: float  # microseconds, user and system
    wall: float  # seconds

    @property
    def lost(self) -> int:
        return self.lookups - self.answered


@dataclass
class Client:
    """A command that takes `port names in_flight`, with its reports: one per repetition."""

    label: str
    command: list[str]
    reports: list[Report] = field(default_factory=list)
    complaint: str = ""  # the last line it wrote to stderr, or why it gave no report
    has_failed: bool = False

    def run(self, port: int, names: int, in_flight: int) -> None:
        """Add one report. A client that has failed once is not run again."""
        if self.has_failed:
            return
        command = [*self.command, str(port), str(names), str(in_flight)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=CHILD_LIMIT
            )
        except subprocess.TimeoutExpired:
            self.has_failed = True
            self.complaint = f"not done within {CHILD_LIMIT:.0f} s"
            return
        if done.stderr:
            self.complaint = done.stderr.strip().splitlines()[-1]
        if done.returncode != 0:
            self.has_failed = True
            self.complaint = self.complaint or f"ended with status {done.returncode}"
            return
        self.reports.append(Report(**json.loads(done.stdout)))

    @property
    def lost(self) -> int:
        return sum(report.lost for report in self.reports)

    @property
    def wrong(self) -> int:
        return sum(report.wrong for report in self.reports)

    @property
    def is_right(self) -> bool:
        """Whether every lookup of every repetition got its answer."""
        return not self.has_failed and self.lost == self.wrong == 0

    def ratio_to(self, other: "Client") -> float:
        """The median of the ratios within each repetition: noise that lasts seconds falls on both."""
        return median(
            mine.cpu_us_per_lookup / theirs.cpu_us_per_lookup
            for mine, theirs in zip(self.reports, other.reports, strict=False)
        )


def find_libcares() -> Path:
    """The file that gdns takes c-ares from: GDNS_LIBCARES, else the extension in pycares' wheel."""
    if explicit := os.environ.get("GDNS_LIBCARES"):
        return Path(explicit)
    spec = find_spec("pycares")
    found = [
        path
        for folder in (spec and spec.submodule_search_locations) or []
        for path in Path(folder).glob("_cares*.so")
    ]
    if not found:
        raise SystemExit("no c-ares to compare with: install pycares, or set GDNS_LIBCARES")
    return found[0]


def clients_of(call: str, libcares: Path, word: str) -> list[Client]:
    """Who does the work of `call` ("A", "getaddrinfo"): the reference, and those with `word` in the label."""
    plain_cares = [str(BUILD / "plain_cares"), str(libcares)]
    gdns = python_client("gdns_lookup.py" if call == "A" else "gdns_getaddrinfo.py")
    gevent_ares = python_client("gevent_ares.py")
    clients = [
        Client("bare packets", [str(BUILD / "packets"), call]),
        Client(REFERENCE, [*plain_cares, "tuned", call]),
        Client("plain c-ares, its defaults", [*plain_cares, "stock", call]),
        Client("gdns on gevent", [*gdns, "--hub", "gevent"]),
        Client("gdns on its own hub", [*gdns, "--hub", "native"]),
        Client("gevent ares", [*gevent_ares, "--call", "gethostbyname" if call == "A" else "getaddrinfo"]),
    ]
    return [client for client in clients if word in client.label or client.label == REFERENCE]


def python_client(script: str) -> list[str]:
    return [sys.executable, str(HERE / "clients" / script)]


def build() -> None:
    """Compile the C programs; stops here with the compiler's own words if that fails."""
    BUILD.mkdir(parents=True, exist_ok=True)
    for program in ("responder", "packets", "plain_cares"):
        # The library that plain_cares opens looks for one symbol in the program itself, hence -rdynamic.
        command = [*COMPILE, "-rdynamic", str(HERE / f"{program}.c"), "-o", str(BUILD / program), "-ldl"]
        if subprocess.run(command).returncode != 0:
            raise SystemExit(f"{program}.c does not compile")


@contextmanager
def responder(least_window: int) -> Iterator[int]:
    """Yield the port of a running responder; warn if its socket may overflow."""
    command = [str(BUILD / "responder"), "0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        hello = json.loads(process.stdout.readline())
        if hello["window"] < least_window:
            print(
                f"The responder's socket surely holds only {hello['window']} of {least_window} datagrams,"
                " so some losses may be its own: raise net.core.rmem_max.\n"
            )
        yield hello["port"]  # leaving closes its stdin, and that ends it


def environment(libcares: Path) -> str:
    """One line on what the figures were measured with; no name of the machine."""
    ares_version = ctypes.CDLL(str(libcares)).ares_version
    ares_version.restype = ctypes.c_char_p
    cpus = [text for text in Path("/proc/cpuinfo").read_text().splitlines() if text.startswith("model name")]
    parts = [
        date.today().isoformat(),
        f"{os.cpu_count()} x {cpus[0].partition(': ')[2] if cpus else platform.machine()}",
        f"Linux {platform.release()}",
        f"Python {platform.python_version()}",
        f"c-ares {ares_version(None).decode()}",
    ]
    for distribution in ("gdns-resolver", "greenlet", "gevent"):
        with suppress(PackageNotFoundError):
            parts.append(f"{distribution} {version(distribution)}")
    return ", ".join(parts)


def table(clients: list[Client]) -> Iterator[str]:
    """The lines of one work's table, then what the clients complained of."""
    (reference,) = (client for client in clients if client.label == REFERENCE)
    if not reference.reports:
        raise SystemExit(f"{REFERENCE}: {reference.complaint}")
    yield (
        f"{'':28}{'us/lookup':>10}{'least-most':>16}{'x plain c-ares':>16}"
        f"{'lost':>9}{'wrong':>9}{'lookups/s':>12}"
    )
    for client in clients:
        if client.reports:
            yield f"{client.label:28}{row(client, reference)}"
    for client in clients:
        if client.complaint:
            yield f"  {client.label}: {client.complaint}"


def row(client: Client, reference: Client) -> str:
    costs = [report.cpu_us_per_lookup for report in client.reports]
    rate = median(report.lookups / report.wall for report in client.reports)
    return (
        f"{median(costs):10.1f}{f'{min(costs):.1f}-{max(costs):.1f}':>16}{client.ratio_to(reference):16.2f}"
        f"{client.lost:9,}{client.wrong:9,}{rate:12,.0f}"
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--names", type=int, default=10_000, help="unique names per run (%(default)s)")
    parser.add_argument("--in-flight", type=int, default=1_000, help="lookups outstanding (%(default)s)")
    parser.add_argument("--repetitions", type=int, default=3, help="runs of each client (%(default)s)")
    parser.add_argument(
        "--only", default="", metavar="WORD", help=f"clients with WORD in their label, and {REFERENCE}"
    )
    return parser.parse_args()


def main() -> int:
    """Print the tables; 1 if a gdns client failed, or did not get every answer right."""
    arguments = parse_arguments()
    libcares = find_libcares()
    build()
    print(environment(libcares), end="\n\n", flush=True)
    works = {call: clients_of(call, libcares, arguments.only) for call in ("A", "getaddrinfo")}
    all_clients = [client for clients in works.values() for client in clients]
    with responder(least_window=2 * arguments.in_flight) as port:
        for _ in range(arguments.repetitions):
            for client in all_clients:
                client.run(port, arguments.names, arguments.in_flight)
    setting = f"{arguments.names:,} unique names, {arguments.in_flight:,} in flight"
    for call, clients in works.items():
        print(f"{call}: {setting}, median of {arguments.repetitions}")
        print(*table(clients), "", sep="\n")
    return 0 if all(client.is_right for client in all_clients if client.label.startswith("gdns")) else 1


if __name__ == "__main__":
    sys.exit(main())
