"""The gdns command."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple, Protocol, cast

from gdns.cli.grammar import SYNOPSIS, UsageError
from gdns.errors import ConfigError

# exit statuses beside those of the verbs
USAGE = 2
NOT_ASKED = 3  # the system has no socket or memory to spare
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
READER_GONE = 141  # 128 + SIGPIPE


class Verb(NamedTuple):
    """A module of this package whose `main` does the work, with what the help says about it."""

    module: str
    summary: str


VERBS = {
    "bulk": Verb("gdns.cli.bulk", "look up a file of names, by the million, into lines of JSON"),
    "demo": Verb("gdns.cli.demo", "look up some zones from many greenlets, beside the blocking functions"),
}


class Main(Protocol):
    """Does what the words after a verb say and returns the exit status. Raises UsageError."""

    def __call__(self, words: Sequence[str]) -> int: ...


def main(words: Sequence[str] | None = None) -> int:
    """Do what the words of the command line say and return the exit status."""
    words = sys.argv[1:] if words is None else words
    try:
        status = _run(words)
        sys.stdout.flush()
    except (UsageError, ConfigError) as error:
        print(f"gdns: {error} (see gdns --help)", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it exits
        return READER_GONE
    except OSError as error:
        print(f"gdns: {error.strerror or error}", file=sys.stderr)
        return NOT_ASKED
    return status


def _run(words: Sequence[str]) -> int:
    if not words:
        print(f"usage: {SYNOPSIS}\n       gdns --help", file=sys.stderr)
        return USAGE
    if words[0] in VERBS:
        return cast(Main, import_module(VERBS[words[0]].module).main)(words[1:])
    from gdns.cli import dig

    return dig.main(words, "\n".join(f"  {verb:<8} {about.summary}" for verb, about in VERBS.items()))
