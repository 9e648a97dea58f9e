"""The system's resolver settings, as frozen snapshots that are taken anew when a file changes."""

import os
import time
from collections.abc import Callable, Mapping
from socket import gethostname
from typing import NamedTuple

from gdns.files import LOOK_EVERY, WatchedFile, warn_once
from gdns.gaiconf import GaiConf, parse_gai_conf
from gdns.nsswitch import Action, Module, NsSwitch, Status, parse_nsswitch
from gdns.resolvconf import ResolvConf, parse_resolv_conf, read_resolv_conf, warn_if_serverless
from gdns.threads import QuietLock

__all__ = [
    "Action",
    "GaiConf",
    "HostConf",
    "Module",
    "NsSwitch",
    "ResolvConf",
    "Settings",
    "Status",
    "System",
    "parse_host_conf",
    "read_resolv_conf",
]


class HostConf(NamedTuple):
    """What host.conf(5) says about reading the hosts file; `order`, `trim` and `reorder` are ignored."""

    multi: bool = False


def parse_host_conf(content: bytes, environ: Mapping[str, str]) -> HostConf:
    """Parse the file's content; the last good word counts, RESOLV_MULTI comes after the file."""
    said: list[bool] = []
    for line in content.split(b"\n"):
        keyword, value = [*line.split(None, 2), b"", b""][:2]
        if keyword.lower() == b"multi":
            said += _on_or_off(value)
    said += _on_or_off(os.fsencode(environ.get("RESOLV_MULTI", "")))
    return HostConf(multi=bool(said) and said[-1])


def _on_or_off(text: bytes) -> list[bool]:
    """What a text says that begins with `on` or `off`; nothing, if it begins otherwise."""
    text = text.lower()
    return [text.startswith(b"on")] if text.startswith((b"on", b"off")) else []


class Settings(NamedTuple):
    """What all the files said at one moment."""

    resolv_conf: ResolvConf
    nsswitch: NsSwitch
    host_conf: HostConf
    gai_conf: GaiConf


class System:
    """The files that configure the system's resolver.

    `current()` costs a reading of the clock, and once a second a stat(2) per file. While nothing changes it
    returns the same object, `settings`, and looks at no file before `clock` says `look_at`. With `options
    no-reload`, resolv.conf is not looked at again, as in glibc; unlike glibc, gai.conf and host.conf are.
    """

    def __init__(
        self,
        *,
        resolv_conf: str = "/etc/resolv.conf",
        nsswitch: str = "/etc/nsswitch.conf",
        host_conf: str = "/etc/host.conf",
        gai_conf: str = "/etc/gai.conf",
        environ: Mapping[str, str] = os.environ,
        hostname: Callable[[], str] = gethostname,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolv_conf = WatchedFile(
            resolv_conf, lambda content: parse_resolv_conf(content, environ, hostname)
        )
        self._nsswitch = WatchedFile(nsswitch, parse_nsswitch)
        self._host_conf = WatchedFile(
            environ.get("RESOLV_HOST_CONF", host_conf), lambda content: parse_host_conf(content, environ)
        )
        self._gai_conf = WatchedFile(gai_conf, parse_gai_conf)
        self.clock = clock
        self._lock = QuietLock()  # files do not know of threads: the older of two readings could be kept
        self.look_at = clock() + LOOK_EVERY
        self.settings = self._take(self._resolv_conf.look())

    def current(self) -> Settings:
        """The settings, at most a second old by the clock."""
        if self.clock() >= self.look_at:
            with self._lock:
                self._look(self.clock())
        return self.settings

    def _look(self, now: float) -> None:
        if now < self.look_at:
            return  # another thread has looked
        self.look_at = now + LOOK_EVERY
        known = self.settings.resolv_conf
        settings = self._take(known if known.no_reload else self._resolv_conf.look())
        if settings != self.settings:
            self.settings = settings

    def _take(self, resolv_conf: ResolvConf) -> Settings:
        settings = Settings(resolv_conf, self._nsswitch.look(), self._host_conf.look(), self._gai_conf.look())
        warn_if_serverless(resolv_conf, self._resolv_conf.path)
        if settings.nsswitch.is_malformed:
            warn_once(self._nsswitch.path, "holds a malformed criterion, asking files and dns")
        return settings
