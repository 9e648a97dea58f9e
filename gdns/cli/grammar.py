"""Reads the words of a lookup, which come in any order as dig(1) takes them."""

from __future__ import annotations

import argparse
import math
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from gdns._version import __version__
from gdns.names import reverse_name

CLASSES = ("IN", "CH", "HS")

SYNOPSIS = """\
gdns [@server[:port]] [type] [class] name [+short | --json] [options]
       gdns [@server[:port]] -x ADDRESS [+short | --json] [options]
       gdns VERB ..."""
DESCRIPTION = (
    "Look up DNS records. The words of a lookup come in any order, as with dig; the type is A by default."
)
EPILOG = """\
verbs, as the first word:
{verbs}

A name that reads like a verb or a type goes after "--": `gdns -- demo` asks for the name.

exit status: 0 answered; 1 no such name, or no such record at it; 2 usage; 3 no server answered
"""


class UsageError(Exception):
    """The words make no lookup; the text says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the words of one lookup ask for.

    `server` is as written after the "@", None for those of resolv.conf; `family` is AF_INET or AF_INET6
    where only servers with such an address are to be asked, else AF_UNSPEC. `timeout` is in seconds; None
    leaves it, like `attempts`, to the configuration.
    """

    name: str
    rdtype: str = "A"
    rdclass: str = "IN"
    server: str | None = None
    is_short: bool = False
    is_json: bool = False
    is_tcp: bool = False
    family: int = socket.AF_UNSPEC
    timeout: float | None = None
    attempts: int | None = None


def read(words: Sequence[str], is_rdtype: Callable[[str], bool], verbs: str = "") -> Request:
    """Make a request of the words after "gdns".

    `is_rdtype` says whether a word, in capitals, is a type; `verbs` is the help's list of verbs. Raises
    UsageError for words that make no request; SystemExit once --help or --version is shown.
    """
    words, literal = _split(list(words))
    options = _parser(verbs).parse_intermixed_args(words)
    target: dict[str, str] = {}
    if options.reverse is not None:
        target["name"] = _reverse(options.reverse)
    for word in options.words:
        _put(target, *_kind(word, is_rdtype))
    for word in literal:
        _put(target, *(_kind(word, is_rdtype) if "name" in target else ("name", word)))
    if "name" not in target:
        raise UsageError(_nameless(target))
    return Request(
        name=target["name"],
        rdtype=target.get("type", "A" if options.reverse is None else "PTR"),
        rdclass=target.get("class", "IN"),
        server=target.get("server"),
        is_short=options.is_short,
        is_json=options.is_json,
        is_tcp=options.is_tcp,
        family=options.family,
        timeout=options.timeout,
        attempts=options.attempts,
    )


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """The words before the first "--", with those after it."""
    end = words.index("--") if "--" in words else len(words)
    return words[:end], words[end + 1 :]


def _kind(word: str, is_rdtype: Callable[[str], bool]) -> tuple[str, str]:
    """What a word is by its looks, with its value: a server, a type, a class, else the name."""
    capitals = word.upper()
    if word.startswith("@"):
        return "server", word[1:]
    if is_rdtype(capitals):
        return "type", capitals
    if capitals in CLASSES or re.fullmatch(r"CLASS\d{1,5}", capitals):
        return "class", capitals
    return "name", word


def _put(target: dict[str, str], kind: str, value: str) -> None:
    if not value:
        raise UsageError(f"the {kind} is empty")
    if kind in target:
        raise UsageError(f"one {kind} at a time, not both {target[kind]} and {value}")
    target[kind] = value


def _reverse(address: str) -> str:
    try:
        return reverse_name(address)
    except (OSError, ValueError):
        raise UsageError(f"-x takes an IPv4 or IPv6 address, which {address!r} is not") from None


def _nameless(target: dict[str, str]) -> str:
    for kind in ("type", "class"):
        if kind in target:
            word = target[kind]
            return f"no name to look up: {word} was read as the {kind} (gdns -- {word} looks it up as a name)"
    return "no name to look up"


class Parser(argparse.ArgumentParser):
    """Leaves it to the caller to say what is wrong."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


class _ShowVersion(argparse.Action):
    """Shows the versions, of which c-ares' is known only once that is loaded."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from gdns import _libcares

        print(f"gdns {__version__}, c-ares {_libcares.version()} from {_libcares.library_file()}")
        parser.exit()


def _parser(verbs: str) -> Parser:
    """The options of a lookup; what is none of them is left in `words`."""
    parser = Parser(
        prog="gdns",
        usage=SYNOPSIS,
        description=DESCRIPTION,
        epilog=EPILOG.format(verbs=verbs),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        prefix_chars="-+",
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    shown = parser.add_argument_group("what is shown").add_mutually_exclusive_group()
    shown.add_argument(
        "+short", dest="is_short", action="store_true", help="only the data of the records, one per line"
    )
    shown.add_argument("--json", dest="is_json", action="store_true", help="one JSON object")
    asked = parser.add_argument_group("how it is asked")
    asked.add_argument("-x", dest="reverse", metavar="ADDRESS", help="look up the names of an address")
    families = asked.add_mutually_exclusive_group()
    for option, family, version in (("-4", socket.AF_INET, "IPv4"), ("-6", socket.AF_INET6, "IPv6")):
        families.add_argument(
            option,
            dest="family",
            action="store_const",
            const=family,
            default=socket.AF_UNSPEC,
            help=f"ask only servers with an {version} address",
        )
    asked.add_argument("--tcp", "+tcp", dest="is_tcp", action="store_true", help="over TCP from the start")
    asked.add_argument(
        "--timeout",
        "+timeout",
        type=seconds,
        metavar="S",
        help="seconds for one attempt (else resolv.conf's, or 5)",
    )
    asked.add_argument(
        "--attempts",
        "+tries",
        type=count,
        metavar="N",
        help="times a server is asked (else resolv.conf's, or 2)",
    )
    about = parser.add_argument_group("about gdns")
    about.add_argument("-h", "--help", action="help", help="show this")
    about.add_argument("--version", action=_ShowVersion, nargs=0, help="show the versions of gdns and c-ares")
    return parser


def seconds(text: str) -> float:
    """A number of seconds from the command line."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (number > 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number of seconds")
    return number


def count(text: str) -> int:
    """A number of things, at least one, from the command line."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 up")
    return int(text)
