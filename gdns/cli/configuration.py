"""Examines the files that configure the system's resolver: what each line says, how gdns understands it."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

from gdns.cli.findings import Finding, note, ok, problem
from gdns.cli.paint import printable
from gdns.config import parse_host_conf
from gdns.gaiconf import GaiConf, parse_gai_conf
from gdns.hosts import HostsFile
from gdns.nss_modules import Source, steps
from gdns.nsswitch import parse_nsswitch
from gdns.resolvconf import MAX_NAMESERVERS, ResolvConf, parse_resolv_conf

ETC = "/etc"
VARIABLES = (
    "LOCALDOMAIN",
    "RES_OPTIONS",
    "HOSTALIASES",
    "RESOLV_HOST_CONF",
    "RESOLV_MULTI",
    "GDNS_DISABLE",
    "GDNS_LIBCARES",
    "GDNS_LANES",
    "GDNS_AUTO",
    "GDNS_WATCH",
    "GEVENT_RESOLVER",
)
LOCAL_RESOLVERS = {
    "127.0.0.53": "systemd-resolved; `resolvectl status` shows whom it asks",
    "127.0.0.11": "Docker's own; it asks the servers of the host",
    "169.254.20.10": "Kubernetes' NodeLocal DNSCache",
}
_KEYWORDS = ("nameserver", "domain", "search", "sortlist", "options")
_NUMBERED = ("ndots", "timeout", "attempts")
_MOST = 1 << 20  # octets read of a file


def examine(
    name: str | None = None, etc: str = ETC, environ: Mapping[str, str] = os.environ
) -> list[Finding]:
    """Findings about the files below `etc` and the environment; `name` is a host to look for in them."""
    resolv_conf = parse_resolv_conf(_content(f"{etc}/resolv.conf")[0] or b"", environ, socket.gethostname)
    return [
        *_resolv_conf(f"{etc}/resolv.conf", resolv_conf),
        *_nsswitch(f"{etc}/nsswitch.conf", resolv_conf),
        *_hosts(f"{etc}/hosts", name, f"{etc}/host.conf", environ),
        *_gai_conf(f"{etc}/gai.conf"),
        *_environment(environ),
    ]


def _content(path: str) -> tuple[bytes | None, str]:
    """What a file holds; or None, and why it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(_MOST), ""
    except OSError as error:
        return None, error.strerror or str(error)


def _lines(content: bytes) -> Iterator[tuple[int, str]]:
    """The lines that say something, with their numbers."""
    for number, line in enumerate(content.split(b"\n"), 1):
        text = line.decode("utf-8", "backslashreplace").rstrip()
        if text.strip() and text.lstrip()[0] not in "#;":
            yield number, printable(text.replace("\t", " "))


# --- resolv.conf


def nameserver_lines(path: str) -> dict[str, str]:
    """Where each server of resolv.conf is written: its address, and the file with the line."""
    found: dict[str, str] = {}
    for number, text in _lines(_content(path)[0] or b""):
        if text.startswith("nameserver ") and _parsed(text).names_servers:
            found.setdefault(_parsed(text).nameservers[0], f"{path}:{number}")
    return found


def _resolv_conf(path: str, whole: ResolvConf) -> Iterator[Finding]:
    content, trouble = _content(path)
    if content is None:
        yield problem(
            f"{path}: {trouble}; so the server is 127.0.0.1",
            f"write a file with a line such as `nameserver 192.0.2.53`, readable for all, at {path}",
            path=path,
        )
        content = b""
    servers = 0
    for number, text in _lines(content):
        finding = _resolv_conf_line(f"{path}:{number}: {text}", text, servers)
        servers += text.startswith("nameserver") and "server" in finding.facts
        yield finding
    if trouble == "" and not servers:
        yield problem(
            f"{path} names no server; so it is 127.0.0.1",
            f"add a line such as `nameserver 192.0.2.53` to {path}",
            path=path,
        )
    if whole.attempts == 0:
        yield problem("attempts:0 lets glibc ask nobody", f"remove attempts:0 from {path} or RES_OPTIONS")
    flags = {
        "rotate": whole.rotate,
        "edns0": whole.edns0,
        "trust-ad": whole.trust_ad,
        "use-vc": whole.use_vc,
        "single-request": whole.single_request,
        "single-request-reopen": whole.single_request_reopen,
        "no-aaaa": whole.no_aaaa,
    }
    on = [flag for flag, is_on in flags.items() if is_on]
    yield ok(
        f"understood: ask {', '.join(whole.nameservers)}; {whole.timeout} s, {whole.attempts} times; "
        f"search {' '.join(whole.search) or 'nothing'}; ndots {whole.ndots}"
        + (f"; {', '.join(on)}" if on else ""),
        nameservers=[*whole.nameservers],
        timeout=whole.timeout,
        attempts=whole.attempts,
        search=[*whole.search],
        ndots=whole.ndots,
        options=on,
    )


def _resolv_conf_line(where: str, text: str, servers: int) -> Finding:
    """What one line of resolv.conf means, after so many servers."""
    keyword, _, rest = text.partition(" ")
    alone = _parsed(text)
    if keyword not in _KEYWORDS:
        mended = text.strip().partition(" ")[0] in _KEYWORDS
        todo = "remove the blanks in front of it" if mended else f"the words are {', '.join(_KEYWORDS)}"
        return note(f"{where} (ignored, as glibc does)", todo)
    if keyword == "nameserver":
        if not alone.names_servers:
            return problem(f"{where} (holds no address)", "write an address such as 192.0.2.53, not a name")
        if servers >= MAX_NAMESERVERS:
            return note(
                f"{where} (ignored: glibc reads {MAX_NAMESERVERS})", "remove it", server=alone.nameservers[0]
            )
        local = LOCAL_RESOLVERS.get(alone.nameservers[0])
        return ok(where + (f" ({local})" if local else ""), server=alone.nameservers[0])
    if keyword == "options":
        unknown = [word for word in rest.split() if not _is_known(word)]
        if unknown:
            return note(
                f"{where} ({', '.join(unknown)}: not known to glibc 2.36, ignored)", "check the spelling"
            )
    return ok(where)


def _is_known(word: str) -> bool:
    is_default = _parsed(f"options {word}") == _parsed("")
    return not is_default or word.partition(":")[0] in _NUMBERED or word.startswith(("inet6", "debug"))


def _parsed(line: str) -> ResolvConf:
    return parse_resolv_conf(os.fsencode(line), {}, lambda: "")


# --- nsswitch.conf


def _nsswitch(path: str, resolv_conf: ResolvConf) -> Iterator[Finding]:
    content, trouble = _content(path)
    nsswitch = parse_nsswitch(content or b"")
    where = path
    for number, text in _lines(content or b""):
        if re.match(r"\s*hosts[\s:]", text):
            where = f"{path}:{number}: {text}"
    if nsswitch.is_malformed:
        yield problem(
            f"{where} (a bad criterion: glibc answers every look-up with an error)",
            "mend the words in [brackets]: they are like [NOTFOUND=return]",
        )
    elif where == path:
        yield note(f"{path}: {trouble or 'no line for hosts'}; so it is `files dns`")
    else:
        yield ok(where)
    found = steps(nsswitch.hosts, resolv_conf)
    for step in found:
        said = f"understood: {step.name} is {step.source.value}"
        if step.source is Source.OTHER:
            yield note(f"{said}; it is asked through the system's own resolver, in threads", module=step.name)
        elif step.source in (Source.MISSING, Source.UNAVAILABLE):
            yield note(f"{said}; it knows of no name", module=step.name)
        else:
            yield ok(said, module=step.name)
    if not {step.source for step in found} & {Source.DNS, Source.OTHER}:
        yield problem(f"{where}: nobody asks DNS", "add the word dns to the line for hosts")


# --- hosts, host.conf, gai.conf


def _hosts(path: str, name: str | None, host_conf: str, environ: Mapping[str, str]) -> Iterator[Finding]:
    content, trouble = _content(path)
    if content is None:
        yield problem(f"{path}: {trouble}", f"write a file with the line `127.0.0.1 localhost` at {path}")
        return
    multi = parse_host_conf(_content(host_conf)[0] or b"", environ).multi
    hosts = HostsFile(path, multi=multi)
    number = sum(1 for _ in _lines(content))
    yield ok(f"{path}: {'1 line that says' if number == 1 else f'{number} lines that say'} something")
    if hosts.addresses("localhost") is None:
        yield note(f"{path} does not name localhost; gdns answers 127.0.0.1 and ::1 (RFC 6761)")
    hit = hosts.addresses(name) if name is not None else None
    if hit is not None:
        for number in hit.lines:
            text = next((text for at, text in _lines(content) if at == number), "")
            yield ok(f"{path}:{number}: {text}", addresses=[*hit.addresses])


def _gai_conf(path: str) -> Iterator[Finding]:
    content, trouble = _content(path)
    if content is None:
        yield ok(f"{path}: {trouble}; so the order of addresses is that of RFC 6724, with glibc's tables")
        return
    said = False
    for number, text in _lines(content):
        alone = parse_gai_conf(text.encode("utf-8", "backslashreplace"))
        said = True
        if alone == GaiConf() and text.split()[0] != "reload":
            yield note(f"{path}:{number}: {text} (means nothing, ignored)", "see gai.conf(5)")
        else:
            yield ok(f"{path}:{number}: {text}")
    if not said:
        yield ok(f"{path} says nothing; so the order of addresses is that of RFC 6724, with glibc's tables")


# --- the environment


def _environment(environ: Mapping[str, str]) -> Iterator[Finding]:
    for name in VARIABLES:
        if name not in environ:
            continue
        value = printable(environ[name])
        said = f"environment: {name}={value}"
        if name == "GDNS_DISABLE" and value not in ("", "0"):
            yield note(
                f"{said}: gdns leaves everything to the system's own resolver", f"unset {name} to end that"
            )
        elif name == "HOSTALIASES" and not Path(environ[name]).exists():
            yield problem(f"{said}: there is no such file", f"unset {name}, or mend the path")
        else:
            yield ok(said, variable=name, value=value)
