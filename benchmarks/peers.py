"""The peers from PyPI, in an environment of their own under build/, and what is there of each."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.programs import ROOT

VENV = ROOT / "build" / "peers"
PACKAGES = ["aiodns", "dnspython", "eventlet", "gevent", "matplotlib", "pycares", "uvloop"]
_PROBE = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def install() -> None:
    """Make or renew the environment; what the index cannot give is left out, and the tables say so."""
    if not (VENV / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, "--upgrade", *PACKAGES], stderr=subprocess.DEVNULL).returncode:
        for package in PACKAGES:
            if subprocess.run([*pip, package], stderr=subprocess.DEVNULL).returncode:
                print(f"{package} cannot be installed here")


def python() -> str:
    """The interpreter for the peers: their environment's, or this one where it has not been made."""
    theirs = VENV / "bin" / "python"
    return str(theirs) if theirs.exists() else sys.executable


def versions(interpreter: str, *distributions: str) -> dict[str, str]:
    """The version of each distribution that an interpreter has."""
    done = subprocess.run(
        [interpreter, "-c", _PROBE, *distributions], capture_output=True, text=True, check=True, cwd="/"
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def node() -> str | None:
    """Node.js, where it is installed (Debian's nodejs)."""
    return shutil.which("node") or shutil.which("nodejs")


def site_packages(interpreter: str) -> str:
    """Where an interpreter's distributions are."""
    program = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    done = subprocess.run([interpreter, "-c", program], capture_output=True, text=True, check=True)
    return str(Path(done.stdout.strip()))
