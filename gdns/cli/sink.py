"""Keeps the results of a bulk run: writes them line-whole, finds out what an earlier run has done already."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import IO

from gdns.cli.usage import UsageError

FAILED = ("TIMEOUT", "ERROR")  # the statuses of questions that no server has answered
TAIL = 1 << 16  # octets looked at for the end of the last whole line


class WriteError(Exception):
    """Results cannot be written; the text says why, and what to do."""


class Sink:
    """Where the lines go: a file, or standard output for "-"."""

    def __init__(self, path: str, resumes: bool, overwrites: bool) -> None:
        """Raises UsageError for a file that cannot be written, or that is there already."""
        self.path = path
        self.is_file = path != "-"
        if not self.is_file:
            self.fd = os.dup(1)
            return
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        if overwrites:
            flags |= os.O_TRUNC
        elif not resumes:
            flags |= os.O_EXCL
        try:
            self.fd = os.open(path, flags, 0o666)
        except FileExistsError:
            raise UsageError(f"{path} exists: --resume goes on with it, --overwrite writes it anew") from None
        except OSError as error:
            raise UsageError(f"cannot write to {path}: {error.strerror}; choose another --output") from None
        if resumes:
            self._repair()

    def _repair(self) -> None:
        """Cut off what comes after the last newline: a line that was not finished."""
        try:
            size = end = os.lseek(self.fd, 0, os.SEEK_END)
        except OSError:
            return  # a pipe, or the like
        while end > 0:
            start = max(0, end - TAIL)
            newline = os.pread(self.fd, end - start, start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            os.ftruncate(self.fd, end)
        os.lseek(self.fd, end, os.SEEK_SET)

    def write(self, lines: bytes) -> None:
        """Write whole lines. Raises BrokenPipeError where nobody reads them, else WriteError."""
        view = memoryview(lines)
        while view:
            try:
                view = view[os.write(self.fd, view) :]
            except BrokenPipeError:
                raise
            except OSError as error:
                where = self.path if self.is_file else "standard output"
                advice = "make room and go on with --resume" if self.is_file else "nothing more was looked up"
                raise WriteError(f"cannot write to {where}: {error.strerror}; {advice}") from None

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Done:
    """What an earlier run has written, by name and type.

    Its lines come in nearly the order of the names: what is read and not yet asked for is only what the
    earlier run had under way. So the file is read along with the names, and memory does not grow with it;
    with other names than those of the earlier run it does.
    """

    def __init__(self, path: str, without_failed: bool = False) -> None:
        """`without_failed` leaves out what no server answered. Raises UsageError for no output of ours."""
        self.path = path
        self._without_failed = without_failed
        self.skipped = 0
        self.unreadable = 0  # lines that are no results
        self._ahead: Counter[tuple[str, str]] = Counter()
        self._number = 0
        self._file: IO[bytes] | None = None
        try:
            self._file = open(path, "rb")  # noqa: SIM115 - it is read along, and closed at its end
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}; choose another --output") from None
        first = self._next()
        if first is not None:
            self._ahead[first] += 1
        elif self.unreadable:
            raise UsageError(f"{path} is no output of gdns bulk, and is left alone: choose another --output")

    def _next(self) -> tuple[str, str] | None:
        while self._file is not None:
            line = self._file.readline()
            if not line.endswith(b"\n"):  # the end; or what a run that is under way has just begun
                self._file.close()
                self._file = None
                break
            self._number += 1
            try:
                record = json.loads(line)
                question = str(record["name"]), str(record["type"])
                if self._without_failed and record.get("status") in FAILED:
                    continue
                return question
            except (ValueError, TypeError, KeyError):
                self.unreadable += 1
                if self._number == 1:
                    break
        return None

    def has(self, name: str, rdtype: str) -> bool:
        """Whether a question has its line; each line counts for one question."""
        question = (name, rdtype)
        while not self._ahead[question]:
            found = self._next()
            if found is None:
                del self._ahead[question]
                return False
            self._ahead[found] += 1
        self._ahead[question] -= 1
        if not self._ahead[question]:
            del self._ahead[question]
        self.skipped += 1
        return True
