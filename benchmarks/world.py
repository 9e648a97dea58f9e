"""The private namespaces that everything is measured in: a network, and an /etc that names the responder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.clients.workers import BOTH, expected_addresses
from benchmarks.programs import responder

INSIDE = "GDNS_BENCH_INSIDE"
SERVER = "127.0.0.1:53"  # glibc, and whoever asks glibc, knows no other port
REMOTE = "192.0.2.1:53"
CACHED = 10  # names that the hosts file has


def is_inside() -> bool:
    """Whether this process was started by `reenter`."""
    return INSIDE in os.environ


def enter_with() -> list[str] | None:
    """What unshare(1) takes here to make a network and a mount namespace; None where that is refused."""
    for options in (["-mn"], ["-Urmn"]):
        try:
            if not subprocess.run(["unshare", *options, "true"], capture_output=True).returncode:
                return options
        except OSError:
            return None
    return None


def reenter(arguments: list[str]) -> int:
    """Run `python -m benchmarks` with these arguments inside new namespaces; its exit status."""
    options = enter_with()
    if options is None or not shutil.which("ip"):
        raise SystemExit(
            "needs unshare(1), allowed to make namespaces, and ip(8), of Debian's util-linux and iproute2"
        )
    command = ["unshare", *options, sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, env=os.environ | {INSIDE: "1"}).returncode


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


@contextmanager
def arranged() -> Iterator[None]:
    """Bring loopback up, and put an /etc in place in which DNS is the responder on port 53."""
    _run("ip", "link", "set", "lo", "up")
    with tempfile.TemporaryDirectory(prefix="gdns-bench-") as folder:
        etc = Path(folder) / "etc"
        shutil.copytree("/etc", etc, symlinks=True, ignore=_not_readable)
        cached = [f"cached{number}.bench.example" for number in range(CACHED)]
        lines = [f"{address} {name}" for name in cached for address in sorted(expected_addresses(name, BOTH))]
        for name, content in {
            "hosts": "\n".join(["127.0.0.1 localhost", *lines, ""]),
            "resolv.conf": "nameserver 127.0.0.1\n",
            "nsswitch.conf": "hosts: files dns\n",
        }.items():
            (etc / name).unlink(missing_ok=True)
            (etc / name).write_text(content)
        _run("mount", "--bind", str(etc), "/etc")
        try:
            yield
        finally:
            _run("umount", "/etc")


def _not_readable(folder: str, names: list[str]) -> list[str]:
    return [
        name for name in names if not os.access(os.path.join(folder, name), os.R_OK, follow_symlinks=False)
    ]


@contextmanager
def remote_responder(within: tuple[str, ...]) -> Iterator[str]:
    """A responder behind a pair of virtual cards, which nobody takes for loopback; yields ADDRESS:PORT."""
    address, _, _ = REMOTE.partition(":")
    waiting = ["unshare", "-n", "sh", "-c", "echo $$; read line; ip link set lo up; exec sleep 100000"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        pid = holder.stdout.readline().strip()
        there = ("nsenter", "-t", pid, "-n")
        try:
            _run("ip", "link", "add", "here0", "type", "veth", "peer", "name", "there0", "netns", pid)
            _run("ip", "addr", "add", "192.0.2.2/24", "dev", "here0")
            _run("ip", "link", "set", "here0", "up")
            _run(*there, "ip", "addr", "add", f"{address}/24", "dev", "there0")
            _run(*there, "ip", "link", "set", "there0", "up")
            with responder(REMOTE, within=(*there, *within)):
                yield REMOTE
        finally:
            holder.kill()
