"""Looks many names up, from a file or standard input, and writes a line of JSON for each."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from socket import AF_UNSPEC
from time import localtime, monotonic, strftime, time
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

from gdns.cli.progress import INTERVAL, Progress, summary
from gdns.cli.sink import Done, Sink, WriteError
from gdns.cli.source import Line, Source
from gdns.cli.usage import Parser, UsageError, count, seconds
from gdns.rdtypes import A

if TYPE_CHECKING:
    from gdns.hubs.protocol import Hub, Watch
    from gdns.many import Many

WORKER = "--worker"
CONCURRENCY = 500
# exit statuses; 2 is usage, 128 + the signal an interruption
DONE, SOME_UNASKED, NO_SERVER, NOT_WRITTEN = 0, 1, 3, 3
MOST_COMPLAINTS = 10  # lines of the input that are told of one by one
FEW = 64  # lines taken between two looks at what has landed

DESCRIPTION = """\
Look up every name in FILE, or on standard input, and write what came of each as one line of JSON, in zdns'
fields, as the answers come. A line of FILE is a name, or a name and a type; empty ones and those that begin
with "#" are passed over.
"""
EPILOG = """\
exit status: 0 all was asked, whatever was answered, and also where some questions got no answer; 1 some
lines could not be asked; 2 usage; 3 no server answered any, or the results could not be written; 130 or 143
stopped by Ctrl-C or SIGTERM: what was resolved is written, and --resume goes on
"""


def main(words: Sequence[str]) -> int:
    """Do a bulk run and return its exit status. Raises UsageError."""
    options = _read(words)
    try:
        if options.jobs > 1:
            from gdns.cli.jobs import run

            return run(options)
        return Run(options).run()
    except WriteError as error:
        say(str(error))
        return NOT_WRITTEN


def parser() -> Parser:
    """The words of `gdns bulk`."""
    made = Parser(
        prog="gdns bulk",
        usage="gdns bulk [FILE | -] [@server ...] [--type TYPE ...] [options]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("words", nargs="*", metavar="FILE | @server", help="names; servers to ask, in order")
    asked = made.add_argument_group("what is asked, and how")
    asked.add_argument(
        "-t", "--type", action="append", default=[], metavar="TYPE", help="may be given again, or be A,AAAA"
    )
    asked.add_argument("--rate", type=_rate, metavar="N", help="questions a second at most")
    asked.add_argument(
        "--concurrency", type=_concurrency, default=CONCURRENCY, metavar="N",
        help="questions under way at once (%(default)s)",
    )  # fmt: skip
    asked.add_argument(
        "--retries",
        type=_retries,
        metavar="N",
        help="how often a server is asked again (resolv.conf's, or 1)",
    )
    asked.add_argument(
        "--timeout", type=seconds, metavar="S", help="seconds for one try (resolv.conf's, or 5)"
    )
    asked.add_argument(
        "--jobs", type=_jobs, default=1, metavar="N", help="processes, which share rate and concurrency"
    )
    kept = made.add_argument_group("where the results go")
    kept.add_argument("-o", "--output", default="-", metavar="FILE", help="instead of standard output")
    kept.add_argument("--resume", action="store_true", help="go on with an earlier run's --output")
    kept.add_argument(
        "--retry-failed", action="store_true", help="and ask again what has a line with TIMEOUT or ERROR"
    )
    kept.add_argument("--overwrite", action="store_true", help="write an --output that exists anew")
    kept.add_argument("--no-progress", action="store_true", help="show no progress on a terminal")
    return made


class Options:
    """What the words of a run say."""

    def __init__(self, given: argparse.Namespace, words: Sequence[str], is_worker: bool) -> None:
        self.words = words
        files = [word for word in given.words if not word.startswith("@")]
        if len(files) > 1:
            raise UsageError(f"one file of names at a time, not both {files[0]} and {files[1]}")
        if given.resume and given.output == "-":
            raise UsageError("--resume needs the --output of the run that it goes on with")
        if given.resume and given.overwrite:
            raise UsageError("either --resume or --overwrite")
        if given.retry_failed and not given.resume:
            raise UsageError("--retry-failed goes with --resume and the --output of an earlier run")
        self.file: str = files[0] if files else "-"
        if self.file == "-" and sys.stdin is not None and sys.stdin.isatty() and not files:
            raise UsageError("no names: name a file, or pipe names in (- reads them from the terminal)")
        self.servers = [word[1:] for word in given.words if word.startswith("@")]
        self.rdtypes = _rdtypes(given.type or ["A"])
        self.rate: float | None = given.rate
        self.concurrency: int = given.concurrency
        self.retries: int | None = given.retries
        self.timeout: float | None = given.timeout
        self.jobs: int = given.jobs
        self.output: str = given.output
        self.resumes: bool = given.resume
        self.retries_failed: bool = given.retry_failed
        self.overwrites: bool = given.overwrite
        self.shows_progress = not given.no_progress and not is_worker
        self.is_worker = is_worker


def _read(words: Sequence[str]) -> Options:
    is_worker = list(words[:1]) == [WORKER]  # no option of the command's: `jobs` says so to its processes
    return Options(parser().parse_intermixed_args(list(words[is_worker:])), words, is_worker)


def _rdtypes(given: Sequence[str]) -> dict[str, int]:
    """The types by their names, in the order given."""
    from gdns._ndjson import rdtype_text
    from gdns.many import rdtype_of

    rdtypes: dict[str, int] = {}
    for word in ",".join(given).upper().split(","):
        number = rdtype_of(word)
        if not number:
            raise UsageError(f"--type {word or repr('')}: no such record type; A, AAAA, MX and TXT are some")
        rdtypes[rdtype_text(number)] = number
    return rdtypes


class Asked(NamedTuple):
    """One question of a line: its record will have this type, and there is `problem` where it is none."""

    rdtype: str
    number: int
    problem: str = ""


def asked_by(line: Line, rdtypes: Mapping[str, int]) -> list[Asked]:
    """The questions of a line."""
    if line.problem:
        return [Asked("A", A, line.problem)]
    if not line.rdtype:
        return [Asked(*item) for item in rdtypes.items()]
    from gdns._ndjson import rdtype_text
    from gdns.many import rdtype_of

    number = rdtype_of(line.rdtype)
    if not number:
        return [Asked("A", A, f"there is no record type {line.rdtype}")]
    return [Asked(rdtype_text(number), number)]


def opened(options: Options) -> tuple[Source, Sink, Done | None]:
    """Where names come from, where lines go, and what an earlier run has done. Raises UsageError."""
    source = Source(options.file, options.is_worker)
    if options.output != "-" and source.is_same(options.output):
        raise UsageError(f"{options.output} is what is read; choose another --output")
    sink = Sink(options.output, options.resumes, options.overwrites)
    return source, sink, Done(options.output, options.retries_failed) if options.resumes else None


class Run:
    """One process' run: reads, asks, writes."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.source, self.sink, self.done = opened(options)
        self.complaints = Complaints()
        self.stopped_by = 0  # a signal
        self._report_at = 0.0

    def run(self) -> int:
        from gdns._ndjson import Writer
        from gdns.hubs import NativeHub
        from gdns.many import Many
        from gdns.pace import Pace
        from gdns.resolver import Resolver

        options = self.options
        hub = NativeHub.of_this_thread()
        with Resolver(
            _servers(options.servers) if options.servers else None,
            timeout=options.timeout,
            attempts=None if options.retries is None else options.retries + 1,
            cache=False,  # names of a list are asked for once
            hub=hub,
        ) as resolver:
            self.many = Many(
                resolver._engine, options.concurrency, Pace(options.rate) if options.rate else None
            )
            self.many.begin()
            self.writer = Writer()
            self.progress = Progress(self.source.size, options.shows_progress)
            with _signals(hub, self._stop, self.many.wake_up):
                watch = None if self.source.size is not None else hub.watch(self.source.fd, self.many.wake_up)
                try:
                    self._go(watch)
                finally:
                    if watch is not None:
                        watch.close()
                    self.progress.end()
                    self.many.close()
        return self._say_how_it_went()

    def _stop(self, number: int) -> None:
        if self.stopped_by:
            raise KeyboardInterrupt  # asked for twice: whatever it is doing
        self.stopped_by = number

    def _go(self, watch: Watch | None) -> None:
        from gdns.many import NO_LIMIT

        many, source = self.many, self.source
        while not self.stopped_by:
            many.renew()
            self._fill(many)
            many.send()
            if not many.landed:
                waits_for_names = watch is not None and not source.is_over and many.room() > 0
                if watch is not None and waits_for_names and not source.has_line():
                    watch.start()
                    self._wait(NO_LIMIT)
                    watch.stop()
                elif many.in_flight or not source.is_over:
                    self._wait(many.pause() if many.room() > 0 and not source.is_over else NO_LIMIT)
                else:
                    return
            self._write()

    def _wait(self, pause: float) -> None:
        if not self.stopped_by:
            self.many.wait(pause)

    def _write(self) -> None:
        self.writer.drain(self.many, timestamp())
        if self.writer:
            self.sink.write(self.writer.take())
        if self.progress.is_due():
            self.progress.show(self.source.octets, self.writer.counts)
        if self.options.is_worker and monotonic() >= self._report_at:
            self._report()

    def _report(self) -> None:
        """Tell the process that deals how far this worker has come."""
        self._report_at = monotonic() + INTERVAL
        told = {"counts": self.writer.counts, "complaints": self.complaints.total}
        print(json.dumps(told), file=sys.stderr, flush=True)

    def _fill(self, many: Many) -> None:
        """Ask as much as there is room for."""
        rdtypes = self.options.rdtypes
        plain = [Asked(*item) for item in rdtypes.items()]  # of nearly every line
        while not self.stopped_by:
            room = many.room() // len(rdtypes) or min(1, many.room())
            if room <= 0 or (self.options.rate and many.pause() > 0.0):
                return
            took = 0
            for line in self.source.lines(1 if self.options.rate else min(room, FEW)):
                took += 1
                for asked in asked_by(line, rdtypes) if line.problem or line.rdtype else plain:
                    self._ask(line, asked)
            if not took:
                return

    def _ask(self, line: Line, asked: Asked) -> None:
        if self.done is not None and self.done.has(line.name, asked.rdtype):
            return
        if asked.problem:
            detail = self.complaints.add(line.number, f"{line.name}: {asked.problem}")
            self.many.refuse(line.name, A, detail)
        elif not self.many.put(line.name, line.name, asked.number):
            outcome = self.many.landed[-1].outcome
            assert outcome is not None
            outcome.detail = self.complaints.add(line.number, outcome.detail)

    def _say_how_it_went(self) -> int:
        """Sum up; the exit status."""
        counts = self.writer.counts
        if self.options.is_worker:
            self._report()
            return 128 + self.stopped_by if self.stopped_by else DONE
        skipped = self.done.skipped if self.done is not None else 0
        return conclude(
            self.options, counts, monotonic() - self.progress.began, skipped, self.complaints, self.stopped_by
        )


class Complaints:
    """Lines of the input that cannot be asked for, told of on standard error."""

    def __init__(self) -> None:
        self.total = 0

    def add(self, number: int, problem: str) -> str:
        """Tell of one, unless there were many; the text for its record."""
        self.total += 1
        text = f"line {number}: {problem}"
        if self.total <= MOST_COMPLAINTS:
            say(text)
        elif self.total == MOST_COMPLAINTS + 1:
            say("more lines like these are only in the output, with the status ILLEGAL_INPUT")
        return text


def conclude(
    options: Options,
    counts: dict[str, int],
    took: float,
    skipped: int,
    complaints: Complaints,
    stopped_by: int,
) -> int:
    """Sum a run up on standard error, and say how to go on where it was stopped; the exit status."""
    say(summary(counts, took, skipped))
    if stopped_by:
        say(f"stopped by {signal.Signals(stopped_by).name}; {how_to_go_on(options)}")
        return 128 + stopped_by
    asked = sum(counts.values()) - counts.get("ILLEGAL_INPUT", 0)
    unanswered = counts.get("TIMEOUT", 0) + counts.get("ERROR", 0)
    if asked and unanswered == asked:
        todo = "check the servers with gdns doctor, or name others with @server"
        say(f"no server answered: {todo}{_then(options)}")
        return NO_SERVER
    if unanswered:  # no failure of the run: among a million names, some servers are always silent
        say(f"{unanswered:,} of these got no answer{_to_ask_again(options)}")
    return SOME_UNASKED if complaints.total else DONE


def how_to_go_on(options: Options) -> str:
    """What somebody does whose run was stopped."""
    if options.output == "-":
        return "what was resolved is written; with --output FILE it could be gone on with by --resume"
    words = [word for word in options.words if word not in ("--resume", "--overwrite")]
    command = shlex.join(["gdns", "bulk", *words, "--resume"])
    return f"go on with the same names, and {command}" if options.file == "-" else f"go on with: {command}"


def _to_ask_again(options: Options) -> str:
    if options.output == "-":
        return "; with --output FILE they could be asked for again by --resume --retry-failed"
    return "; the same words with --resume --retry-failed ask for them again"


def _then(options: Options) -> str:
    return "" if options.output == "-" else "; then the same with --resume --retry-failed"


@contextmanager
def _signals(hub: Hub, stop: Callable[[int], None], wake: Callable[[], object]) -> Iterator[None]:
    """Have `stop` called for SIGINT and SIGTERM, and then `wake` from the hub."""
    reader, writer = os.pipe()
    for end in (reader, writer):
        os.set_blocking(end, False)

    def drain() -> None:
        with suppress(BlockingIOError):
            os.read(reader, 4096)
        wake()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop(number)

    watch = hub.watch(reader, drain)
    old_fd = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    old = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    watch.start()
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(old_fd)
        watch.close()
        os.close(reader)
        os.close(writer)


_stamp: tuple[int, str] = (0, "")


def timestamp() -> str:
    """The time by RFC 3339, to the second."""
    global _stamp
    now = int(time())
    if _stamp[0] != now:
        text = strftime("%Y-%m-%dT%H:%M:%S%z", localtime(now))
        _stamp = (now, f"{text[:-2]}:{text[-2:]}")
    return _stamp[1]


def say(text: str) -> None:
    """Tell the user on standard error, whatever that can show."""
    encoding = getattr(sys.stderr, "encoding", None) or "ascii"
    with suppress(OSError, ValueError):
        print(
            f"gdns: {text}".encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr, flush=True
        )


def _servers(texts: Sequence[str]) -> list[str]:
    """Servers as `Resolver` takes them; all of a host for its name. Raises UsageError and ConfigError."""
    from gdns.cli.nameservers import servers_for
    from gdns.resolvconf import ResolvConf

    return [
        f"{server.transport}://{server}"
        for text in texts
        for server in servers_for(text, AF_UNSPEC, None, ResolvConf())
    ]


def _rate(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number of questions a second")
    return number


def _concurrency(text: str) -> int:
    from gdns.many import MOST_CONCURRENCY

    return _at_most(text, count(text), MOST_CONCURRENCY)


def _jobs(text: str) -> int:
    return _at_most(text, count(text), 256)


def _retries(text: str) -> int:
    return 0 if text == "0" else _at_most(text, count(text), 999)


def _at_most(text: str, number: int, most: int) -> int:
    if number > most:
        raise argparse.ArgumentTypeError(f"{text} is more than {most}")
    return number
