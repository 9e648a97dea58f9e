"""Cases made by chance, the same for the same seed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from random import Random

from tests.parity.cases import Call, Fault, Setting
from tests.parity.table import LITERALS
from tests.parity.world import INTERFACES

CALLS = 25  # in each setting

SHORT = ("www", "mail", "ftp", "db", "a", "x-y", "under_score", "localhost", "h1", "h2")
DOMAINS = ("example", "one.example", "two.example", "deep.er.example", "test", "corp")
IPV4 = (
    *("192.0.2.1", "192.0.2.2", "192.0.2.77", "198.51.100.5", "203.0.113.9", "10.0.0.1", "10.1.2.9"),
    *("172.16.0.1", "169.254.7.1", "127.0.0.1", "127.0.0.9", "224.0.0.1", "0.0.0.0", "255.255.255.255"),
)
IPV6 = (
    *("2001:db8::1", "2001:db8::2", "2001:db8:5::5", "2001:db8:ffff::1", "::1", "fd12:3456::1", "fe80::1"),
    *(
        "fec0::1",
        "2002:c000:201::1",
        "2001::1",
        "::ffff:192.0.2.3",
        "::192.0.2.4",
        "ff02::1",
        "64:ff9b::c000:201",
    ),
)
ODD_HOSTS = (
    *("", ".", "..", "a..b", ".a", "a.", "-a", "a-", "_x.example", "a b", "a\tb", "*", "*.example", "a!b"),
    *(
        "\u00fc.example",
        "xn--tda.example",
        "\u00df.example",
        "\u2163.example",
        "a" * 63,
        "a" * 64,
        "b." * 100 + "c",
    ),
    *(
        "x.onion",
        "y.invalid",
        "z.localhost",
        "localhost.",
        "LOCALHOST",
        "<broadcast>",
        "255.255.255.255",
        "1.2.3.4.5",
    ),
    *(
        b"www.example",
        b"WWW.example.",
        b"",
        b"\xc3\xbc.example",
        b"\xff",
        b"a b",
        b"10.0.0.1",
        b"x\0y",
        "x\0y",
    ),
    *(
        bytearray(b"www.example"),
        None,
        5,
        1.5,
        ("a",),
        "a/b",
        "a\\.b.example",
        "\\097.example",
        "a\\",
        "[::1]",
    ),
    *("1", "12", "1.", "0x", "1x", "f", "f00d", "::", ":::", "de:ad", "1::2::3", "www.example:80"),
)
PORTS = (
    *(
        80,
        443,
        0,
        65535,
        65536,
        70000,
        -1,
        None,
        "http",
        "https",
        "domain",
        "snmp",
        "www",
        "HTTP",
        "onlydccp",
    ),
    *(
        "onlylite",
        "odd-port",
        "4001",
        "80",
        " 80",
        "80 ",
        "",
        "*",
        b"http",
        b"53",
        "0x50",
        "nope",
        "http\0",
        True,
        1.0,
    ),
)
FLAGS = (1, 2, 4, 8, 16, 32, 64, 128, 0x400, 0x800)
SOCKETS = (
    (0, 0),
    (1, 0),
    (1, 0),
    (1, 0),
    (2, 0),
    (3, 0),
    (0, 6),
    (0, 17),
    (1, 17),
    (5, 0),
    (2, 136),
    (6, 33),
    (9, 9),
)
MODULES = ("files", "dns", "files", "dns", "nosuch", "mdns4_minimal", "myhostname", "hesiod")
STATUSES = ("SUCCESS", "NOTFOUND", "UNAVAIL", "TRYAGAIN", "!SUCCESS", "!NOTFOUND", "!unavail", "!TRYAGAIN")
ACTIONS = ("return", "continue", "RETURN", "Continue", "merge")
OPTIONS = (
    *("ndots:0", "ndots:1", "ndots:2", "ndots:3", "ndots:15", "ndots:99", "ndots:", "ndots:x", "ndots:-1"),
    *("edns0", "trust-ad", "use-vc", "single-request", "single-request-reopen", "no-aaaa", "no-tld-query"),
    *("inet6", "rotate", "no-reload", "debug", "timeout:0", "attempts:2", "blah", "ndots", "NDOTS:3"),
)
RCODES = (
    "SERVFAIL",
    "SERVFAIL",
    "REFUSED",
    "NOTIMP",
    "FORMERR",
    "NXDOMAIN",
    "NOERROR",
    "YXDOMAIN",
    "NOTAUTH",
)


def generate(seed: int, cases: int) -> Iterator[tuple[Setting, list[Call]]]:
    """Settings with the calls to be made in them, as many as make up so many cases."""
    chance = Random(seed)
    while cases > 0:
        make = Maker(chance)
        calls = [make.call() for _ in range(min(CALLS, cases))]
        yield make.setting, calls
        cases -= len(calls)


class Maker:
    """Makes one setting, and calls that suit it."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._domains = chance.sample(DOMAINS, chance.randint(1, len(DOMAINS)))
        self._names = [
            f"{short}.{chance.choice(self._domains)}" if chance.random() < 0.9 else short
            for short in chance.sample(SHORT, chance.randint(2, len(SHORT)))
        ]
        self._addresses = chance.sample(IPV4, 4) + chance.sample(IPV6, 4)
        self.setting = Setting(
            hosts=self._hosts(),
            resolv_conf=self._resolv_conf(),
            nsswitch=self._nsswitch(),
            host_conf=chance.choice(("multi on\n", "multi on\n", "multi off\n", "", None)),
            gai_conf=self._gai_conf(),
            records=tuple(dict.fromkeys(self._records())),
            faults=tuple(self._faults()),
            interfaces=chance.choice(list(INTERFACES)),
            has_root=chance.random() < 0.85,
            environ=self._environ(),
        )

    def _maybe(self, likelihood: float) -> bool:
        return self._chance.random() < likelihood

    # --- files

    def _hosts(self) -> str | None:
        if self._maybe(0.02):
            return None
        lines = ["127.0.0.1 localhost"] if self._maybe(0.8) else []
        if self._maybe(0.5):
            lines.append("::1 localhost ip6-localhost")
        for _ in range(self._chance.choice((0, 0, 1, 2, 4, 8))):
            address = self._chance.choice(
                self._addresses if self._maybe(0.9) else ("127.1", "fe80::1%lo", "x", "1.2.3")
            )
            names = [
                self._case(self._chance.choice([*self._names, "h1", "h2"]))
                for _ in range(self._chance.randint(0, 3))
            ]
            separator = self._chance.choice((" ", "\t", "  ", " \t "))
            comment = self._chance.choice(("", "", "", " # c", "#h2", "\r"))
            lines.append(self._chance.choice(("", "", " ")) + separator.join([address, *names]) + comment)
        if self._maybe(0.03):
            lines.append("10.77.0.1 " + " ".join(f"n{number}.{self._names[0]}" for number in range(300)))
        if self._maybe(0.03):
            lines += [f"10.88.{number // 250}.{number % 250} many many{number}" for number in range(1000)]
        self._chance.shuffle(lines)
        return "\n".join(lines) + self._chance.choice(("\n", "\n", ""))

    def _resolv_conf(self) -> str:
        lines = []
        if self._maybe(0.5):
            words = self._chance.choices(
                [*self._domains, *self._domains, "example.", ".", "nx.example", "a b"],
                k=self._chance.randint(1, 4),
            )
            lines.append(
                self._chance.choice(("search ", "search\t", "domain ", "search  ")) + " ".join(words)
            )
        if self._maybe(0.5):
            lines.append("options " + " ".join(self._chance.choices(OPTIONS, k=self._chance.randint(1, 3))))
        if self._maybe(0.15):
            lines.append(
                "sortlist "
                + self._chance.choice(
                    (
                        "10.0.0.0/255.0.0.0",
                        "192.0.2.0 10.0.0.0",
                        "203.0.113.9/255.255.255.255 192.0.2.0",
                        "x 10.0.0.0",
                        "127.0.0.0;10.0.0.0",
                    )
                )
            )
        if self._maybe(0.1):
            lines.append(
                self._chance.choice(
                    (
                        "nameserver x",
                        "nameserver",
                        "; nothing",
                        "# nameserver 192.0.2.1",
                        " search example",
                        "junk",
                        "nameserver 1.2.3.4.5",
                    )
                )
            )
        if self._maybe(0.08):  # where nobody listens
            lines.append(self._chance.choice(("nameserver 127.0.0.2", "nameserver ::1", "nameserver 127.2")))
        lines.append("nameserver 127.0.0.1")
        self._chance.shuffle(lines)
        return "\n".join([*lines, "options timeout:1 attempts:1"]) + "\n"

    def _nsswitch(self) -> str | None:
        if self._maybe(0.5):
            return "hosts: files dns\n"
        if self._maybe(0.05):
            return self._chance.choice(
                (None, "passwd: files\n", "hosts:files dns\n", "hosts: files dns", "HOSTS: dns\n")
            )
        words = []
        for module in self._chance.sample(MODULES, self._chance.randint(1, 4)):
            words.append(module)
            if self._maybe(0.3):
                action = self._chance.choice(ACTIONS[:4] if self._maybe(0.95) else ACTIONS)
                words.append(f"[{self._chance.choice(STATUSES)}={action}]")
        if not {"files", "dns"} & set(words):
            words.append("files")
        return f"hosts: {' '.join(words)}\n"

    def _gai_conf(self) -> str | None:
        if self._maybe(0.7):
            return self._chance.choice(("", None, "# nothing\n"))
        lines = []
        for _ in range(self._chance.randint(1, 4)):
            prefix = self._chance.choice(
                (
                    "::ffff:0:0/96",
                    "2001:db8::/32",
                    "fd00::/8",
                    "::1/128",
                    "::/0",
                    "2002::/16",
                    "x/8",
                    "::/129",
                )
            )
            lines.append(
                self._chance.choice(
                    (
                        f"precedence {prefix} {self._chance.randint(0, 100)}",
                        f"label {prefix} {self._chance.randint(0, 9)}",
                        "scopev4 ::ffff:10.0.0.0/104 14",
                        "scopev4 ::ffff:169.254.0.0/112 2",
                        "reload yes",
                    )
                )
            )
        return "\n".join(lines) + "\n"

    def _environ(self) -> tuple[tuple[str, str], ...]:
        environ = []
        if self._maybe(0.05):
            environ.append(
                ("LOCALDOMAIN", self._chance.choice(("one.example", "two.example test", "", " example")))
            )
        if self._maybe(0.05):
            environ.append(("RES_OPTIONS", self._chance.choice(("ndots:2", "no-aaaa", "ndots:0 blah", ""))))
        if self._maybe(0.03):
            environ.append(("HOSTALIASES", "/etc/host.aliases"))
        if self._maybe(0.03):
            environ.append(("RESOLV_MULTI", self._chance.choice(("on", "off", "x"))))
        return tuple(environ)

    # --- the name server

    def _records(self) -> Iterator[str]:
        names = list(
            dict.fromkeys(
                self._names + [f"{name}.{domain}" for name in self._names[:3] for domain in self._domains]
            )
        )
        for name in names:
            shape = self._chance.random()
            if shape < 0.15:
                target = self._chance.choice([*self._names, "nx.example", "a!b.example", "out.side"])
                if target.rstrip(".") != name:
                    yield f"{name}. CNAME {target}."
                    continue
            if shape < 0.25:
                yield f"{name}. TXT x"
            elif shape < 0.9:
                families = self._chance.choice((IPV4, IPV6, IPV4 + IPV6, IPV4 + IPV6))
                for address in self._chance.sample(families, self._chance.choice((1, 1, 2, 3, 6))):
                    yield f"{name}. {'AAAA' if ':' in address else 'A'} {address}"
        yield "a!b.example. A 192.0.2.250"
        if self._maybe(0.1):  # more than a datagram holds
            yield from (f"big.example. A 198.18.{number}.1" for number in range(60))
            yield from (f"big.example. AAAA 2001:db8:{number:x}::1" for number in range(30))
        for address in self._addresses:
            if self._maybe(0.6):
                for _ in range(self._chance.choice((1, 1, 2))):
                    target = self._chance.choice([*self._names, "a!b.example", "w.test"])
                    yield f"{_reverse(address)} PTR {target}."

    def _faults(self) -> Iterator[Fault]:
        if self._maybe(0.65):
            return
        names = [f"{name}." for name in self._names]
        names += [f"{name}.{domain}." for name in self._names[:3] for domain in self._domains]
        names += [_reverse(address) for address in self._addresses]
        for _ in range(self._chance.randint(1, 4)):
            kind = self._chance.choice(RCODES)
            if self._maybe(0.15):
                kind = self._chance.choice(
                    ("truncated", "malformed, then right", "wrong_id, then right", "late")
                )
            elif self._maybe(0.02):
                kind = "silent"
            yield Fault(kind, self._chance.choice(names), self._chance.choice((None, None, "A", "AAAA")))

    # --- calls

    def call(self) -> Call:
        """A call that has to do with the setting."""
        function = self._chance.choices(
            ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo", "getfqdn"),
            (55, 10, 12, 11, 10, 2),
        )[0]
        if function == "getaddrinfo":
            return Call(function, self._addrinfo_arguments())
        if function == "getnameinfo":
            return Call(function, self._nameinfo_arguments())
        if function == "getfqdn":
            return Call(function, (self._chance.choice([*self._addresses, *self._names]),))
        if function == "gethostbyaddr" and self._maybe(0.6):
            return Call(function, (self._chance.choice([*self._addresses, *IPV4, *IPV6]),))
        return Call(function, (self._host(),))

    def _addrinfo_arguments(self) -> tuple[object, ...]:
        host = self._host()
        port = self._chance.choice(PORTS) if self._maybe(0.3) else self._chance.choice((80, 443, None))
        family = (
            self._chance.choice((0, 0, 0, 2, 2, 10, 10))
            if self._maybe(0.98)
            else self._chance.choice((1, -1, 99, 2**40))
        )
        kind, proto = self._chance.choice(SOCKETS) if self._maybe(0.4) else (1, 0)
        flags = 0
        if self._maybe(0.5):
            for flag in self._chance.sample(
                FLAGS[:-1] if self._maybe(0.98) else FLAGS, self._chance.choice((1, 1, 2, 3))
            ):
                flags |= flag
        return (host, port, family, kind, proto, flags)

    def _nameinfo_arguments(self) -> tuple[object, ...]:
        address = self._chance.choice([*self._addresses, *self._addresses, *LITERALS, *self._names])
        port = self._chance.choice((0, 53, 80, 161, 443, 700, 701, 4000, 65535, 70000, -1))
        sockaddr: tuple[object, ...] = (address, port)
        if ":" in address and self._maybe(0.5):
            sockaddr += (self._chance.choice((0, 5, 2**20)), self._chance.choice((0, 0, 1, 99)))
        flags = 0
        for flag in self._chance.sample((1, 2, 4, 8, 16, 32, 64, 256), self._chance.randint(0, 3)):
            flags |= flag
        return (sockaddr, flags)

    def _host(self) -> object:
        choice = self._chance.random()
        if choice < 0.08:
            return self._chance.choice(LITERALS)
        if choice < 0.2:
            return self._chance.choice(ODD_HOSTS)
        if choice < 0.25:
            return self._chance.choice((*IPV4, *IPV6))
        first = self._names[0]
        rare = ("nx.example", "many", "many7", "big.example", f"n7.{first}", f"n299.{first}")
        name = self._chance.choice([*self._names, *self._names, *SHORT, self._chance.choice(rare)])
        if self._maybe(0.3):
            name = name.partition(".")[0]
        if self._maybe(0.1):
            name += "." + self._chance.choice(DOMAINS)
        if self._maybe(0.1):
            name += "."
        name = self._case(name)
        return name.encode() if self._maybe(0.1) else name

    def _case(self, name: str) -> str:
        return name.swapcase() if self._maybe(0.1) else name


def _reverse(address: str) -> str:
    """The name under which an address is looked up, as it is written here."""
    return ipaddress.ip_address(address).reverse_pointer + "."
