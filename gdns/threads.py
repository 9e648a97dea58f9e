"""Threads and locks of the system's, even where monkey-patching has put greenlets in their place."""

from __future__ import annotations

import _thread
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import BuiltinFunctionType
from typing import Any, cast


def _original(name: str) -> Any:
    found = getattr(_thread, name)
    if not isinstance(found, (BuiltinFunctionType, type)) or found.__module__ != "_thread":
        if "gevent.monkey" in sys.modules:
            found = sys.modules["gevent.monkey"].get_original("_thread", name)
        elif "eventlet.patcher" in sys.modules:
            found = getattr(sys.modules["eventlet.patcher"].original("_thread"), name)
    return found


def start_thread(function: Callable[[], object]) -> None:
    """Call `function` in a daemon thread. Raises RuntimeError where none can be started."""
    _original("start_new_thread")(function, ())


def local_base() -> type:
    """`threading.local`, whose attributes belong to a thread and not to a greenlet."""
    return cast(type, _original("_local"))


def make_rlock() -> AbstractContextManager[object]:
    """A lock for a few instructions at a time; whoever holds it may take it again."""
    return cast(AbstractContextManager[object], _original("RLock")())
