"""A process of our own for a module, told what to do over a socket.

Whoever starts it may be monkey-patched, threaded or in the middle of an event loop. So it is spawned rather
than forked, and talked to through `_socket` and `posix`, which hold what no monkey-patching replaces.
"""

from __future__ import annotations

import _socket
import contextlib
import json
import os
import posix
import signal
import sys
import threading
import weakref
from pathlib import Path

PATIENCE = 5.0  # seconds given to a process to leave when told to


class Process:
    """Runs `python -m MODULE` with the other end of the socket as its standard input."""

    def __init__(self, module: str) -> None:
        self._lock = threading.Lock()
        self._serial = 0
        self._unread = b""
        self._control: _socket.socket | None
        self._control, theirs = _socket.socketpair()
        self._pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-P", "-m", module],
            os.environ | {"PYTHONPATH": _search_path()},
            file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), 0)],
            setpgroup=0,  # a Ctrl-C is for us to see
        )
        theirs.close()
        _running.add(self)

    def ask(self, command: str, **arguments: object) -> object:
        """What the process answers.

        Raises the ValueError or OSError that was raised there; RuntimeError if the process is gone.
        """
        with self._lock:
            if self._control is None:
                raise RuntimeError("the server is not running, or was started before a fork")
            self._serial += 1
            request = {"serial": self._serial, "do": command, "with": arguments}
            try:
                # The first line end closes a request that an exception cut short; the child skips it.
                self._control.sendall(b"\n" + json.dumps(request).encode() + b"\n")
                reply = json.loads(self._read_line(self._control))
                while reply["serial"] != self._serial:  # one that nobody waited for
                    reply = json.loads(self._read_line(self._control))
            except (BrokenPipeError, ConnectionResetError, EOFError):
                raise RuntimeError("the server's process has ended; its standard error says why") from None
        if "error" in reply:
            errno, text = reply["error"]
            raise ValueError(text) if errno is None else OSError(errno, text)
        return reply["done"]

    def close(self) -> None:
        """End the process. Safe to call twice."""
        with self._lock:
            if self._control is None:
                return
            _running.discard(self)
            self._control.settimeout(PATIENCE)
            try:
                self._control.shutdown(_socket.SHUT_WR)
                while self._control.recv(1 << 16):
                    pass
            except TimeoutError:
                posix.kill(self._pid, signal.SIGKILL)
            except OSError:
                pass  # it was gone already
            self._control.close()
            self._control = None
            with contextlib.suppress(ChildProcessError):  # a SIGCHLD handler may have reaped it
                posix.waitpid(self._pid, 0)

    def leave_to_parent(self) -> None:
        """After a fork, in the child: whose process it is decides when it ends."""
        if self._control is not None:
            self._control.close()
            self._control = None
        self._lock = threading.Lock()

    def _read_line(self, control: _socket.socket) -> bytes:
        while b"\n" not in self._unread:
            received = control.recv(1 << 20)
            if not received:
                raise EOFError
            self._unread += received
        line, self._unread = self._unread.split(b"\n", 1)
        return line


_running: weakref.WeakSet[Process] = weakref.WeakSet()


def _leave_all_to_parent() -> None:
    for process in list(_running):
        process.leave_to_parent()
    _running.clear()


os.register_at_fork(after_in_child=_leave_all_to_parent)


def _search_path() -> str:
    """Where to look for modules: where we do, whatever the working directory is by then."""
    home = str(Path(__file__).parents[2])
    return os.pathsep.join(os.path.abspath(entry) for entry in [home, *sys.path])
