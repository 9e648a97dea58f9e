"""What the figures were measured with; no name of a machine."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
from datetime import date
from pathlib import Path

from benchmarks.programs import ROOT


def ares_version(libcares: Path) -> str:
    """The version of a c-ares."""
    function = ctypes.CDLL(str(libcares)).ares_version
    function.restype = ctypes.c_char_p
    return str(function(None).decode())


def environment(libcares: Path, load: float) -> dict[str, str]:
    """What a reader needs to compare figures of his own with these."""
    cpus = [text for text in Path("/proc/cpuinfo").read_text().splitlines() if text.startswith("model name")]
    commit = "unknown"
    if shutil.which("git"):
        done = subprocess.run(["git", "describe", "--always"], cwd=ROOT, capture_output=True, text=True)
        commit = done.stdout.strip() or commit
    libc, version = platform.libc_ver()
    return {
        "date": date.today().isoformat(),
        "commit": commit,
        "processor": f"{os.cpu_count()} x {cpus[0].partition(': ')[2] if cpus else platform.machine()}",
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
        "net.core.rmem_max": Path("/proc/sys/net/core/rmem_max").read_text().strip(),
        "load before": f"{load:.2f}",
        "libc": f"{libc} {version}",
        "Python": platform.python_version(),
        "c-ares": ares_version(libcares),
    }
