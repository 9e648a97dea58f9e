"""Spreads a bulk run over processes, each with sockets of its own, and puts their lines together.

    names ── dealt in blocks, to whoever has room ── `gdns bulk --worker` ── whole lines ── the output

A worker is told the number of each block's first line, in a line that begins with a NUL, and tells on
standard error how far it has come. It is in a session of its own, so that Ctrl-C reaches only the process
that deals.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, cast

from gdns.cli.bulk import DONE, NO_SERVER, SOME_UNASKED, WORKER, Complaints, asked_by, conclude, opened, say
from gdns.cli.progress import INTERVAL, Progress

if TYPE_CHECKING:
    from io import FileIO

    from gdns.cli.bulk import Options
    from gdns.cli.sink import Done, Sink
    from gdns.cli.source import Source

BLOCK = 256  # lines dealt at a time
READ = 1 << 16  # octets
COMPLAINT = b"gdns: line "


class Worker:
    """One process."""

    def __init__(self, options: Options) -> None:
        share = options.jobs
        words = [WORKER, "-", "--concurrency", str(max(1, options.concurrency // share))]
        words += ["--type", ",".join(options.rdtypes)]
        words += [f"@{server}" for server in options.servers]
        if options.rate is not None:
            words += ["--rate", repr(options.rate / share)]
        if options.retries is not None:
            words += ["--retries", str(options.retries)]
        if options.timeout is not None:
            words += ["--timeout", repr(options.timeout)]
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "gdns", "bulk", *words],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},  # ours may be no installed gdns
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        self.stdin = cast("FileIO", self.process.stdin)
        self.stdout = cast("FileIO", self.process.stdout)
        self.stderr = cast("FileIO", self.process.stderr)
        for stream in (self.stdin, self.stdout, self.stderr):
            os.set_blocking(stream.fileno(), False)
        self.to_write = b""
        self.half_line = b""  # of its results
        self.half_word = b""  # of what it tells
        self.counts: dict[str, int] = {}
        self.complaints = 0

    def has_failed(self) -> bool:
        """Whether it ended otherwise than by having done its work."""
        return self.process.wait() not in (DONE, SOME_UNASKED, NO_SERVER)


def run(options: Options) -> int:
    """Do the run of `gdns bulk --jobs`; its exit status. Raises what a run in one process raises."""
    workers: list[Worker] = []
    dealer = Dealer(options, *opened(options), workers)
    with _signals(dealer):
        try:
            for _ in range(options.jobs):
                workers.append(Worker(options))
            dealer.go()
        finally:
            dealer.progress.end()
            for worker in workers:
                if worker.process.poll() is None:
                    worker.process.kill()
                for stream in (worker.stdin, worker.stdout, worker.stderr):
                    stream.close()
                worker.process.wait()
    return dealer.conclude()


class Dealer:
    """Gives names to the workers, and takes their lines."""

    def __init__(
        self, options: Options, source: Source, sink: Sink, done: Done | None, workers: list[Worker]
    ) -> None:
        self.options = options
        self.source = source
        self.sink = sink
        self.done = done
        self.workers = workers
        self.stopped_by = 0
        self.failed = 0
        self.complaints = Complaints()
        self.progress = Progress(source.size, options.shows_progress)
        self._selector = selectors.DefaultSelector()

    def stop(self, number: int) -> None:
        """Deal no more; from a signal handler."""
        if self.stopped_by:
            raise KeyboardInterrupt  # asked for twice: whatever it is doing
        self.stopped_by = number

    def go(self) -> None:
        """Deal until all is done, or a signal says that it is enough."""
        selector = self._selector
        for worker in self.workers:
            selector.register(worker.stdout, selectors.EVENT_READ, (self._on_results, worker))
            selector.register(worker.stderr, selectors.EVENT_READ, (self._on_words, worker))
            selector.register(worker.stdin, selectors.EVENT_WRITE, (self._on_room, worker))
        open_ends = 2 * len(self.workers)
        was_told = False
        waiting: list[Worker] = []  # have room, but there is no line yet
        while open_ends:
            if self.stopped_by and not was_told:
                was_told = True
                for worker in self.workers:
                    self._end_input(worker)
                    with suppress(ProcessLookupError):
                        worker.process.send_signal(signal.SIGTERM)
            if waiting and self.source.size is None and not self.source.is_exhausted:
                selector.register(self.source.fd, selectors.EVENT_READ)
            events = selector.select(INTERVAL)
            with suppress(KeyError):
                selector.unregister(self.source.fd)
            for key, _ in events:
                if key.data is None:
                    continue  # there are names again, as is seen below
                act, worker = key.data
                if not act(worker):
                    if key.fileobj is worker.stdin:
                        waiting.append(worker)
                        selector.unregister(worker.stdin)
                    else:
                        selector.unregister(key.fileobj)
                        open_ends -= 1
            if waiting and (self.source.has_line() or self.source.is_over):
                for worker in waiting:
                    if not worker.stdin.closed:
                        selector.register(worker.stdin, selectors.EVENT_WRITE, (self._on_room, worker))
                waiting.clear()
            if self.progress.is_due():
                self.progress.show(self.source.octets, self._counts())
        self.failed = sum(worker.has_failed() for worker in self.workers)

    def _counts(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for worker in self.workers:
            for status, count in worker.counts.items():
                total[status] = total.get(status, 0) + count
        return total

    # --- each says whether there may be more

    def _on_room(self, worker: Worker) -> bool:
        """A worker can be given names; False where there are none at the moment."""
        if not worker.to_write:
            worker.to_write = self._block()
        if not worker.to_write:
            if self.source.is_over:
                self._end_input(worker)
                return True
            return False
        try:
            worker.to_write = worker.to_write[worker.stdin.write(worker.to_write) or 0 :]
        except BrokenPipeError:  # it has ended, and `has_failed` will say how
            self._end_input(worker)
        return True

    def _end_input(self, worker: Worker) -> None:
        if not worker.stdin.closed:
            with suppress(KeyError):
                self._selector.unregister(worker.stdin)
            worker.stdin.close()

    def _on_results(self, worker: Worker) -> bool:
        block = worker.stdout.read(READ)
        if block is None:
            return True
        whole, newline, rest = block.rpartition(b"\n")
        if newline:
            self.sink.write(worker.half_line + whole + newline)
            worker.half_line = rest
        else:
            worker.half_line += rest  # of a worker that was killed, it is dropped
        return bool(block)

    def _on_words(self, worker: Worker) -> bool:
        block = worker.stderr.read(READ)
        if block is None:
            return True
        *words, worker.half_word = (worker.half_word + block).split(b"\n")
        for word in words:
            if word.startswith(b"{"):
                report = json.loads(word)
                worker.counts = report["counts"]
                worker.complaints = report["complaints"]
            elif word.startswith(COMPLAINT):
                number, _, problem = word[len(COMPLAINT) :].decode("utf-8", "replace").partition(": ")
                self.complaints.add(int(number), problem)
            else:
                say(word.decode("utf-8", "replace").removeprefix("gdns: "))
        return bool(block)

    # --- names

    def _block(self) -> bytes:
        """Some lines for one worker, with the number of the first; those that are done are left out."""
        if self.done is None:
            first, lines = self.source.raw_lines(BLOCK)
            return f"\0{first}\n{''.join(lines)}".encode("utf-8", "surrogateescape") if lines else b""
        text = "".join(islice(self._not_done(self.done), BLOCK))
        return text.encode("utf-8", "surrogateescape")

    def _not_done(self, done: Done) -> Iterator[str]:
        """Lines that an earlier run has not done, each with its number in front."""
        while True:
            line = next(self.source.lines(1), None)
            if line is None:
                return
            for asked in asked_by(line, self.options.rdtypes):
                if done.has(line.name, asked.rdtype):
                    continue
                # a bad line as it was, so that the worker finds it bad
                text = line.text if asked.problem else f"{line.name} {asked.rdtype}"
                yield f"\0{line.number}\n{text}\n"

    def conclude(self) -> int:
        """Sum up; the exit status."""
        self.complaints.total = sum(worker.complaints for worker in self.workers)
        skipped = self.done.skipped if self.done is not None else 0
        took = monotonic() - self.progress.began
        status = conclude(self.options, self._counts(), took, skipped, self.complaints, self.stopped_by)
        if self.failed and not self.stopped_by:
            everybody = len(self.workers)
            say(f"{self.failed} of {everybody} processes ended early; --resume asks for what is missing")
            return SOME_UNASKED
        return status


@contextmanager
def _signals(dealer: Dealer) -> Iterator[None]:
    old = {
        number: signal.signal(number, lambda number, frame: dealer.stop(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
