"""Who takes part: each client's command, and one run of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, field

from benchmarks import peers
from benchmarks.figures import PORTS, REFERENCE, STOCK
from benchmarks.programs import BUILD, HERE, ROOT, find_libcares

# a label, the script with its options, the distributions it needs, and the microseconds of a look-up about
PEERS = (
    ("gevent ares", "gevent_client.py", "gevent", 170),
    ("gevent thread pool", "gevent_client.py --resolver thread", "gevent", 220),
    ("pycares, its own loop", "pycares_client.py", "pycares", 170),
    ("aiodns on asyncio", "aiodns_client.py", "aiodns", 250),
    ("aiodns on uvloop", "aiodns_client.py --loop uvloop", "aiodns uvloop", 230),
    ("dnspython on asyncio", "dnspython_client.py", "dnspython", 1200),
    ("dnspython in threads", "dnspython_client.py --style threads", "dnspython", 1200),
    ("eventlet greendns", "eventlet_client.py", "eventlet", 1300),
    ("bare packets on gevent", "bare_gevent.py", "gevent", 30),
    ("a dict", "floor.py", "", 0.4),
)


@dataclass(frozen=True)
class Report:
    """What a client says of one run: the line of JSON that bench.h and workers.py print."""

    client: str
    lookups: int
    answered: int
    wrong: int  # of the answered: not exactly the addresses that the responder gives
    cpu_us_per_lookup: float  # microseconds, user and system
    wall: float  # seconds
    peak: int = 0  # octets of memory, at the most; 0: not said
    pending: float = 0  # octets of memory for each pending look-up; 0: not said

    @property
    def lost(self) -> int:
        return self.lookups - self.answered


@dataclass
class Client:
    """A command that takes `address:port names in_flight`, with its reports: one per repetition."""

    label: str
    command: list[str]
    cost: float = 30.0  # microseconds that a look-up takes about, which says how many are worth measuring
    missing: str = ""  # why it cannot take part
    reports: list[Report] = field(default_factory=list)
    complaint: str = ""  # the last line it wrote to stderr, or why it gave no report
    has_failed: bool = False

    def run(
        self,
        server: str,
        names: int,
        in_flight: int,
        *more: int,
        limit: float = 120.0,
        before: tuple[str, ...] = (),
    ) -> None:
        """Add one report, or a complaint after `limit` seconds. Who has failed once is not run again."""
        if self.has_failed or self.missing:
            return
        command = [*before, *self.command, server, str(names), str(in_flight), *map(str, more)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                printed, said = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                self.has_failed = True
                self.complaint = f"not done within {limit:.0f} s"
                return
        if said:
            self.complaint = said.strip().splitlines()[-1]
        if process.returncode != 0:
            self.has_failed = True
            self.complaint = self.complaint or f"ended with status {process.returncode}"
            return
        self.reports.append(Report(**json.loads(printed)))

    @property
    def lost(self) -> int:
        return sum(report.lost for report in self.reports)

    @property
    def wrong(self) -> int:
        return sum(report.wrong for report in self.reports)

    @property
    def is_right(self) -> bool:
        """Whether every look-up of every repetition got its answer."""
        return not self.has_failed and self.lost == self.wrong == 0

    def figures(self) -> dict[str, object]:
        """What goes into the results: every repetition, for a ratio is taken within each."""
        reports = [asdict(report) for report in self.reports]
        said = {
            key: [report[key] for report in reports]
            for key in ("cpu_us_per_lookup", "wall", "peak", "pending")
            if any(report[key] for report in reports)
        }
        return {
            "lookups": self.reports[0].lookups if self.reports else 0,
            "lost": self.lost,
            "wrong": self.wrong,
            "complaint": self.missing or (self.complaint if self.has_failed or self.lost else ""),
            **said,
        }


class Field:
    """All clients there are for a call, by label; those whose peer is not installed say so."""

    def __init__(self) -> None:
        self._gdns = sys.executable  # the environment that gdns is installed in
        self._peers = peers.python()
        self._ours = peers.versions(self._gdns, "gevent", "eventlet")
        self._theirs = peers.versions(self._peers, *peers.PACKAGES)
        self._node = peers.node()
        self._libcares = str(find_libcares())

    def of(self, call: str) -> dict[str, Client]:
        """The clients that do the work of `call`: "A", "getaddrinfo" or "lookup" (of both families)."""
        their_call = "A" if call == "A" else "getaddrinfo"
        plain = [str(BUILD / "plain_cares"), self._libcares]
        hubs = ("gevent", "native", "eventlet")
        clients = [
            Client("bare packets", [str(BUILD / "packets"), their_call], 10),
            Client(REFERENCE, [*plain, "tuned", their_call], 50),
            Client(STOCK, [*plain, "stock", their_call], 80),
            Client(PORTS, [*plain, "ports", their_call], 100),
            Client("glibc in threads", [str(BUILD / "glibc"), their_call], 150),
            Client("glibc, one at a time", [str(BUILD / "glibc"), their_call], 100),
            *(self._gdns_client(call, hub) for hub in hubs),
            *(self._peer(their_call, *peer) for peer in PEERS),
            *(self._node_client(their_call, how) for how in ("resolve", "lookup")),
        ]
        return {client.label: client for client in clients}

    def pending(self) -> dict[str, Client]:
        """Clients that hold all their look-ups pending at once, and greenlets that only wait."""
        script = str(HERE / "clients" / "pending.py")
        plain = [str(BUILD / "plain_cares"), self._libcares, "tuned", "A"]
        gevent = "" if "gevent" in self._ours else "gevent is not installed"
        clients = [
            Client("gdns on gevent", [self._gdns, script, "--who", "gdns"], missing=gevent),
            Client("gdns on its own hub", [self._gdns, script, "--who", "gdns", "--hub", "native"]),
            Client("idle greenlets of gevent", [self._gdns, script, "--who", "idle"], missing=gevent),
            Client("idle greenlets of gdns' hub", [self._gdns, script, "--who", "idle", "--hub", "native"]),
            Client("gevent ares", [self._peers, script, "--who", "ares"], missing=self._lacks(["gevent"])),
            Client(REFERENCE, plain),
        ]
        return {client.label: client for client in clients}

    def bulk(self) -> dict[str, Client]:
        """Clients that look lists of names up."""
        clients = [
            Client("bare packets", [str(BUILD / "packets"), "A"]),
            Client("resolve_many", [self._gdns, str(HERE / "clients" / "bulk.py"), "--how", "resolve_many"]),
            Client("gdns bulk", [self._gdns, str(HERE / "clients" / "bulk.py"), "--how", "command"]),
        ]
        return {client.label: client for client in clients}

    def versions(self) -> dict[str, str]:
        """What takes part, by name and version."""
        found = peers.versions(self._gdns, "gdns-resolver", "greenlet") | self._theirs
        if self._node:
            done = subprocess.run([self._node, "--version"], capture_output=True, text=True)
            found["node"] = done.stdout.strip().removeprefix("v")
        found.pop("matplotlib", None)
        return dict(sorted(found.items()))

    def _gdns_client(self, call: str, hub: str) -> Client:
        label = "gdns on its own hub" if hub == "native" else f"gdns on {hub}"
        lacks = "" if hub == "native" or hub in self._ours else f"{hub} is not installed"
        script = str(HERE / "clients" / "gdns_client.py")
        return Client(
            label, [self._gdns, script, "--hub", hub, "--call", call], 10 if call == "A" else 20, lacks
        )

    def _peer(self, call: str, label: str, command: str, needs: str, cost: float) -> Client:
        script, *options = command.split()
        call = "A" if script == "bare_gevent.py" else call
        words = [self._peers, str(HERE / "clients" / script), *options, "--call", call]
        return Client(label, words, cost, self._lacks(needs.split()))

    def _node_client(self, call: str, how: str) -> Client:
        words = [self._node or "node", str(HERE / "clients" / "node_client.js"), how, call]
        return Client(f"node {how}", words, 150, "" if self._node else "node is not installed")

    def _lacks(self, needs: list[str]) -> str:
        return ", ".join(f"{name} is not installed" for name in needs if name not in self._theirs)
