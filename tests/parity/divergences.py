"""Where gevent's own resolvers answer otherwise than the system: the plugin held against the system there.

python -m tests.parity.divergences

The numbers are those of the list in docs/how-to/gevent.md. Prints a line of JSON: number, call, the system's
answer, the plugin's.
"""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
from socket import (
    AF_INET,
    AF_INET6,
    AI_ADDRCONFIG,
    AI_ALL,
    AI_CANONNAME,
    AI_V4MAPPED,
    IPPROTO_UDP,
    NI_DGRAM,
    NI_NAMEREQD,
    NI_NOFQDN,
    NI_NUMERICHOST,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_SEQPACKET,
    SOCK_STREAM,
)

from tests.parity import world
from tests.parity.cases import HOSTS, Fault, Setting

SETTING = Setting(
    hosts=f"{HOSTS}192.0.2.20 multi.example multi\n192.0.2.20 other.example\n192.0.2.21 v4hosts.example\n",
    resolv_conf="nameserver 127.0.0.1\nsearch example\noptions timeout:1 attempts:1\n",
    records=(
        "www.example. 300 A 192.0.2.7",
        "www.example. 300 AAAA 2001:db8::7",
        "alias.example. 300 CNAME www.example.",
        "v4only.example. 300 A 192.0.2.8",
        "v6only.example. 300 AAAA 2001:db8::8",
        "text.example. 300 TXT hello",
        "7.2.0.192.in-addr.arpa. 300 PTR www.example.",
        "8.2.0.192.in-addr.arpa. 300 TXT hello",
    ),
    faults=(
        Fault("SERVFAIL", "broken.example."),
        Fault("SERVFAIL", "9.2.0.192.in-addr.arpa."),
        Fault("silent", "silent.example."),
        Fault("silent", "10.2.0.192.in-addr.arpa."),
    ),
    interfaces="both",
)
CALLS: tuple[tuple[int, str, tuple[object, ...]], ...] = (
    (1, "getaddrinfo", ("www.example", 80)),
    (1, "getaddrinfo", ("localhost", 80)),
    (2, "getaddrinfo", ("alias.example", 80)),
    (2, "getaddrinfo", ("alias.example", 80, 0, 0, 0, AI_CANONNAME)),
    (2, "getaddrinfo", ("www.example", 80, 0, 0, 0, AI_CANONNAME)),
    (2, "getaddrinfo", ("www", 80, 0, 0, 0, AI_CANONNAME)),
    (3, "getaddrinfo", ("www.example", "no-such-service")),
    (3, "getaddrinfo", ("www.example", "snmp")),
    (3, "getaddrinfo", ("www.example", "snmp", 0, SOCK_STREAM)),
    (4, "getaddrinfo", ("www.example", "https")),
    (4, "getaddrinfo", ("www.example", "http")),
    *((5, "getaddrinfo", ("www.example", port)) for port in (65536, 70000, "4294967376", -1, 80.0, True)),
    (6, "getaddrinfo", ("www.example", None)),
    (6, "getaddrinfo", ("www.example", 80, AF_INET, SOCK_RAW)),
    (6, "getaddrinfo", ("www.example", None, AF_INET, SOCK_RAW)),
    (6, "getaddrinfo", ("www.example", 80, AF_INET, SOCK_SEQPACKET)),
    (6, "getaddrinfo", ("www.example", 80, AF_INET, 99)),
    (6, "getaddrinfo", ("www.example", 80, AF_INET, SOCK_STREAM, IPPROTO_UDP)),
    *(
        (7, "getaddrinfo", (name, 80, AF_INET6, SOCK_STREAM, 0, flags))
        for name in ("v4only.example", "www.example")
        for flags in (AI_V4MAPPED, AI_ALL, AI_V4MAPPED | AI_ALL)
    ),
    (7, "getaddrinfo", ("www.example", 80, 0, SOCK_STREAM, 0, AI_ADDRCONFIG)),
    (7, "getaddrinfo", ("www.example", 80, 0, SOCK_STREAM, 0, 0x40000000)),
    (8, "getaddrinfo", ("v6only.example", 80, AF_INET)),
    (8, "getaddrinfo", ("text.example", 80)),
    (8, "gethostbyname", ("v6only.example",)),
    (8, "gethostbyname_ex", ("v6only.example",)),
    (8, "gethostbyaddr", ("192.0.2.8",)),
    (9, "getaddrinfo", ("broken.example", 80)),
    (9, "getaddrinfo", ("silent.example", 80)),
    (9, "gethostbyname", ("broken.example",)),
    (9, "gethostbyaddr", ("192.0.2.9",)),
    *(
        (9, function, (name,))
        for function in ("gethostbyname", "gethostbyname_ex", "gethostbyaddr")
        for name in ("a..b", b"a..b", ".", "a" * 64 + ".example", "none.example", "1.2.3.400")
    ),
    (10, "gethostbyaddr", ("192.0.2.10",)),
    (10, "getnameinfo", (("192.0.2.10", 80), 0)),
    (10, "getnameinfo", (("192.0.2.9", 80), 0)),
    *(
        (12, "getaddrinfo", (host, 80, 0, SOCK_STREAM))
        for host in ("127.1", "0x7f.0.0.1", "2130706433", "0177.0.0.1")
    ),
    (12, "gethostbyname", ("127.1",)),
    (12, "getaddrinfo", ("0.0.0.0", 80, AF_INET6)),
    (13, "getaddrinfo", ("ff02::1%lo", 80, 0, SOCK_STREAM)),
    (13, "getaddrinfo", ("fe80::1%lo", 80, 0, SOCK_STREAM)),
    *(
        (14, "getnameinfo", arguments)
        for arguments in (
            (("fe80::1", 80, 0, 1), NI_NUMERICHOST),
            (("2001:db8::99", 80), 0),
            (("192.0.2.7", 0), 0),
            (("192.0.2.7", 80), NI_NOFQDN),
            (("127.0.0.1", 80), NI_NOFQDN),
            (("::ffff:192.0.2.7", 80), 0),
            (("192.0.2.99", 80), NI_NAMEREQD),
            (("192.0.2.7", 161), NI_DGRAM),
            (("www.example", 80), 0),
            ((b"192.0.2.7", 80), 0),
            ((), 0),
            (("192.0.2.7", 65536), 0),
            ("192.0.2.7", 0),
        )
    ),
    *(
        (15, "gethostbyaddr", (host,))
        for host in ("192.0.2.20", "127.0.0.1", "::1", "multi.example", "192.0.2.7")
    ),
    (16, "getaddrinfo", ("v4hosts.example", 80)),
    (18, "getaddrinfo", ("WWW.Example", 80, AF_INET, SOCK_DGRAM, 0, AI_CANONNAME)),
    (18, "getaddrinfo", ("www.example", 80, AF_INET, SOCK_DGRAM, 0, AI_CANONNAME)),
    (18, "gethostbyname_ex", ("wWw.example.",)),
    (18, "gethostbyname_ex", ("www.example",)),
    (21, "getaddrinfo", ("v4only.example", 443, 0, SOCK_STREAM)),
    *(
        (22, function, (host, *rest))
        for function, rest in (("getaddrinfo", (80,)), ("gethostbyname", ()), ("gethostbyaddr", ()))
        for host in (
            "",
            "x" * 300,
            "a." * 130,
            b"\xff\xfe.example",
            "\u00fcber.example",
            "\ud800.example",
            b"\0",
        )
    ),
)


def answer(function: object, arguments: tuple[object, ...]) -> str:
    """What a call gives, as text: its result, or the very type and the arguments of its exception."""
    try:
        return repr(function(*arguments))  # type: ignore[operator]
    except Exception as error:
        pickle.loads(pickle.dumps(error))
        return f"{type(error).__module__}.{type(error).__qualname__}{error.args}"


def main() -> int:
    if not world.is_inside():
        return world.reenter("tests.parity.divergences", [])
    with world.World() as here:
        here.become(SETTING)
        environ = os.environ | {"GEVENT_RESOLVER": "gdns.gevent.Resolver"}
        words = [sys.executable, "-W", "ignore", "-m", "tests.parity.divergences", "--ask"]
        return subprocess.run(words, env=environ, check=False).returncode


def ask() -> None:
    import gevent.socket

    for number, name, arguments in CALLS:
        theirs = answer(getattr(socket, name), arguments)
        ours = answer(getattr(gevent.socket, name), arguments)
        print(json.dumps([number, f"{name}{arguments!a}", theirs, ours]))


if __name__ == "__main__":
    if sys.argv[1:] == ["--ask"]:
        ask()
    else:
        sys.exit(main())
