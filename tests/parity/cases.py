"""What is compared: a world, and the calls made in it."""

from __future__ import annotations

from dataclasses import dataclass, fields

NSSWITCH = "hosts: files dns\n"
RESOLV_CONF = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
HOSTS = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
HOST_CONF = "multi on\n"
SERVICES = """\
tcpmux 1/tcp
http 80/tcp www
http 80/udp
https 443/tcp
https 443/sctp
domain 53/tcp
domain 53/udp
snmp 161/udp
onlydccp 700/dccp
onlylite 701/udplite
odd-port 4000/tcp 4001
"""


@dataclass(frozen=True)
class Fault:
    """Something that befalls the answers for a name, or for all; `kind` is an rcode or a word of `World`."""

    kind: str
    name: str | None = None
    rdtype: str | None = None


@dataclass(frozen=True)
class Setting:
    """A system: its files (None: missing), its name server, its addresses, its environment."""

    hosts: str | None = HOSTS
    resolv_conf: str | None = RESOLV_CONF
    nsswitch: str | None = NSSWITCH
    host_conf: str | None = HOST_CONF
    gai_conf: str | None = ""
    services: str | None = SERVICES
    records: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    interfaces: str = "loopback"
    has_root: bool = True  # whether names outside the records' zones do not exist; else they are refused
    environ: tuple[tuple[str, str], ...] = ()

    @property
    def is_slow(self) -> bool:
        """Whether somebody has to be waited for, after which glibc asks in another way than before."""
        return any(fault.kind in ("silent", "malformed", "wrong_id") for fault in self.faults)

    def __repr__(self) -> str:
        """The setting as it would be written: only what is not as usual."""
        said = (
            f"{field.name}={getattr(self, field.name)!r}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        )
        return f"Setting({', '.join(said)})"


@dataclass(frozen=True)
class Call:
    """One of the functions of `socket`, with its arguments."""

    function: str
    arguments: tuple[object, ...]

    def __repr__(self) -> str:
        return f"{self.function}({', '.join(map(repr, self.arguments))})"


@dataclass(frozen=True)
class Answer:
    """What came of a call: the text of its result or of its exception, and the questions asked on its way."""

    text: str
    kind: str  # of exception; "" for a result
    number: int | None
    questions: frozenset[tuple[str, str]]
    seconds: float = 0.0

    def __repr__(self) -> str:
        asked = ", ".join(f"{name} {rdtype}" for name, rdtype in sorted(self.questions)) or "nothing"
        return f"{self.kind}{self.text}, asking {asked}"


@dataclass(frozen=True)
class Comparison:
    """One case with what both made of it."""

    setting: Setting
    call: Call
    theirs: Answer
    ours: Answer

    @property
    def is_same(self) -> bool:
        """Whether no program could tell."""
        return (self.theirs.text, self.theirs.kind, self.theirs.questions) == (
            self.ours.text,
            self.ours.kind,
            self.ours.questions,
        )
