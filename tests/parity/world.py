"""A network and a mount namespace in which a system is whatever a case needs."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from gdns.testing import Fault as ServerFault
from gdns.testing import Server, delay, malformed, rcode, silent, then_answer, truncated, wrong_id
from tests.parity.cases import Fault, Setting

FILES = {
    "hosts": "hosts",
    "resolv_conf": "resolv.conf",
    "nsswitch": "nsswitch.conf",
    "host_conf": "host.conf",
    "gai_conf": "gai.conf",
    "services": "services",
}
FAULTS: dict[str, ServerFault] = {
    "silent": silent(),
    "truncated": truncated(),
    "malformed": malformed(),
    "wrong_id": wrong_id(),
    "malformed, then right": malformed() | then_answer(),
    "wrong_id, then right": wrong_id() | then_answer(),
    "late": delay(0.02),
}
_IPV4 = ["addr add 192.0.2.100/24 dev lo", "route add default dev lo"]
_IPV6 = ["-6 addr add 2001:db8::100/64 dev lo nodad", "-6 route add default dev lo"]
INTERFACES = {
    "loopback": [],
    "127.0.0.9": ["addr add 127.0.0.9/8 dev lo"],
    "ipv4": _IPV4,
    "ipv6": _IPV6,
    "both": _IPV4 + _IPV6,
    "private ipv4": ["addr add 10.1.2.3/8 dev lo", "route add default dev lo"],
    "many": [
        *_IPV4,
        *_IPV6,
        "addr add 10.1.2.3/16 dev lo",
        "addr add 169.254.7.7/16 dev lo",
        "-6 addr add fd12:3456::7/48 dev lo nodad",
        "-6 addr add fe80::7/64 dev lo nodad",
        "-6 addr add 2001:db8:5::9/64 dev lo nodad preferred_lft 0",
    ],
}
ROOT = ". 60 SOA ns.example. admin.example. 1 3600 600 86400 60"
INSIDE = "GDNS_PARITY_INSIDE"


def is_permitted() -> bool:
    """Whether namespaces can be made here."""
    return _enter_with() is not None and shutil.which("ip") is not None


def reenter(module: str, arguments: list[str]) -> int:
    """Run a module with these arguments inside new namespaces; its exit status. Raises OSError if refused."""
    options = _enter_with()
    if options is None:
        raise OSError("namespaces cannot be made here: unshare(1) is refused")
    command = ["unshare", *options, sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=os.environ | {INSIDE: "1"}, check=False).returncode


def is_inside() -> bool:
    """Whether this process was started by `reenter`."""
    return INSIDE in os.environ


def _enter_with() -> list[str] | None:
    for options in (["-mn"], ["-Urmn"]):
        try:
            if not subprocess.run(["unshare", *options, "true"], capture_output=True, check=False).returncode:
                return options
        except OSError:
            return None
    return None


class World:
    """The system as a setting describes it; to be made inside."""

    def __enter__(self) -> World:
        _ip(["link set lo up"])
        self._etc = Path(tempfile.mkdtemp(prefix="parity-")) / "etc"
        shutil.copytree("/etc", self._etc, symlinks=True)
        for name in FILES.values():
            (self._etc / name).unlink(missing_ok=True)
        (self._etc / "host.aliases").write_text("www mail.example\na www.two.example\nh1 nx.example.\n")
        subprocess.run(["mount", "--bind", self._etc, "/etc"], check=True)
        self.server = Server(host="127.0.0.1", port=53).start()
        self._interfaces = "loopback"
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.server.close()
        subprocess.run(["umount", "/etc"], check=True)
        shutil.rmtree(self._etc.parent)

    def become(self, setting: Setting) -> None:
        """Make the system what the setting says; the environment is for its processes to set."""
        for field, name in FILES.items():
            content: str | None = getattr(setting, field)
            path = Path("/etc") / name
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(os.fsencode(content))
        if setting.interfaces != self._interfaces:
            _ip(["addr flush dev lo", "-6 addr flush dev lo", "link set lo down", "link set lo up"])
            _ip(INTERFACES[setting.interfaces])
            self._interfaces = setting.interfaces
        self.server.reset([*([ROOT] if setting.has_root else []), *setting.records])
        for fault in setting.faults:
            self.server.fault(fault.name, _server_fault(fault), rdtype=fault.rdtype)


def _server_fault(fault: Fault) -> ServerFault:
    return FAULTS.get(fault.kind) or rcode(fault.kind)


def _ip(commands: list[str]) -> None:
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True, capture_output=True)


def h_errno() -> ctypes.c_int:
    """The C library's h_errno of this thread."""
    location = ctypes.CDLL(None).__h_errno_location
    location.restype = ctypes.POINTER(ctypes.c_int)
    found: ctypes.c_int = location().contents
    return found
