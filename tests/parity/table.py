"""Cases picked by hand: what other resolvers get wrong."""

from __future__ import annotations

import socket

from tests.parity.cases import Call, Fault, Setting

PASSIVE, CANON, NUMERICHOST, V4MAPPED, ALL, ADDRCONFIG, NUMERICSERV = 1, 2, 4, 8, 16, 32, 0x400
NUMERIC = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV


def gai(*arguments: object) -> Call:
    return Call("getaddrinfo", arguments)


def by_name(host: object) -> Call:
    return Call("gethostbyname", (host,))


def by_name_ex(host: object) -> Call:
    return Call("gethostbyname_ex", (host,))


def by_addr(host: object) -> Call:
    return Call("gethostbyaddr", (host,))


def name_of(sockaddr: object, flags: object) -> Call:
    return Call("getnameinfo", (sockaddr, flags))


def everything(host: object) -> list[Call]:
    """All that can be asked about a host."""
    return [
        *(gai(host, 80, family, 1) for family in (0, 2, 10)),
        *(gai(host, 80, family, 1, 0, CANON) for family in (0, 2, 10)),
        by_name(host),
        by_name_ex(host),
        by_addr(host),
    ]


WEB = ("www.example. A 192.0.2.1", "www.example. AAAA 2001:db8::1", "www.example. AAAA 2001:db8::2")
LITERALS = (
    *("192.0.2.1", "127.1", "0x7f.1", "0177.0.0.1", "1", "1.2.3", "4294967295", "1.2.3.4.", "1.2.3.4 ", "0x"),
    *("::1", "FD12:0::0001", "::ffff:192.0.2.1", "fe80::5%lo", "fe80::5%1", "fd12::1%1", "fd12::1%lo"),
    *("fe80::1%99", "fe80::1%", "::1%lo", "ff02::1%lo", "ff01::1%lo", "1.2.3.4%lo", "256.1.1.1", "1.2.3.4.5"),
    *("::g", ":", "::1.", "0.0.0.0", "::", "255.255.255.255", "08.1", "1..2", "+1", "1e3", "::1.2.3.4"),
)

TABLE: list[tuple[Setting, list[Call]]] = [
    # hosts
    (Setting(), everything("localhost")),
    (Setting(hosts="127.0.0.1 localhost\n"), everything("localhost")),
    (Setting(hosts="::1 localhost x\n"), everything("x")),
    (
        Setting(hosts="::ffff:10.3.3.3 m\n"),
        [*everything("m"), by_addr("10.3.3.3"), by_addr("::ffff:10.3.3.3")],
    ),
    (Setting(hosts="fe80::1%lo a\n10.0.0.1%lo b\n10.0.0.2 c\n"), [*everything("a"), *everything("c")]),
    (Setting(hosts="10.9.9.9\n"), [gai("", 80), by_addr("10.9.9.9"), by_name(""), by_name_ex("")]),
    (Setting(hosts="10.9.9.9 # none\n10.9.9.8 ##a\n"), [gai("", 80), by_addr("10.9.9.9"), gai("##a", 1)]),
    *(
        (
            Setting(
                hosts="10.0.0.1 One one\n10.0.0.2 ONE uno\n2001:db8::1 one\n10.0.0.3 uno\n", host_conf=conf
            ),
            [*everything("one"), *everything("uno"), by_addr("10.0.0.2")],
        )
        for conf in (
            "multi on\n",
            "multi off\n",
            None,
            "multi\n",
            "  MULTI ON\n",
            "order hosts\nmulti on # x\n",
        )
    ),
    (Setting(hosts="10.0.0.1 dotted. www\n"), [*everything("dotted."), *everything("dotted")]),
    (Setting(hosts="10.0.0.1 www.example\n", records=WEB), [*everything("www.example")]),
    (Setting(hosts="10.0.0.1 tab\tother # comment\n\n#10.0.0.2 x\n 10.0.0.3 indented\n"), everything("tab")),
    (Setting(hosts="10.0.0.3 indented\r\n10.0.0.4 x"), [*everything("indented"), *everything("x")]),
    (
        Setting(hosts="10.0.0.1 na\u00efve\n"),
        [gai("na\u00efve".encode(), 80, 2, 1, 0, CANON), by_name_ex("na\u00efve".encode())],
    ),
    (
        Setting(hosts="10.0.0.1 \udcff\n"),
        [gai(b"\xff", 80, 2, 1, 0, CANON), by_name_ex(b"\xff"), by_addr("10.0.0.1")],
    ),
    (Setting(hosts=None), everything("localhost")),
    (Setting(hosts=None, nsswitch="hosts: files\n"), everything("nx.example")),
    # special names
    (Setting(hosts=""), [*everything("localhost"), *everything("a.localhost"), *everything("localhost.")]),
    (Setting(), [gai("foo.localhost", 80), gai("x.onion", 80), gai("y.invalid.", 80), by_name("z.onion")]),
    # literals, wherever they can be given
    *(
        (
            Setting(interfaces=interfaces),
            [
                *(
                    gai(host, 80, family, 1, 0, flags)
                    for host in LITERALS
                    for family in (0, 2, 10)
                    for flags in (0, flag)
                ),
                *(call(host) for host in LITERALS for call in (by_name, by_name_ex, by_addr)),
            ],
        )
        for interfaces, flag in (
            ("loopback", CANON),
            ("both", V4MAPPED),
            ("ipv4", NUMERICHOST | CANON),
            ("loopback", ADDRCONFIG),
            ("ipv4", ADDRCONFIG),
            ("ipv6", ADDRCONFIG),
            ("127.0.0.9", ADDRCONFIG | CANON),
        )
    ),
    # flags
    *(
        (
            Setting(
                records=(*WEB, "v4.example. A 192.0.2.3", "v6.example. AAAA 2001:db8::3"),
                interfaces=interfaces,
            ),
            [
                gai(host, 80, family, 1, 0, flags)
                for host in ("www.example", "v4.example", "v6.example", "nx.example", None, "*", "")
                for family in (0, 2, 10)
                for flags in (
                    0,
                    PASSIVE,
                    V4MAPPED,
                    ALL,
                    V4MAPPED | ALL,
                    ADDRCONFIG,
                    ADDRCONFIG | V4MAPPED,
                    CANON,
                    0x40,
                    0x80,
                    0x300,
                )
            ],
        )
        for interfaces in ("loopback", "127.0.0.9", "ipv4", "ipv6", "both")
    ),
    (
        Setting(records=("m.example. AAAA ::ffff:192.0.2.9", "m.example. A 192.0.2.3"), interfaces="both"),
        [gai("m.example", 80, family, 1, 0, flags) for family in (0, 2, 10) for flags in (0, 8, 16, 24)],
    ),
    (
        Setting(),
        [
            *(gai(host, port) for host in (None, "*", b"*", "") for port in (None, "*", b"*", "", 0, "0")),
            *(gai(None, 80, 0, 1, 0, flags) for flags in (2, 0x800, -1, 1 << 30, 0x7FF)),
            *(gai(None, None, family) for family in (1, 3, -1, 99)),
            *(gai(None, 80, family) for family in (1, 3, -1, 99, 2**31, "x", None)),
        ],
    ),
    # services
    (
        Setting(interfaces="both"),
        [
            gai("192.0.2.1", port, 0, kind, proto, flags)
            for port in (
                *(80, 0, 65535, 65536, 70000, -1, 2**31, 2**32, 2**40, 2**63, -(2**63), True, 1.5, None),
                *("80", " 80", "80 ", "", "4294967376", "0x50", "+80", "-0", "http", "HTTP", "www", "domain"),
                *(
                    "snmp",
                    "onlydccp",
                    "onlylite",
                    "odd-port",
                    "4001",
                    "tcpmux",
                    "nope",
                    b"http",
                    b"80\0",
                    "\u0664",
                ),
                *("a b", "http/tcp", "\udcff", bytearray(b"80")),
            )
            for kind, proto in (
                (0, 0),
                (1, 0),
                (2, 0),
                (3, 0),
                (1, 17),
                (0, 6),
                (5, 132),
                (6, 33),
                (0, 255),
                (9, 9),
            )
            for flags in (0, NUMERICSERV)
        ],
    ),
    (Setting(services=None), [gai("192.0.2.1", "http"), name_of(("192.0.2.1", 80), socket.NI_NUMERICHOST)]),
    (Setting(), [gai("nx.example", "nope"), gai("nx.example", "nope", 0, 0, 0, NUMERICSERV)]),
    # texts that are no names
    (
        Setting(),
        [
            call
            for host in (
                *(
                    "a..b",
                    ".",
                    "a" * 64,
                    "a" * 63 + ".example",
                    ".a",
                    "a.",
                    "..",
                    "\u00fc" * 70,
                    "\ud800",
                    "a.b..",
                ),
                *(
                    b"a..b",
                    b".",
                    b"a" * 64,
                    b".a",
                    b"",
                    b"a b",
                    b"\xff.example",
                    "a b",
                    "-a.example",
                    "a_b.example",
                ),
                *(
                    "a!b.example",
                    "*.example",
                    "\\101.example",
                    "a\\.b.example",
                    "." + "a." * 130,
                    "a." * 126 + "a",
                ),
                *(5, None, 1.5, bytearray(b"localhost"), "localhost\0x", b"localhost\0x", "\u00e9.example"),
                *(
                    "ex\u00e4mple.example",
                    "xn--bcher-kva.example",
                    "B\u00fccher.example",
                    "\u2460.example",
                    "<broadcast>",
                ),
            )
            for call in (
                gai(host, 80),
                gai(host, 80, 2),
                gai(host, 80, 10, 1, 0, CANON),
                by_name(host),
                by_name_ex(host),
                by_addr(host),
            )
        ],
    ),
    (Setting(), [by_name_ex("127.1"), by_addr(""), by_name("")]),
    # CNAMEs
    (
        Setting(
            records=(
                *("a.example. CNAME B.example.", "b.example. CNAME c.example.", "c.example. A 192.0.2.1"),
                *(
                    "dangling.example. CNAME txt.example.",
                    "txt.example. TXT x",
                    "gone.example. CNAME nx.example.",
                ),
                *(
                    "bad.example. CNAME a!b.example.",
                    "a!b.example. A 192.0.2.2",
                    "a!b.example. AAAA 2001:db8::2",
                ),
                *(
                    "out.example. CNAME www.elsewhere.",
                    "half.example. CNAME v6.example.",
                    "v6.example. AAAA 2001:db8::3",
                ),
                *(
                    "loop.example. CNAME pool.example.",
                    "pool.example. CNAME loop.example.",
                    "*.wild.example. A 192.0.2.4",
                ),
            )
        ),
        [
            call
            for host in (
                "a.example",
                "A.EXAMPLE.",
                "dangling.example",
                "gone.example",
                "bad.example",
                "out.example",
                "half.example",
                "loop.example",
                "x.wild.example",
            )
            for call in everything(host)
        ],
    ),
    # search lists
    *(
        (
            Setting(
                resolv_conf=RESOLV + "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
                records=(
                    *(
                        "www.two.example. A 192.0.2.2",
                        "www.one.example. TXT x",
                        "a.b.two.example. A 192.0.2.3",
                    ),
                    *("two.example. A 192.0.2.4", "host.www. A 192.0.2.5", "fail.two.example. A 192.0.2.6"),
                    *("dead.two.example. A 192.0.2.7", "only.one.example. TXT x"),
                ),
                faults=(
                    Fault("SERVFAIL", "fail.one.example."),
                    Fault("REFUSED", "dead.one.example."),
                    Fault("SERVFAIL", "half.one.example.", "A"),
                    Fault("FORMERR", "form.one.example."),
                ),
            ),
            [
                call
                for host in (
                    "www",
                    "www.",
                    "a.b",
                    "fail",
                    "dead",
                    "half",
                    "form",
                    "only",
                    "nx",
                    "www.two.example",
                    "b.nx",
                )
                for call in everything(host)
            ],
        )
        for RESOLV in (
            "search one.example two.example\n",
            "search one.example two.example\noptions ndots:2\n",
            "search one.example two.example\noptions ndots:5\n",
            "search one.example two.example\noptions ndots:0\n",
            "search . two.example\n",
            "search one.example .\n",
            "domain two.example\n",
            "search onion two.example localhost\n",
            "",
            "search one.example. two.example.\noptions no-tld-query\n",
        )
    ),
    (
        Setting(
            environ=(("LOCALDOMAIN", "two.example"), ("RES_OPTIONS", "ndots:3")),
            records=("www.two.example. A 192.0.2.2",),
        ),
        [*everything("www"), *everything("a.www")],
    ),
    # the server's failures
    *(
        (
            Setting(records=WEB, faults=(Fault(kind, "www.example.", rdtype),), resolv_conf=conf),
            [*everything("www.example"), *everything("nx.example")],
        )
        for kind in (
            "SERVFAIL",
            "REFUSED",
            "NOTIMP",
            "FORMERR",
            "NXDOMAIN",
            "YXDOMAIN",
            "NOERROR",
            "truncated",
            "silent",
            "malformed, then right",
            "wrong_id, then right",
        )
        for rdtype in (None, "A", "AAAA")
        for conf in (
            "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
            "nameserver 127.0.0.1\noptions timeout:1 attempts:1 single-request\n",
        )
        if kind != "silent" or rdtype
    ),
    *(
        (
            Setting(records=("www.example. TXT x",), faults=(Fault(kind, "www.example.", rdtype),)),
            everything("www.example"),
        )
        for kind in ("SERVFAIL", "REFUSED", "NOTIMP", "FORMERR", "NXDOMAIN")
        for rdtype in ("A", "AAAA")
    ),
    # options
    (
        Setting(
            resolv_conf="nameserver 127.0.0.1\noptions no-aaaa\n",
            records=WEB,
            hosts="2001:db8::9 h.example\n",
        ),
        [call for host in ("www.example", "h.example", "nx.example") for call in everything(host)],
    ),
    *(
        (
            Setting(
                resolv_conf=f"nameserver 127.0.0.1\nsortlist {nets}\n",
                records=("w.example. A 192.0.2.1", "w.example. A 198.51.100.1", "w.example. A 203.0.113.1"),
                interfaces=interfaces,
            ),
            everything("w.example"),
        )
        for nets in (
            "203.0.113.0/255.255.255.0",
            "198.51.100.0 192.0.2.0",
            "203.0.113.1/255.255.255.255",
            "0.0.0.0/255.0.0.0 junk",
        )
        for interfaces in ("loopback", "ipv4")
    ),
    *(
        (Setting(resolv_conf=conf, records=WEB), everything("www.example"))
        for conf in (
            None,
            "",
            "nameserver 127.0.0.1 # x\n",
            "nameserver 300.1.1.1\nnameserver 127.0.0.1\n",
            "nameserver\t127.0.0.1",
            "\0\xff nameserver 1\n",
        )
    ),
    (
        Setting(
            resolv_conf="nameserver ::1\nnameserver 127.0.0.1\noptions timeout:1 attempts:1\n", records=WEB
        ),
        everything("www.example"),
    ),
    # order
    *(
        (
            Setting(
                records=(
                    "w.example. A 192.0.2.1",
                    "w.example. A 10.0.0.1",
                    "w.example. A 127.0.0.5",
                    "w.example. A 203.0.113.9",
                    "w.example. AAAA 2001:db8::1",
                    "w.example. AAAA fd00::1",
                    "w.example. AAAA ::1",
                    "w.example. AAAA 2002:c000:201::1",
                ),
                interfaces=interfaces,
                gai_conf=conf,
            ),
            everything("w.example"),
        )
        for interfaces in ("loopback", "ipv4", "ipv6", "both", "private ipv4", "many")
        for conf in (
            "",
            "precedence ::ffff:0:0/96 100\n",
            "label 2001:db8::/32 9\nprecedence fd00::/8 70\nscopev4 ::ffff:10.0.0.0/104 14\n",
        )
    ),
    # nsswitch
    *(
        (
            Setting(nsswitch=text, records=WEB, hosts="10.0.0.1 www.example h.example\n10.0.0.2 f.example\n"),
            [
                call
                for host in ("www.example", "f.example", "nx.example", "localhost")
                for call in (*everything(host), by_addr("10.0.0.1"), by_addr("192.0.2.1"))
            ],
        )
        for text in (
            "hosts: files dns\n",
            "hosts: dns files\n",
            "hosts: files\n",
            "hosts: dns\n",
            "hosts: files [NOTFOUND=return] dns\n",
            "hosts: dns [NOTFOUND=return] files\n",
            "hosts: dns [!UNAVAIL=return] files\n",
            "hosts: files [SUCCESS=continue] dns\n",
            "hosts: files dns nosuch\n",
            "hosts: files nosuch dns\n",
            "hosts: nosuch files dns\n",
            "hosts: nosuch [UNAVAIL=return] files dns\n",
            "hosts: nosuch\n",
            "hosts: files [SUCCESS=merge] dns\n",
            "hosts: files [bad] dns\n",
            "hosts: hesiod files dns\n",
            "hosts: files mdns4_minimal [NOTFOUND=return] dns myhostname\n",
            "passwd: files\n",
            "# hosts: files\n",
            "hosts: files dns",
            None,
        )
    ),
    # names of addresses
    (
        Setting(
            hosts="10.0.0.1 ten.example ten\n::1 six\n127.0.0.1 lo.test lo\n",
            records=(
                *("1.2.0.192.in-addr.arpa. PTR www.example.", "1.2.0.192.in-addr.arpa. PTR web.example."),
                *("2.2.0.192.in-addr.arpa. CNAME 2.net.in-addr.arpa.", "2.net.in-addr.arpa. PTR c.example."),
                *(
                    "3.2.0.192.in-addr.arpa. PTR .",
                    "4.2.0.192.in-addr.arpa. PTR a!b.example.",
                    "5.2.0.192.in-addr.arpa. TXT x",
                ),
                "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR six.example.",
                *(
                    "www.example. A 192.0.2.1",
                    "www.test. A 192.0.2.9",
                    "9.2.0.192.in-addr.arpa. PTR www.test.",
                ),
            ),
            faults=(
                Fault("SERVFAIL", "6.2.0.192.in-addr.arpa."),
                Fault("REFUSED", "7.2.0.192.in-addr.arpa."),
                Fault("FORMERR", "8.2.0.192.in-addr.arpa."),
            ),
        ),
        [
            *(
                call
                for address in (
                    *(f"192.0.2.{i}" for i in range(1, 11)),
                    "10.0.0.1",
                    "::1",
                    "::",
                    "2001:db8::1",
                    "::ffff:192.0.2.1",
                    "::192.0.2.1",
                    "fe80::1",
                    "127.0.0.1",
                    "www.example",
                    "::ffff:10.0.0.1",
                )
                for call in (
                    by_addr(address),
                    name_of((address, 80), 0),
                    name_of((address, 80), socket.NI_NAMEREQD),
                    name_of((address, 80, 0, 1), socket.NI_NOFQDN),
                    Call("getfqdn", (address,)),
                )
            ),
            *(
                name_of(("192.0.2.1", port), flags)
                for port in (0, 53, 161, 700, 65535, 70000, -1)
                for flags in (0, 2, 16, 18)
            ),
            *(name_of(("192.0.2.9", 80), flags) for flags in range(64)),
        ],
    ),
    (
        Setting(interfaces="many"),
        [
            name_of(sockaddr, flags)
            for sockaddr in (
                ("fe80::5", 80, 0, 1),
                ("fe80::5", 80, 0, 99),
                ("fd12::1", 80, 0, 1),
                ("fe80::5%lo", 80),
                ("fe80::5%lo", 80, 0, 1),
                ("ff02::1", 1, 0, 1),
                ("::1", 80, 2**20, 0),
                ("::1", 80, 2**33, 0),
                ("*", 80),
                ("", 80),
                ("192.0.2.1", 80, 0),
                ("www.example", 80),
                (),
                ("192.0.2.1",),
                ("192.0.2.1", "80"),
                ("a\0", 1),
                "192.0.2.1",
                None,
                ("127.1", 80),
            )
            for flags in (NUMERIC, 0, 64, 128, 256, -1, 2**31, "x")
        ],
    ),
    (
        Setting(hosts=""),
        [
            Call("getfqdn", ()),
            Call("getfqdn", ("",)),
            Call("getfqdn", ("0.0.0.0",)),
            Call("getfqdn", (" nx.example ",)),
        ],
    ),
]
