"""What is the system's, even where monkey-patching has put greenlets in its place: threads and locks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakSet, ref

if TYPE_CHECKING:
    from greenlet import greenlet

T = TypeVar("T")


def original(module: str, name: str) -> Any:
    """An attribute of a module as it was before gevent or eventlet patched it."""
    gevent_monkey = sys.modules.get("gevent.monkey")
    is_patched = getattr(gevent_monkey, "is_object_patched", None)  # None while another thread imports it
    if gevent_monkey is not None and is_patched is not None and is_patched(module, name):
        return gevent_monkey.get_original(module, name)
    eventlet_patcher = sys.modules.get("eventlet.patcher")
    if eventlet_patcher is not None and getattr(eventlet_patcher, "already_patched", None):
        return getattr(eventlet_patcher.original(module), name)
    return getattr(import_module(module), name)


def start_thread(function: Callable[[], object]) -> None:
    """Call `function` in a daemon thread. Raises RuntimeError where none can be started."""
    original("_thread", "start_new_thread")(function, ())


def local_base() -> type:
    """`threading.local`, whose attributes belong to a thread and not to a greenlet."""
    return cast(type, original("_thread", "_local"))


def make_rlock() -> AbstractContextManager[object]:
    """A lock for a few instructions at a time; whoever holds it may take it again."""
    return cast(AbstractContextManager[object], original("_thread", "RLock")())


def main_greenlet(of: greenlet) -> greenlet:
    """The greenlet that the thread of another began with: it tells threads apart, whoever patched them."""
    while of.parent is not None:
        of = of.parent
    return of


class QuietLock:
    """As that of `make_rlock`, and slower: for what is rare, and what is there once gdns has been imported.

    eventlet, when it patches, looks for locks of that kind and puts its own in their place, which know no
    threads; of those that it cannot replace it complains. In the child of a fork it is free: a thread that
    held it is not there to give it back.
    """

    __slots__ = ("_depth", "_lock", "_owner", "__weakref__")

    def __init__(self) -> None:
        self._renew()
        _quiet_locks.append(ref(self, _quiet_locks.remove))

    def _renew(self) -> None:
        self._lock = _allocate_lock()
        self._owner: int | None = None
        self._depth = 0

    def __enter__(self) -> None:
        me = _get_ident()
        if self._owner != me:
            self._lock.acquire()
            self._owner = me
        self._depth += 1

    def __exit__(self, *exc_info: object) -> None:
        if self._owner != _get_ident():
            return  # this is the child of a fork that was made in between
        self._depth -= 1
        if not self._depth:
            self._owner = None
            self._lock.release()


def members_of(weak_set: WeakSet[T]) -> list[T]:
    """What is in a set, whatever other threads put in and take out meanwhile."""
    while True:
        try:
            return list(weak_set)
        except RuntimeError:  # it has changed while it was gone through
            continue


def _after_fork_in_child() -> None:
    for known in _quiet_locks:
        lock = known()
        if lock is not None:
            lock._renew()


_get_ident = original("_thread", "get_ident")
_allocate_lock = original("_thread", "allocate_lock")
_quiet_locks: list[ref[QuietLock]] = []  # a list, which adds and removes in one step for all threads

if hasattr(os, "register_at_fork"):  # before others', who may need the locks
    os.register_at_fork(after_in_child=_after_fork_in_child)
