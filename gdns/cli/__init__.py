"""The gdns command."""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple, Protocol, cast

from gdns.cli.grammar import SYNOPSIS
from gdns.cli.paint import printable
from gdns.cli.usage import UsageError
from gdns.errors import ConfigError

# exit statuses beside those of the verbs
USAGE = 2
NOT_ASKED = 3  # the system has no socket or memory to spare, or gdns cannot be loaded
BUG = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
READER_GONE = 141  # 128 + SIGPIPE

TODO = {
    errno.EMFILE: "allow more open files, with `ulimit -n 1024`",
    errno.ENFILE: "the whole system has too many files open: end some program",
    errno.ENOSPC: "make room where the output goes",
    errno.ENOMEM: "end some program that needs memory",
}
"""What to do about an error of the system."""

TRACEBACK = "GDNS_TRACEBACK"  # in the environment: where a bug is


class Verb(NamedTuple):
    """A module of this package whose `main` does the work, with what the help says about it."""

    module: str
    summary: str


VERBS = {
    "bulk": Verb("gdns.cli.bulk", "look up a file of names, by the million, into lines of JSON"),
    "explain": Verb("gdns.cli.explain", "where each address of a host came from"),
    "doctor": Verb("gdns.cli.doctor", "what is configured, who answers, and what is wrong"),
    "serve": Verb("gdns.cli.serve", "a DNS server for tests, with faults on demand"),
    "bench": Verb("gdns.cli.bench", "how fast this machine looks names up"),
    "demo": Verb("gdns.cli.demo", "look up some zones from many greenlets, beside the blocking functions"),
    "completion": Verb("gdns.cli.completion", "print what lets bash, zsh or fish complete all this"),
}


class Main(Protocol):
    """Does what the words after a verb say and returns the exit status. Raises UsageError."""

    def __call__(self, words: Sequence[str]) -> int: ...


def main(words: Sequence[str] | None = None) -> int:
    """Do what the words of the command line say and return the exit status.

    Whatever happens, nobody is shown a traceback.
    """
    words = sys.argv[1:] if words is None else words
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed, as by `>&-`
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # whatever the locale, and whatever the words
    try:
        status = _run(words)
        sys.stdout.flush()
    except SystemExit as done:  # argparse's, once the help is shown
        return done.code if isinstance(done.code, int) else 0
    except (UsageError, ConfigError) as error:
        verb = f" {words[0]}" if words and words[0] in VERBS else ""
        print(f"gdns{verb}: {printable(str(error))} (see gdns{verb} --help)", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it exits
        return READER_GONE
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        todo = TODO.get(error.errno or 0, "`gdns doctor` may say more")
        print(f"gdns: {where}{error.strerror or error}; {todo}", file=sys.stderr)
        return NOT_ASKED
    except ImportError as error:
        todo = "install gdns-resolver and pycares again, on Linux; `gdns doctor` says more"
        print(f"gdns: the engine cannot be loaded: {printable(str(error))}; {todo}", file=sys.stderr)
        return NOT_ASKED
    except Exception as error:  # the edge of the program: what comes here is a bug of ours
        return _say_bug(error)
    return status


def _run(words: Sequence[str]) -> int:
    if not words:
        print(f"usage: {SYNOPSIS}\n       gdns --help\n\n{verbs_help()}", file=sys.stderr)
        return USAGE
    if words[0] in VERBS:
        return cast(Main, import_module(VERBS[words[0]].module).main)(words[1:])
    from gdns.cli import dig

    try:
        status = dig.main(words, verbs_help())
    except UsageError as error:
        raise UsageError(f"{error}{_meant(words[0])}") from None
    if status and (meant := _meant(words[0])):
        print(f"gdns: {words[0]} was looked up as a name{meant}", file=sys.stderr)
    return status


def _meant(word: str) -> str:
    """The verb that a first word of a look-up in vain may have been meant for, as the end of a sentence.

    >>> _meant("docter")
    '; did you mean the verb, gdns doctor?'
    >>> _meant("www.example")
    ''
    """
    from difflib import get_close_matches  # only needed once something went wrong

    verbs = get_close_matches(word.lower(), VERBS, n=1, cutoff=0.75)
    return f"; did you mean the verb, gdns {verbs[0]}?" if verbs else ""


def verbs_help() -> str:
    """The verbs, one a line."""
    return "\n".join(f"  {verb:<10} {about.summary}" for verb, about in VERBS.items())


def _say_bug(error: Exception) -> int:
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    said = f"{type(error).__name__}: {error}".rstrip(": ")
    todo = f"please report it, with what {TRACEBACK}=1 in the environment shows"
    print(f"gdns: this is a bug of gdns, {todo}: {printable(said)}", file=sys.stderr)
    return BUG
