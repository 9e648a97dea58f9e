"""Puts gdns in the place of eventlet's own resolver, greendns.

import gdns.eventlet
gdns.eventlet.install()  # at any time, before or after eventlet.monkey_patch()
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

try:
    from eventlet import patcher
except ModuleNotFoundError as _error:
    from gdns.extras import missing

    raise missing(_error, "eventlet") from None
from eventlet.green import socket as green_socket

from gdns import patch
from gdns.switch import Place, Switch

__all__ = ["install"]


def install() -> Switch:
    """Let eventlet resolve with gdns from now on; `undo()` of what is returned gives back what it had.

    That is getaddrinfo, gethostbyname, gethostbyname_ex, gethostbyaddr, getnameinfo and getfqdn of
    `eventlet.green.socket`, of `eventlet.support.greendns` where that is in use, and of `socket` where
    eventlet has patched that, or will; eventlet itself leaves gethostbyaddr and getfqdn to the system, which
    blocks. They take and return what those of `socket` do, and are the methods of `gdns.default_resolver()`.

    It makes no difference whether EVENTLET_NO_GREENDNS is set. Called again it takes along what has been
    loaded or patched since. For the methods of sockets, to which hosts may be given by name too, there is
    `gdns.patch_socket()`, which calls this.
    """
    with patch.lock:
        installation = _Installation()
        try:
            _renew()
        except BaseException:
            installation.undo()
            raise
        return installation


class _Installation(Switch):
    """One call of `install`; the last one that is undone takes everything out."""

    def __init__(self) -> None:
        super().__init__(())
        _in_force.append(self)

    @property
    def is_on(self) -> bool:
        return self in _in_force

    def undo(self) -> None:
        with patch.lock:
            if self in _in_force:
                _in_force.remove(self)
                if not _in_force:
                    _take_out()


_in_force: list[_Installation] = []
_switches: list[Switch] = []  # what was put in, in turn


def _renew() -> None:
    _switches.append(Switch(_places()))


def _take_out() -> None:
    while _switches:
        _switches.pop().undo()
    if patcher.is_monkey_patched("socket"):
        for name in patch.FUNCTIONS:  # eventlet has put ours there
            if getattr(socket, name) is patch.OURS[name] and not patch.is_in_force():
                setattr(socket, name, getattr(green_socket, name))


def _places() -> Iterator[Place]:
    owners = [green_socket, sys.modules.get("eventlet.support.greendns")]
    if patcher.is_monkey_patched("socket"):
        owners.append(socket)
    for owner in owners:
        for name, ours in patch.OURS.items():
            if getattr(owner, name, ours) is not ours:
                yield Place(owner, name, ours)
    missing = [name for name in patch.FUNCTIONS if name not in green_socket.__patched__]
    if missing:
        yield Place(green_socket, "__patched__", green_socket.__patched__ + missing)
