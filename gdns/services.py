"""The services file, as glibc 2.36 reads it (nss_files)."""

import os
import re
import time
from collections.abc import Callable

from gdns.files import WatchedFile

_NUMBER = rb"([+-]?)(?:0[xX]([0-9a-fA-F]+)|0([0-7]*)|([1-9][0-9]*))"


class Services:
    """The services file, read again when it changes; names and protocols are compared as they are written."""

    def __init__(
        self,
        path: str | os.PathLike[str] = "/etc/services",
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = WatchedFile(path, _Table, clock=clock, max_octets=4 << 20)

    def port(self, name: str, protocol: str) -> int | None:
        """The port of a service, by name or alias, from the first line that has it for the protocol."""
        return self._file.current().ports.get((os.fsencode(name), os.fsencode(protocol)))

    def name(self, port: int, protocol: str) -> str | None:
        """The name of the service at a port, from the first line that has it for the protocol."""
        name = self._file.current().names.get((port, os.fsencode(protocol)))
        return None if name is None else os.fsdecode(name)


class _Table:
    """What one version of the file says."""

    def __init__(self, content: bytes) -> None:
        self.ports: dict[tuple[bytes, bytes], int] = {}
        self.names: dict[tuple[int, bytes], bytes] = {}
        if b"\0" in content:  # to glibc, a NUL ends its line
            content = re.sub(rb"\0[^\n]*", b"", content)
        for line in content.split(b"\n"):
            text = line.partition(b"#")[0]
            words = text.split(None, 2)
            if len(words) < 2:
                continue
            number, slash, protocol = words[1].partition(b"/")
            port = _port(number)
            if port is None or not (slash or text.endswith(number)):
                continue
            if protocol.startswith(b"/"):
                protocol = protocol.lstrip(b"/")
            self.names.setdefault((port, protocol), words[0])
            self.ports.setdefault((words[0], protocol), port)
            if len(words) > 2:
                for alias in words[2].split():
                    self.ports.setdefault((alias, protocol), port)


def _port(number: bytes) -> int | None:
    """A port as strtoul reads it, in the bases of C; None unless it fits 32 bits, of which 16 count."""
    if number.isdigit() and not number.startswith(b"0") and len(number) < 10:
        return int(number) & 0xFFFF
    found = re.fullmatch(_NUMBER, number)
    if found is None or len(number) > 100:
        return None
    sign, hexadecimal, octal, decimal = found.groups(b"")
    value = int(hexadecimal or b"0", 16) or int(octal or b"0", 8) or int(decimal or b"0")
    if value > 0xFFFFFFFF or (value and sign == b"-"):
        return None
    return value & 0xFFFF
