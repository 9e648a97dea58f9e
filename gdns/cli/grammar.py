"""Reads the words of a lookup, which come in any order as dig(1) takes them."""

from __future__ import annotations

import argparse
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

from gdns.cli import versions
from gdns.cli.usage import Parser, UsageError, add_color, add_json, count, port, seconds
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


# --- the options that begin with "+"


class Plus(NamedTuple):
    """One of them: whose field it sets, what the help says, and what value it takes, if any."""

    where: str
    help: str
    value: str = ""


_SHOWN = "shown."
PLUS: Mapping[str, Plus] = {
    "short": Plus("is_short", "only the data of the records, one per line"),
    "tcp": Plus("is_tcp", "ask over TCP from the start"),
    "timeout": Plus("timeout", "seconds for one attempt", "S"),
    "tries": Plus("attempts", "times a server is asked", "N"),
    "retry": Plus("attempts", "times a server is asked again", "N"),
    "edns": Plus("edns", "ask with EDNS, and a cookie"),
    "dnssec": Plus("wants_dnssec", "ask for signatures (DO)"),
    "nsid": Plus("wants_nsid", "ask which server it is (RFC 5001)"),
    "subnet": Plus("subnet", "say which network the client is in (RFC 7871)", "ADDRESS/BITS"),
    "recurse": Plus("wants_recursion", "let the server find the answer (RD); on by default"),
    "adflag": Plus("authentic_data", "set AD: is the answer validated?"),
    "cdflag": Plus("checking_disabled", "set CD: give it even if it is not valid"),
    "search": Plus("search", "try the search list of resolv.conf"),
    "domain": Plus("domain", "try this suffix", "NAME"),
    "ndots": Plus("ndots", "dots from which on a name is tried as it is first", "N"),
    "all": Plus("", "everything below: +noall +answer shows the answer alone"),
    "cmd": Plus(_SHOWN + "cmd", "the first line, which repeats the words"),
    "comments": Plus(_SHOWN + "comments", "header, EDNS and the titles of sections"),
    "question": Plus(_SHOWN + "question", "the question"),
    "answer": Plus(_SHOWN + "answer", "the answer"),
    "authority": Plus(_SHOWN + "authority", "the authority section"),
    "additional": Plus(_SHOWN + "additional", "the additional section"),
    "stats": Plus(_SHOWN + "stats", "who answered, and how fast"),
    "ttlid": Plus(_SHOWN + "ttl", "the TTL of records"),
    "class": Plus(_SHOWN + "rdclass", "the class of records"),
    "ttlunits": Plus(_SHOWN + "ttl_units", "TTLs as 1h30m"),
    "multiline": Plus(_SHOWN + "multiline", "SOA records over several lines, with what is what"),
    "identify": Plus(_SHOWN + "identify", "with +short: who said so"),
}
_SAME = {
    "vc": "tcp",
    "time": "timeout",
    "do": "dnssec",
    "rdflag": "recurse",
    "cookie": "edns",
    "aaonly": "aaflag",
    "cd": "cdflag",
    "ad": "adflag",
    "defname": "search",
    "client-subnet": "subnet",
    "cl": "class",
    "ttl": "ttlid",
    "multi": "multiline",
}
_ALL = ("cmd", "comments", "question", "answer", "authority", "additional", "stats")

REFUSED: Mapping[str, str] = {
    "aaflag": "a query has no AA flag of its own to set; leave it out",
    "badcookie": "gdns always asks again with the server's cookie; leave it out",
    "besteffort": "a reply that cannot be read is none; leave it out",
    "bufsize": "gdns always tells servers of 1,232 octets, and fetches more over TCP; leave it out",
    "coflag": "gdns asks for no compact denials; use dig",
    "crypto": "keys and signatures are always shown; leave it out",
    "dns64prefix": "gdns does not look for one; use dig",
    "ednsflags": "the only EDNS flag is DO: use +dnssec",
    "ednsnegotiation": "a server that does not cope with EDNS is asked without; leave it out",
    "ednsopt": "use +nsid or +subnet, or edns_options of gdns.resolve() in a program",
    "expandaaaa": "addresses are always abbreviated (RFC 5952); leave it out",
    "expire": "gdns does not ask for it; use dig",
    "fail": "the next server is asked after a SERVFAIL; name one server with @ to ask no other",
    "header-only": "gdns always asks a question; use dig",
    "http-plain": "gdns does not speak DNS over HTTPS; use dig",
    "http-plain-get": "gdns does not speak DNS over HTTPS; use dig",
    "http-plain-post": "gdns does not speak DNS over HTTPS; use dig",
    "https": "gdns does not speak DNS over HTTPS; use dig",
    "https-get": "gdns does not speak DNS over HTTPS; use dig",
    "https-post": "gdns does not speak DNS over HTTPS; use dig",
    "idnin": "names are always encoded; leave it out",
    "idnout": "names are always shown as they are asked for; leave it out",
    "ignore": "a truncated answer is always fetched over TCP; leave it out",
    "keepalive": "gdns does not ask for it; leave it out",
    "keepopen": "one lookup needs one connection; leave it out",
    "mapped": "gdns asks IPv4 servers over IPv4; leave it out",
    "nssearch": "look up the NS records, then ask each of them with @",
    "onesoa": "gdns transfers no zones; use dig",
    "opcode": "gdns only asks; use dig",
    "padding": "gdns does not pad; use dig",
    "proxy": "gdns does not speak the PROXY protocol; use dig",
    "qid": "ids are random, against forgery; leave it out",
    "qr": "the query is the question that is shown; use +question",
    "raflag": "RA is the server's to set; leave it out",
    "rrcomments": "there are none; leave it out",
    "showbadcookie": "gdns asks again and shows the answer; leave it out",
    "showsearch": "`gdns explain NAME` shows every name that is tried",
    "sigchase": "gdns leaves validation to the server: ask with +dnssec and look for the ad flag",
    "split": "data is shown as it is written in a zone file; leave it out",
    "tcflag": "TC is the server's to set; leave it out",
    "tls": "gdns does not speak DNS over TLS; use dig",
    "tls-ca": "gdns does not speak DNS over TLS; use dig",
    "tls-certfile": "gdns does not speak DNS over TLS; use dig",
    "tls-hostname": "gdns does not speak DNS over TLS; use dig",
    "tls-keyfile": "gdns does not speak DNS over TLS; use dig",
    "trace": "gdns asks resolvers only; `gdns explain NAME` shows what they said",
    "unknownformat": "use dig",
    "xml": "use --json",
    "yaml": "use --json",
    "zflag": "Z must be zero (RFC 1035); leave it out",
}
_KNOWN = sorted({*PLUS, *_SAME, *REFUSED})


def plus_help(width: int = 24) -> str:
    """The options that begin with "+", one a line."""
    lines = []
    for name, option in PLUS.items():
        word = f"+{name}={option.value}" if option.value else f"+{name}"
        gap = " " * (width - 2 - len(word)) if len(word) < width - 3 else f"\n{' ' * width}"
        lines.append(f"  {word}{gap}{option.help}")
    return "\n".join(lines)


def _read_plus(word: str, fields: dict[str, Any]) -> None:
    """Do to the fields of a request what one word, with its "+", asks for."""
    name, has_value, value = word[1:].lower().partition("=")
    value = word[1 + len(name) + 1 :]  # in the case it was written in
    is_on = not (name.startswith("no") and not any(known == name for known in _KNOWN))
    found = _full_name(name if is_on else name[2:], word)
    if found in REFUSED:
        raise UsageError(f"{word} is not for gdns: {REFUSED[found]}")
    option = PLUS[found]
    if option.value and is_on:
        if not value:
            raise UsageError(f"{word} needs a value: +{found}={option.value}")
        fields[option.where] = _value(found, word, value)
    elif option.value and found != "subnet":
        raise UsageError(f"{word} means nothing: write +{found}={option.value}, or leave it out")
    elif has_value and not (found == "edns" and value == "0"):
        what = "version 0 is the only one of EDNS" if found == "edns" else f"+{found} takes no value"
        raise UsageError(f"{word}: {what}; leave out ={value}")
    elif found == "all":
        fields.update({_SHOWN + part: is_on for part in _ALL})
    else:
        fields[option.where] = None if option.value else is_on


def _full_name(name: str, word: str) -> str:
    """The option that a word names, be it by its beginning."""
    matches = [name] if name in _KNOWN else [known for known in _KNOWN if name and known.startswith(name)]
    full = dict.fromkeys(_SAME.get(match, match) for match in matches)
    if not full:
        raise UsageError(f"unrecognized option {word}: gdns --help lists those there are")
    if len(full) > 1:
        raise UsageError(f"{word} could be {' or '.join(f'+{known}' for known in full)}: write more of it")
    return next(iter(full))


def _value(name: str, word: str, text: str) -> object:
    try:
        match name:
            case "timeout":
                return seconds(text)
            case "tries":
                return count(text)
            case "retry":
                return 1 + (0 if text == "0" else count(text))
            case "ndots":
                return 0 if text == "0" else count(text)
            case _:
                return text
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"{word}: {error}") from None


# --- all words


def read(words: Sequence[str], is_rdtype: Callable[[str], bool], verbs: str = "") -> Request:
    """Make a request of the words after "gdns".

    `is_rdtype` says whether a word, in capitals, is a type; `verbs` is the help's list of verbs. Raises
    UsageError for words that make no request; SystemExit once --help or --version is shown.
    """
    words, literal = _split(list(words))
    plus = [word for word in words if word.startswith("+")]
    options = parser(verbs).parse_intermixed_args([word for word in words if not word.startswith("+")])
    fields: dict[str, Any] = {}
    for word in plus:
        _read_plus(word, fields)
    for name in ("timeout", "attempts"):
        if getattr(options, name) is not None:
            fields[name] = getattr(options, name)
    if options.is_json and fields.get("is_short"):
        raise UsageError("--json is not allowed with +short: choose one")
    shown = {name.removeprefix(_SHOWN): fields.pop(name) for name in list(fields) if name.startswith(_SHOWN)}
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
        raise UsageError(f"one {kind} at a time, not both {target[kind]} and {value}")
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
        epilog=EPILOG.format(verbs=verbs, plus=plus_help()).replace("%", "%%"),
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
