"""The programs in C: compiled, and the responder started."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = ROOT / "build" / "benchmarks"
COMPILE = ["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wshadow", "-Wconversion"]
PROGRAMS = ("responder", "packets", "plain_cares", "glibc")


def build() -> None:
    """Compile the C programs that have changed; stops here with the compiler's own words if that fails."""
    BUILD.mkdir(parents=True, exist_ok=True)
    for program in PROGRAMS:
        if _is_new(BUILD / program, HERE / f"{program}.c", HERE / "bench.h", Path(__file__)):
            continue
        # The library that plain_cares opens looks for one symbol in the program itself, hence -rdynamic.
        command = [
            *COMPILE,
            "-rdynamic",
            str(HERE / f"{program}.c"),
            "-o",
            str(BUILD / program),
            "-ldl",
            "-pthread",
        ]
        if subprocess.run(command).returncode != 0:
            raise SystemExit(f"{program}.c does not compile")


def _is_new(made: Path, *sources: Path) -> bool:
    return made.exists() and made.stat().st_mtime > max(source.stat().st_mtime for source in sources)


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


@contextmanager
def responder(
    address: str = "127.0.0.1:0", *words: str, least_window: int = 0, within: tuple[str, ...] = ()
) -> Iterator[int]:
    """Yield the port of a running responder; warn if its socket may overflow.

    `within` is put before the command, to start it in another namespace or on another core.
    """
    command = [*within, str(BUILD / "responder"), address, *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        hello = json.loads(process.stdout.readline())
        if hello["window"] < least_window:
            print(
                f"The responder's socket surely holds only {hello['window']} of {least_window} datagrams,"
                " so some losses may be its own: raise net.core.rmem_max.\n"
            )
        yield hello["port"]  # leaving closes its stdin, and that ends it


def other_core() -> tuple[str, ...]:
    """What puts a command on the last core, where the clients are not; nothing where there is one core."""
    cores = sorted(os.sched_getaffinity(0) | set(range(os.cpu_count() or 1)))
    return ("taskset", "-c", str(cores[-1])) if len(cores) > 1 else ()


def stay_on_first_core() -> None:
    """Keep this process and its children, the clients, on one core, away from the responder's."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
