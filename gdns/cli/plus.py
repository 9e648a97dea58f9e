"""The options of a look-up that begin with "+", as dig(1) has them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, NamedTuple

from gdns.cli.usage import UsageError, count, seconds


class Plus(NamedTuple):
    """One of them: whose field it sets, what the help says, and what value it takes, if any."""

    where: str
    help: str
    value: str = ""


SHOWN = "shown."  # begins the fields of what is printed
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
    "cmd": Plus(SHOWN + "cmd", "the first line, which repeats the words"),
    "comments": Plus(SHOWN + "comments", "header, EDNS and the titles of sections"),
    "question": Plus(SHOWN + "question", "the question"),
    "answer": Plus(SHOWN + "answer", "the answer"),
    "authority": Plus(SHOWN + "authority", "the authority section"),
    "additional": Plus(SHOWN + "additional", "the additional section"),
    "stats": Plus(SHOWN + "stats", "who answered, and how fast"),
    "ttlid": Plus(SHOWN + "ttl", "the TTL of records"),
    "class": Plus(SHOWN + "rdclass", "the class of records"),
    "ttlunits": Plus(SHOWN + "ttl_units", "TTLs as 1h30m"),
    "multiline": Plus(SHOWN + "multiline", "SOA records over several lines, with what is what"),
    "identify": Plus(SHOWN + "identify", "with +short: who said so"),
}
SAME = {
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
_KNOWN = sorted({*PLUS, *SAME, *REFUSED})


def help_text(width: int = 24) -> str:
    """The options that begin with "+", one a line."""
    lines = []
    for name, option in PLUS.items():
        word = f"+{name}={option.value}" if option.value else f"+{name}"
        gap = " " * (width - 2 - len(word)) if len(word) < width - 3 else f"\n{' ' * width}"
        lines.append(f"  {word}{gap}{option.help}")
    return "\n".join(lines)


def read(word: str, fields: dict[str, Any]) -> None:
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
        fields.update({SHOWN + part: is_on for part in _ALL})
    else:
        fields[option.where] = None if option.value else is_on


def _full_name(name: str, word: str) -> str:
    """The option that a word names, be it by its beginning."""
    matches = [name] if name in _KNOWN else [known for known in _KNOWN if name and known.startswith(name)]
    full = dict.fromkeys(SAME.get(match, match) for match in matches)
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
