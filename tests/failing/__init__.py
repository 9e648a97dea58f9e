"""Child processes in which system calls and allocations fail on command (failing.c, built when used)."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from textwrap import dedent

SOURCE = Path(__file__).parent / "failing.c"
PRELUDE = """
import ctypes, errno
_library = ctypes.CDLL(None)
fail_call = lambda name, first, count, error: _library.failing_call(name.encode(), first, count, error)
fail_memory = _library.failing_memory
fail_memory.argtypes = [ctypes.c_long, ctypes.c_long]
hits = _library.failing_hits

def spare_memory():
    try:
        fail_memory(0, 0)
    except BaseException:  # it was this call's own turn to fail
        fail_memory(0, 0)
"""


SANITIZED = "ASAN_OPTIONS" in os.environ  # by .ci/sanitize: its runtime keeps malloc to itself


@cache
def library() -> Path:
    """The compiled library. Needs a C compiler, as building gdns does."""
    built = Path(mkdtemp(prefix="gdns-failing-")) / "libfailing.so"
    subprocess.run(
        ["cc", "-O1", "-shared", "-fPIC", *(["-DCALLS_ALONE"] * SANITIZED), SOURCE, "-o", built, "-ldl"],
        check=True,
    )
    return built


def run(
    program: str, *arguments: str, timeout: float = 120, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run a program that has `fail_call`, `fail_memory`, `spare_memory`, `hits` (see failing.c)."""
    preloaded = " ".join(filter(None, (os.environ.get("LD_PRELOAD"), str(library()))))
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + dedent(program), *arguments],
        env={**os.environ, "LD_PRELOAD": preloaded, **environ},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
