"""Reads the words of a lookup, which come in any order as dig(1) takes them."""

from __future__ import annotations

import argparse
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from gdns.cli import plus, versions
from gdns.cli.usage import Parser, UsageError, add_color, add_families, add_json, count, port, seconds
from gdns.names import reverse_name

CLASSES = ("IN", "CH", "HS")

SYNOPSIS = """\
gdns [@server] [type] [class] name [+option ...] [options]
       gdns [@server] -x ADDRESS [+option ...] [options]
       gdns VERB ..."""
DESCRIPTION = (
    "Look up DNS records. The words of a lookup come in any order, as with dig; the type is A by default.\n"
    "A server is an address or a name, with #port or :port where it is not 53."
)
EPILOG = """\
options that begin with "+", as dig's; "+no..." turns one off, and the beginning of one will do:
{plus}

verbs, as the first word; `gdns VERB --help` says more:
{verbs}

A name that reads like a verb or a type goes after "--": `gdns -- demo` asks for the name.

exit status: 0 answered; 1 no such name, or no such record at it; 2 usage; 3 no server answered; 70 a bug of
gdns; 130 interrupted; 141 the reader has gone
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """What of a reply is printed, and how."""

    cmd: bool = True
    comments: bool = True
    question: bool = True
    answer: bool = True
    authority: bool = True
    additional: bool = True
    stats: bool = True
    ttl: bool = True
    rdclass: bool = True
    ttl_units: bool = False
    multiline: bool = False
    identify: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What the words of one lookup ask for.

    `server` is as written after the "@", None for those of resolv.conf, and `port` theirs where they have
    none; `family` is AF_INET or AF_INET6 where only servers with such an address are to be asked, else
    AF_UNSPEC. `timeout` is in seconds; None leaves it, like `attempts`, `edns` and `ndots`, to the
    configuration. `source` and `source_port` are sent from. `subnet` is that of the client (RFC 7871).
    """

    name: str
    rdtype: str = "A"
    rdclass: str = "IN"
    server: str | None = None
    port: int | None = None
    is_short: bool = False
    is_json: bool = False
    is_tcp: bool = False
    family: int = socket.AF_UNSPEC
    timeout: float | None = None
    attempts: int | None = None
    edns: bool | None = None
    wants_dnssec: bool = False
    wants_recursion: bool = True
    authentic_data: bool = False
    checking_disabled: bool = False
    wants_nsid: bool = False
    subnet: str | None = None
    search: bool = False
    domain: str | None = None
    ndots: int | None = None
    source: str | None = None
    source_port: int = 0
    color: str = "auto"
    shown: Shown = field(default_factory=Shown)


def read(words: Sequence[str], is_rdtype: Callable[[str], bool], verbs: str = "") -> Request:
    """Make a request of the words after "gdns".

    `is_rdtype` says whether a word, in capitals, is a type; `verbs` is the help's list of verbs. Raises
    UsageError for words that make no request; SystemExit once --help or --version is shown.
    """
    words, literal = _split(list(words))
    options = parser(verbs).parse_intermixed_args([word for word in words if not word.startswith("+")])
    fields: dict[str, Any] = {}
    for word in words:
        if word.startswith("+"):
            plus.read(word, fields)
    for name in ("timeout", "attempts"):
        if getattr(options, name) is not None:
            fields[name] = getattr(options, name)
    if options.is_json and fields.get("is_short"):
        raise UsageError("--json is not allowed with +short: choose one")
    shown = {
        name.removeprefix(plus.SHOWN): fields.pop(name)
        for name in list(fields)
        if name.startswith(plus.SHOWN)
    }
    target: dict[str, str] = {}
    if options.qname is not None:
        _put(target, "name", options.qname)
    if options.reverse is not None:
        _put(target, "name", _reverse(options.reverse))
    if options.rdtype is not None:
        _put(target, "type", _checked_type(options.rdtype, is_rdtype))
    if options.rdclass is not None:
        _put(target, "class", _checked_class(options.rdclass))
    for word in options.words:
        _put(target, *_kind(word, is_rdtype))
    for word in literal:
        _put(target, *(_kind(word, is_rdtype) if "name" in target else ("name", word)))
    if "name" not in target:
        raise UsageError(_nameless(target))
    source, _, source_port = (options.source or "").partition("#")
    return Request(
        name=target["name"],
        rdtype=target.get("type", "A" if options.reverse is None else "PTR"),
        rdclass=target.get("class", "IN"),
        server=target.get("server"),
        port=options.port,
        is_json=options.is_json,
        family=options.family,
        source=source or None,
        source_port=_port_of(source_port),
        color=options.color,
        shown=Shown(**shown),
        **{"is_tcp": options.is_tcp} | fields,
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
        hint = "; a type without a name is written TYPE65280" if kind == "name" else ""
        raise UsageError(f"one {kind} at a time, not both {target[kind]} and {value}{hint}")
    target[kind] = value


def _checked_type(word: str, is_rdtype: Callable[[str], bool]) -> str:
    if not is_rdtype(word.upper()):
        raise UsageError(f"-t {word}: there is no such type; one without a name is written TYPE65280")
    return word.upper()


def _checked_class(word: str) -> str:
    if _kind(word, lambda _: False)[0] != "class":
        raise UsageError(f"-c {word}: there is no such class, only {', '.join(CLASSES)} and CLASS65280")
    return word.upper()


def _port_of(text: str) -> int:
    try:
        return port(text) if text else 0
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"-b: {error}") from None


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


class _ShowVersion(argparse.Action):
    """Shows the versions, of which c-ares' is known only once that is loaded."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print(versions.text())
        parser.exit()


class _Refuse(argparse.Action):
    """Says what to do in place of an option of dig."""

    def __call__(
        self, parser: argparse.ArgumentParser, _: object, values: object, option: str | None = None
    ) -> NoReturn:
        raise UsageError(f"{option} is not for gdns: {self.metavar}")


def parser(verbs: str = "") -> Parser:
    """The options of a lookup that begin with "-"; what is none of them is left in `words`."""
    parser = Parser(
        prog="gdns",
        usage=SYNOPSIS,
        description=DESCRIPTION,
        epilog=EPILOG.format(verbs=verbs, plus=plus.help_text()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    shown = parser.add_argument_group("what is shown")
    add_json(shown)
    add_color(shown)
    asked = parser.add_argument_group("how it is asked")
    asked.add_argument("-x", dest="reverse", metavar="ADDRESS", help="look up the names of an address")
    asked.add_argument("-t", dest="rdtype", metavar="TYPE", help="the type, as the word alone")
    asked.add_argument("-c", dest="rdclass", metavar="CLASS", help="the class, as the word alone")
    asked.add_argument("-q", dest="qname", metavar="NAME", help="the name, whatever it reads like")
    asked.add_argument("-p", dest="port", type=port, metavar="PORT", help="the server's port")
    asked.add_argument("-b", dest="source", metavar="ADDRESS[#PORT]", help="send from there")
    add_families(asked, "ask only servers with an {version} address")
    asked.add_argument("--tcp", dest="is_tcp", action="store_true", help="over TCP from the start")
    asked.add_argument(
        "--timeout",
        type=seconds,
        metavar="S",
        help="seconds for one attempt (else resolv.conf's, or 5)",
    )
    asked.add_argument(
        "--attempts",
        type=count,
        metavar="N",
        help="times a server is asked (else resolv.conf's, or 2)",
    )
    for option, instead in (
        ("-f", "`gdns bulk FILE` looks up the names in a file"),
        ("-k", "gdns does not sign queries (TSIG); use dig"),
        ("-y", "gdns does not sign queries (TSIG); use dig"),
    ):
        parser.add_argument(option, action=_Refuse, metavar=instead, help=argparse.SUPPRESS)
    for option in ("-r", "-u", "-m"):  # there is no digrc; milliseconds will do
        parser.add_argument(option, action="store_true", help=argparse.SUPPRESS)
    about = parser.add_argument_group("about gdns")
    about.add_argument("-h", "--help", action="help", help="show this")
    about.add_argument(
        "-v", "--version", action=_ShowVersion, nargs=0, help="show the versions of gdns and what it runs on"
    )
    return parser
