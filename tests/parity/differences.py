"""The differences that are meant, each with its reason."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass

from gdns.nsswitch import parse_nsswitch
from tests.parity.cases import Comparison
from tests.parity.children import STALE

MISSING = (-2, -5)
FAILED = (-3, -4)


@dataclass(frozen=True)
class Difference:
    """A kind of difference."""

    title: str
    reason: str
    applies: Callable[[Comparison], bool]


def _host(comparison: Comparison) -> str:
    """The host that the call is about, as text; "" if it has none."""
    if not comparison.call.arguments:
        return ""
    host = comparison.call.arguments[0]
    if isinstance(host, tuple):
        host = host[0] if host else ""
    if isinstance(host, (bytes, bytearray)):
        return bytes(host).decode("latin-1")
    return host if isinstance(host, str) else ""


def _has_nul(comparison: Comparison) -> bool:
    return "\0" in _host(comparison) and comparison.ours.kind == "TypeError"


def _is_special(name: str) -> bool:
    return name.lower().rstrip(".").rpartition(".")[2] in ("localhost", "onion", "invalid")


def _stays_on_the_host(comparison: Comparison) -> bool:
    ours = {name for name, _ in comparison.ours.questions}
    theirs = {name for name, _ in comparison.theirs.questions}
    if any(map(_is_special, ours)):
        return False
    # NI_NOFQDN has glibc look for the local domain in the names of localhost, along the search list
    leaks = {name for name in theirs if _is_special(name) or name.startswith("localhost.")}
    return _is_special(_host(comparison)) or (bool(leaks) and theirs - leaks <= ours)


def _is_doubtful(comparison: Comparison) -> bool:
    ours, theirs = comparison.ours, comparison.theirs
    return (
        (bool(comparison.setting.faults) or not comparison.setting.has_root)
        and theirs.kind == ours.kind == "gaierror"
        and theirs.number in MISSING
        and ours.number in FAILED
        and ours.questions == theirs.questions
    )


def _is_dropped(comparison: Comparison) -> bool:
    asked = {name for name, _ in comparison.theirs.questions}
    return any(
        fault.kind.startswith("malformed") and fault.name in asked for fault in comparison.setting.faults
    )


def _is_garbage(comparison: Comparison) -> bool:
    content = comparison.setting.nsswitch
    return content is not None and parse_nsswitch(content.encode()).is_malformed


def _is_cut_short(comparison: Comparison) -> bool:
    hosts = comparison.setting.hosts or ""
    return not hosts.endswith("\n") and hosts.rpartition("\n")[2][:1].isspace()


def _is_stale_errno(comparison: Comparison) -> bool:
    ours, theirs = comparison.ours, comparison.theirs
    modules = parse_nsswitch((comparison.setting.nsswitch or "").encode()).hosts
    has_others = any(module.name not in ("files", "dns") for module in modules)
    if comparison.setting.hosts is None and theirs.kind not in ("", "gaierror", "herror"):
        return has_others
    has_failed = ours.number == errno.EBUSY or "" not in (ours.kind, theirs.kind)
    return has_others and has_failed and ours.questions == theirs.questions


def _is_stale(comparison: Comparison) -> bool:
    ours, theirs = comparison.ours, comparison.theirs
    return (
        theirs.kind == ours.kind == "herror"
        and theirs.number in (STALE, 0)
        and ours.questions == theirs.questions
    )


DIFFERENCES = (
    Difference(
        "A NUL in a host is refused",
        "glibc sees only what is before it, so that a check of the whole text checks another name than the "
        "one that is connected to. Every function raises the TypeError that `gethostbyname` raises.",
        _has_nul,
    ),
    Difference(
        "`localhost`, `*.localhost`, `*.onion` and `*.invalid` never leave the host",
        "RFC 6761 and RFC 7686. What the hosts file says of them counts; else `localhost` and what is below "
        "it are ::1 and 127.0.0.1, and the others do not exist.",
        _stays_on_the_host,
    ),
    Difference(
        "An existing name is never reported as missing",
        "glibc says `Name or service not known` or `No address associated with hostname` though a server "
        "failed on a part of the questions. Here that takes a negative answer to every one of them; else it "
        "is a temporary or a non-recoverable failure.",
        _is_doubtful,
    ),
    Difference(
        "A malformed reply is no reply",
        "glibc takes it for the end of the look-up, and reports the name as missing. Here it is dropped, as "
        "one that a stranger sent, and the wait goes on for the right one.",
        _is_dropped,
    ),
    Difference(
        "A malformed nsswitch.conf is taken for an empty one",
        "glibc fails every look-up of a process that begins with such a file. Here a file that has turned to "
        "garbage leaves a working resolver, and a warning.",
        _is_garbage,
    ),
    Difference(
        "The last line of the hosts file is read to its end",
        "Where it begins with a blank and has no newline, glibc adds its last letter once more.",
        _is_cut_short,
    ),
    Difference(
        "What a module leaves unsaid",
        "Where a module is not installed, or fails without a word, glibc reports whatever an earlier call of "
        "the thread has left in errno or h_errno. Here it is EBUSY for a module that is not installed.",
        _is_stale_errno,
    ),
    Difference(
        "An herror says why",
        "Where glibc's modules leave h_errno alone, CPython reports whatever an earlier look-up of the "
        "thread left there (77, put there to see it). Here it is the number that the module's own answer "
        "stands for.",
        _is_stale,
    ),
)


def explain(comparison: Comparison) -> Difference | None:
    """The difference that a comparison shows, if it is a meant one."""
    return next((difference for difference in DIFFERENCES if difference.applies(comparison)), None)
