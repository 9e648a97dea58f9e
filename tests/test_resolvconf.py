import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdns.resolvconf import ResolvConf, parse_resolv_conf, read_resolv_conf

FIXTURES = Path(__file__).parent.parent / "fixtures" / "resolv"


def interface_index(name: str) -> int:
    if name == "lo":
        return 1
    raise OSError("no interface with this name")


def parse(content: bytes, hostname: str = "box", **environ: str) -> ResolvConf:
    return parse_resolv_conf(content, environ, lambda: hostname, interface_index)


@pytest.mark.parametrize(
    ("fixture", "expected"),
    [
        (
            "container.conf",
            ResolvConf(
                nameservers=("192.0.2.53",),
                search=("team.svc.cluster.example", "svc.cluster.example", "cluster.example"),
                ndots=5,
                names_servers=True,
            ),
        ),
        (
            "stub.conf",
            ResolvConf(
                nameservers=("127.0.0.53",), search=(".",), edns0=True, trust_ad=True, names_servers=True
            ),
        ),
        (
            "everything.conf",
            ResolvConf(
                nameservers=("192.0.2.1", "2001:db8::53", "fe80::53%1"),
                search=("lab.example.", "test.example"),
                sortlist=((0xC0000200, 0xFFFFFF00), (0x0A000000, 0xFF000000)),
                ndots=2,
                timeout=3,
                attempts=4,
                rotate=True,
                edns0=True,
                trust_ad=True,
                use_vc=True,
                single_request=True,
                single_request_reopen=True,
                no_tld_query=True,
                no_aaaa=True,
                no_reload=True,
                names_servers=True,
            ),
        ),
        ("crlf.conf", ResolvConf(search=(r"lab.example\013",), rotate=True, bad_nameserver_line=1)),
        ("hopeless.conf", ResolvConf(search=("lab.example",), bad_nameserver_line=5)),
    ],
)
def test_files_are_read_as_glibc_reads_them(fixture, expected):
    assert parse((FIXTURES / fixture).read_bytes(), hostname="box.lab.example") == expected


@pytest.mark.parametrize(
    ("line", "nameservers"),
    [
        (b"nameserver 192.0.2.1", ("192.0.2.1",)),
        (b"nameserver\t192.0.2.1 and more", ("192.0.2.1",)),
        (b"nameserver 127.1", ("127.0.0.1",)),
        (b"nameserver 0xc0000201", ("192.0.2.1",)),
        (b"nameserver 2001:DB8:0::53", ("2001:db8::53",)),
        (b"nameserver fe80::53%lo", ("fe80::53%1",)),
        (b"nameserver fe80::53%7", ("fe80::53%7",)),
        (b"nameserver fe80::53%nosuch", ("fe80::53",)),
        (b"nameserver fe80::53%", ("fe80::53",)),
        (b"nameserver ::ffff:192.0.2.1", ("::ffff:192.0.2.1",)),
        (b"nameserver 192.0.2.1\0x", ("192.0.2.1",)),
    ],
)
def test_a_nameserver_is_an_address_in_any_form(line, nameservers):
    parsed = parse(line)
    assert parsed.nameservers == nameservers
    assert parsed.names_servers


@pytest.mark.parametrize(
    "line",
    [
        b" nameserver 192.0.2.1",
        b"nameserver 192.0.2.1;",
        b"nameserver 192.0.2.1\r",
        b"nameserver 192.0.2.1#53",
        b"nameserver [2001:db8::53]",
        b"nameserver dns.example",
        b"nameserver \xe9",
        b"nameservers 192.0.2.1",
        b"#nameserver 192.0.2.1",
        b"\0nameserver 192.0.2.1",
    ],
)
def test_what_is_no_nameserver_leaves_the_loopback_one(line):
    parsed = parse(line)
    assert parsed.nameservers == ("127.0.0.1",)
    assert not parsed.names_servers


@pytest.mark.parametrize(
    ("content", "hostname", "search"),
    [
        (b"", "box", ()),
        (b"", "box.lab.example", ("lab.example",)),
        (b"", "box.", ("",)),
        (b"domain a.example b.example\n", "box.lab.example", ("a.example",)),
        (b"search a.example\tb.example \n", "box", ("a.example", "b.example")),
        (b"search a.example\ndomain b.example\n", "box", ("b.example",)),
        (b"domain a.example\nsearch b.example c.example\n", "box", ("b.example", "c.example")),
        (b"domain a.example\nsearch \ndomain\t\n", "box", ("a.example",)),
        (b"search . .. .x # y\n", "box", (".", "..", ".x", "#", "y")),
        (b"search \xe9.example\n", "box", (r"\233.example",)),
        (b"search " + b"s.example " * 9, "box", ("s.example",) * 9),
    ],
)
def test_the_search_list_is_the_last_one_given_or_the_hosts_domain(content, hostname, search):
    assert parse(content, hostname).search == search


@pytest.mark.parametrize(
    ("local_domain", "search"),
    [
        ("a.example", ("a.example",)),
        ("a.example\tb.example  c.example ", ("a.example", "b.example", "c.example")),
        ("a.example\nb.example", ("a.example",)),
        (" a.example", ("", "a.example")),
        ("", ("",)),
    ],
)
def test_localdomain_stands_in_for_search_and_domain(local_domain, search):
    content = b"domain d.example\nsearch s.example\n"
    assert parse(content, "box.lab.example", LOCALDOMAIN=local_domain).search == search


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ndots:0", {"ndots": 0}),
        ("ndots:16", {"ndots": 15}),
        ("ndots:-1", {"ndots": 15}),
        ("ndots:-2", {"ndots": 14}),
        ("ndots:99999999999999999999", {"ndots": 15}),
        ("ndots:4294967298", {"ndots": 2}),
        ("ndots:", {"ndots": 0}),
        ("ndots:x", {"ndots": 0}),
        ("ndots: 3", {"ndots": 3}),
        ("ndots:\v+3x", {"ndots": 3}),
        ("timeout:31", {"timeout": 30}),
        ("timeout:0", {"timeout": 1}),
        ("timeout:-5", {"timeout": 1}),
        ("timeout:010", {"timeout": 10}),
        ("timeout:7 timeout:8", {"timeout": 8}),
        ("attempts:6", {"attempts": 5}),
        ("attempts:0", {"attempts": 0}),
        ("attempts:-1", {"attempts": 0}),
        ("rotate,edns0", {"rotate": True}),
        ("rotate\r", {"rotate": True}),
        ("single-request-reopen", {"single_request_reopen": True}),
        ("single-request-", {"single_request": True}),
        ("no_tld_query", {"no_tld_query": True}),
        ("edns0\ttrust-ad  use-vc", {"edns0": True, "trust_ad": True, "use_vc": True}),
        ("inet6 ndots Rotate xrotate debug unknown:5", {}),
    ],
)
def test_options_have_limits_and_unknown_ones_mean_nothing(words, expected):
    assert parse(b"options " + words.encode()) == ResolvConf(**expected)
    assert parse(b"", RES_OPTIONS=words) == ResolvConf(**expected)


def test_res_options_come_after_the_files_options():
    assert parse(b"options ndots:3 rotate\n", RES_OPTIONS="ndots:4") == ResolvConf(ndots=4, rotate=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.0/255.255.255.0", [("192.0.2.0", "255.255.255.0")]),
        ("172.16.1.2&255.240.0.0", [("172.16.1.2", "255.240.0.0")]),
        (
            "10.0.0.0 130.1.0.0 200.1.1.0",
            [("10.0.0.0", "255.0.0.0"), ("130.1.0.0", "255.255.0.0"), ("200.1.1.0", "255.255.255.0")],
        ),
        ("10.0.0.0/8", [("10.0.0.0", "0.0.0.8")]),
        ("10.0.0.0/255.0.0.0x 192.0.2.0", [("10.0.0.0", "255.0.0.0"), ("192.0.2.0", "255.255.255.0")]),
        ("x.example 10.0.0.0", [("10.0.0.0", "255.0.0.0")]),
        ("10.0.0.0;192.0.2.0", [("10.0.0.0", "255.0.0.0")]),
        ("10.0.0.0\r", [("10.0.0.0", "255.0.0.0")]),
        ("x/8 10.0.0.0", []),
        ("", []),
        ("10.0.0.0 " * 11, [("10.0.0.0", "255.0.0.0")] * 10),
    ],
)
def test_a_sortlist_holds_networks_with_masks(text, expected):
    def number(address: str) -> int:
        return int.from_bytes(map(int, address.split(".")), "big")

    parsed = parse(b"sortlist " + text.encode())
    assert parsed.sortlist == tuple((number(net), number(mask)) for net, mask in expected)


keywords = [b"nameserver ", b"search ", b"domain ", b"options ", b"sortlist "]
words = st.sampled_from([*keywords, b"ndots:", b"192.0.2.1", b"\n", b" ", b"/", b";", b"%", b"\0", b"9" * 20])


@given(st.binary(max_size=200) | st.lists(words | st.binary(max_size=3), max_size=40).map(b"".join))
def test_any_octets_leave_a_usable_configuration(content):
    parsed = parse(content)
    assert 1 <= len(parsed.nameservers) <= 3
    assert 0 <= parsed.ndots <= 15
    assert 1 <= parsed.timeout <= 30
    assert 0 <= parsed.attempts <= 5
    assert all(suffix.isascii() for suffix in parsed.search)


def test_garbage_leaves_a_usable_configuration():
    assert read_resolv_conf(FIXTURES / "garbage.conf", {}, lambda: "box") == ResolvConf()


def test_a_file_without_a_server_is_warned_of_once_by_name_and_line(tmp_path, caplog):
    path = tmp_path / "resolv.conf"
    path.write_text("search a.example\nnameserver 192.0.2.300\n")
    with caplog.at_level(logging.WARNING, "gdns"):
        for _ in range(3):
            assert read_resolv_conf(path, {}, lambda: "box").nameservers == ("127.0.0.1",)
    [record] = caplog.records
    assert str(path) in record.getMessage()
    assert "line 2" in record.getMessage()


def test_a_missing_file_is_warned_of_once(tmp_path, caplog):
    path = tmp_path / "resolv.conf"
    assert read_resolv_conf(path, {}, lambda: "box") == ResolvConf()
    assert read_resolv_conf(path, {}, lambda: "box") == ResolvConf()
    [record] = caplog.records
    assert str(path) in record.getMessage()
