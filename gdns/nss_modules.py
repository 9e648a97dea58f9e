"""What the modules of nsswitch.conf(5) mean to a resolver that has `files` and `dns` itself."""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Sequence
from socket import gethostname
from typing import TYPE_CHECKING

from gdns.names import SpecialUse, special_use
from gdns.nsswitch import Action, Actions, Module

if TYPE_CHECKING:
    from gdns.resolvconf import ResolvConf

RESOLVED_SOCKET = "/run/systemd/resolve/io.systemd.Resolve"
RESOLVED_ADDRESS = "127.0.0.53"
_LINK_LOCAL = (b"\xa9\xfe", b"\xfe\x80")  # 169.254.0.0/16, fe80::/10


class Source(enum.Enum):
    """How a module is asked."""

    FILES = "the hosts file"
    DNS = "DNS"
    UNAVAILABLE = "a service that is not running"
    MISSING = "a module that is not installed"
    OTHER = "a module of the system"


class Step:
    """One module in the order in which they are asked."""

    __slots__ = ("source", "name", "actions", "is_dns")

    def __init__(self, source: Source, name: str, actions: Actions) -> None:
        self.source = source
        self.name = name
        self.actions = actions
        self.is_dns = name == "dns"  # the module of that name

    def owns(self, name: str) -> bool:
        """Whether the system's own module must be asked for a host's addresses; else it knows of none."""
        kind = self.name.partition("_")[0].rstrip("46")
        name = name.lower().removesuffix(".")
        if kind == "mdns":
            return name.endswith(".local") or name == "local"
        if kind in ("mymachines", "libvirt", "wins"):
            return "." not in name
        if kind == "myhostname":
            is_local = special_use(name) is SpecialUse.LOOPBACK or name.endswith("localhost.localdomain")
            return is_local or name in ("_gateway", "_outbound", gethostname().lower())
        if kind == "resolve" and self.source is Source.DNS:
            return "." not in name or name.endswith(".local")
        return True

    def owns_address(self, packed: bytes) -> bool:
        """Whether the system's own module must be asked for the names of an address."""
        if self.name.startswith("mdns") and "minimal" in self.name:
            return packed.startswith(_LINK_LOCAL)
        return not self.name.startswith("libvirt") and self.source is not Source.DNS


def steps(modules: Sequence[Module], resolv_conf: ResolvConf) -> tuple[Step, ...]:
    """The modules as they can be asked; where results are to be merged, the system alone can do it."""
    if any(Action.MERGE in module.actions for module in modules):
        return tuple(Step(Source.OTHER, "merge", module.actions) for module in modules)
    return tuple(Step(_source(module.name, resolv_conf), module.name, module.actions) for module in modules)


def _source(name: str, resolv_conf: ResolvConf) -> Source:
    if name == "files":
        return Source.FILES
    if name == "dns":
        return Source.DNS if resolv_conf.attempts else Source.OTHER  # with none, glibc fails at once
    if not _is_installed(name):
        return Source.MISSING
    if name != "resolve":
        return Source.OTHER
    if not os.path.exists(RESOLVED_SOCKET):
        return Source.UNAVAILABLE
    return Source.DNS if set(resolv_conf.nameservers) == {RESOLVED_ADDRESS} else Source.OTHER


def _is_installed(name: str) -> bool:
    if "/" in name or "\\" in name:
        return True  # let the system find out
    multiarch = getattr(sys.implementation, "_multiarch", "")
    folders = [
        *os.environ.get("LD_LIBRARY_PATH", "").split(":"),
        *(f"{root}/{part}" for root in ("/lib", "/usr/lib") for part in (multiarch, "")),
        *("/lib64", "/usr/lib64", "/usr/local/lib"),
    ]
    return any(folder and os.path.exists(f"{folder}/libnss_{name}.so.2") for folder in folders)
