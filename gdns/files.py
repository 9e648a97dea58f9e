"""Files that are read again when they change."""

import errno
import os
import stat
import time
from collections.abc import Callable
from math import inf
from typing import Generic, TypeVar

from gdns.logs import WARNING, log

T = TypeVar("T")

LOOK_EVERY = 1.0  # seconds between two looks at a file
_CLOCK_TICK = 50_000_000  # ns; longer than the kernel's clock for file times stands still
_MISSING = frozenset((errno.ENOENT, errno.ENOTDIR))
_LASTING = _MISSING | {errno.EACCES, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EPERM, errno.ENXIO}
_NO_STAMP = (0, 0, 0, 0, 0)  # in place of what stat(2) says

_warned: dict[tuple[str, str], object] = {}


def warn_once(path: str, cause: str, detail: str = "") -> None:
    """Log a warning about a file, the first time this process meets that cause there.

    The detail is shown but does not make another cause.
    """
    mark = object()
    if _warned.setdefault((path, cause), mark) is mark:  # one step, whatever other threads do
        log("gdns", WARNING, "%s: %s%s", path, cause, f" ({detail})" if detail else "")


class WatchedFile(Generic[T]):
    """What a file says, parsed anew when stat(2) shows a change.

    Symlinks are followed and no watch is set, so files renamed over, symlinked elsewhere or bind-mounted over
    are seen as well. `parse` gets the whole content and must accept any octets; a file that is missing or of
    no use is parsed as empty, the latter with a warning. What cannot be read for a passing reason, such as a
    lack of descriptors, stays as it was. While the parsed value stays equal, so does the object.

    For the use of one thread at a time.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        parse: Callable[[bytes], T],
        *,
        clock: Callable[[], float] = time.monotonic,
        max_octets: int = 1 << 20,
    ) -> None:
        self.path = os.fspath(path)
        self._parse = parse
        self._clock = clock
        self._max_octets = max_octets
        self.is_missing = False  # when it was last looked at
        self.look_at = -inf  # the moment of the clock from which on `current` looks at it again
        self._stamp: tuple[int, ...] | None = None
        self._content: bytes | None = None
        self._value: T

    def current(self) -> T:
        """The parsed file, at most a second old by the clock."""
        now = self._clock()
        if now >= self.look_at:
            self.look()
            self.look_at = now + LOOK_EVERY  # last: a signal may raise while we look
        return self._value

    def look(self) -> T:
        """The parsed file as it is now: one stat(2), and a reading if that differs from the last."""
        stamp = self._take_stamp()
        if stamp == self._stamp:
            return self._value
        self.is_missing = stamp == _NO_STAMP
        content = self._read()
        # written while we read, or so lately that another writing might leave the same times: read again
        is_settled = stamp == self._take_stamp() and abs(time.time_ns() - max(stamp[-2:])) > _CLOCK_TICK
        # parsed first, and kept when nothing can raise any more: else what was cut short would pass for read
        if self._content is None:
            self._value = self._parse(content or b"")
            self._content = content
        elif content is not None and content != self._content:
            value = self._parse(content)
            if value != self._value:
                self._value = value
            self._content = content
        self._stamp = stamp if is_settled and content is not None else None
        return self._value

    def _take_stamp(self) -> tuple[int, ...]:
        try:
            found = os.stat(self.path)
        except (OSError, ValueError):
            return _NO_STAMP
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def _read(self) -> bytes | None:
        """The content, empty if it is of no use; None if that may pass."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError as error:
            if error.errno not in _MISSING:
                warn_once(self.path, "cannot be opened", os.strerror(error.errno or 0))
            return b"" if error.errno in _LASTING else None
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                warn_once(self.path, "is not a regular file, taken as empty")
                return b""
            with open(fd, "rb", closefd=False) as file:
                content = file.read(self._max_octets + 1)
        except OSError as error:
            warn_once(self.path, "cannot be read", os.strerror(error.errno or 0))
            return None
        finally:
            os.close(fd)
        if len(content) > self._max_octets:
            warn_once(self.path, "is too large, taken as empty", f"over {self._max_octets} octets")
            return b""
        return content
