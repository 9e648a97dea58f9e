import socket
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdns.hosts import HostsFile
from gdns.testing import FakeClock

FIXTURES = Path(__file__).parent.parent / "fixtures" / "hosts"
ODDITIES = FIXTURES / "oddities"
UNSPEC, INET, INET6 = socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6


def packed(address: str) -> bytes:
    return socket.inet_pton(INET6 if ":" in address else INET, address)


@pytest.mark.parametrize(
    ("family", "addresses"),
    [
        (UNSPEC, ("10.0.0.1", "10.0.0.2", "2001:db8::1", "::1", "::ffff:10.3.3.3", "10.0.0.1")),
        (INET, ("10.0.0.1", "10.0.0.2", "127.0.0.1", "10.3.3.3", "10.0.0.1")),
        (INET6, ("2001:db8::1", "::1", "::ffff:10.3.3.3")),
    ],
)
def test_with_multi_all_the_lines_of_a_name_count(family, addresses):
    hit = HostsFile(ODDITIES).addresses("A.EXAMPLE", family)
    assert hit.addresses == addresses
    assert hit.canonical_name == "a.example"


def test_with_multi_other_names_of_later_lines_become_aliases():
    hit = HostsFile(ODDITIES).addresses("a.example", INET)
    assert hit.aliases == ("A1", "a2", "A.example", "b", "mapped")
    assert hit.lines == (2, 4, 6, 7, 8)


@pytest.mark.parametrize(
    ("family", "address"), [(UNSPEC, "10.0.0.1"), (INET, "10.0.0.1"), (INET6, "2001:db8::1")]
)
def test_without_multi_the_first_line_of_the_family_counts(family, address):
    hit = HostsFile(ODDITIES, multi=False).addresses("a.example", family)
    assert hit.addresses == (address,)
    assert hit.aliases == (("A1", "a2") if family != INET6 else ())


def test_more_names_than_are_remembered_are_found(tmp_path):
    lines = {f"n{number}.example": f"192.0.{number >> 8}.{number & 255}" for number in range(1500)}
    file = tmp_path / "hosts"
    file.write_text("".join(f"{address} {name}\n" for name, address in lines.items()))
    hosts = HostsFile(file)
    for _ in range(2):
        assert {name: hosts.addresses(name).addresses for name in lines} == {
            name: (address,) for name, address in lines.items()
        }


def test_multi_may_be_changed_with_host_conf():
    hosts = HostsFile(ODDITIES)
    assert len(hosts.addresses("a.example").addresses) == 6
    hosts.multi = False
    assert len(hosts.addresses("a.example").addresses) == 1


@pytest.mark.parametrize(
    ("name", "addresses"),
    [
        ("localhost", ("127.0.0.1", "127.0.0.1")),
        ("ip6-localhost", ("127.0.0.1",)),
        ("box", ("127.0.1.1",)),
        ("BOX.lab.example", ("127.0.1.1",)),
        ("ip6-allnodes", None),
        ("localhost.", None),
        ("lab.example", None),
        ("ox", None),
        ("bo", None),
        ("desirable", None),
        ("", None),
        ("127.0.0.1", None),
    ],
)
def test_a_usual_file_answers_for_ipv4(name, addresses):
    hit = HostsFile(FIXTURES / "debian").addresses(name, INET)
    assert (hit and hit.addresses) == addresses


def test_localhost_of_a_usual_file_is_what_gethostbyname_ex_says():
    hit = HostsFile(FIXTURES / "debian").addresses("localhost", INET)
    assert (hit.canonical_name, hit.aliases) == ("localhost", ("ip6-localhost", "ip6-loopback"))


@pytest.mark.parametrize("name", ["scoped", "zero", "short", "commented", "dotted.example", "tag"])
def test_lines_that_do_not_count_name_nothing(name):
    assert HostsFile(ODDITIES).addresses(name) is None


@pytest.mark.parametrize("name", ["dotted.example.", "hash"])
def test_a_final_dot_is_literal_and_a_comment_may_begin_within_a_word(name):
    assert HostsFile(ODDITIES).addresses(name).addresses == ("10.0.0.8",)


def test_names_keep_their_spelling():
    assert HostsFile(ODDITIES).addresses("mixed.example").canonical_name == "Mixed.Example"


def test_a_line_without_a_name_names_the_empty_one():
    hosts = HostsFile(ODDITIES)
    assert hosts.addresses("").addresses == ("10.9.9.9",)
    assert hosts.names(packed("10.9.9.9")).canonical_name == ""


@pytest.mark.parametrize(
    ("address", "name", "aliases"),
    [
        ("10.0.0.1", "a.example", ("A1", "a2")),
        ("10.0.0.2", "b", ("A.example",)),
        ("2001:db8::5", "x", ("a1",)),
        ("2001:db8::1", "a.example", ()),
        ("10.3.3.3", "a.example", ("mapped",)),
        ("::ffff:10.3.3.3", "a.example", ("mapped",)),
        ("127.0.0.1", "a.example", ()),
        ("::1", "a.example", ()),
    ],
)
def test_an_address_has_the_names_of_its_first_line(address, name, aliases):
    hit = HostsFile(ODDITIES).names(packed(address))
    assert (hit.canonical_name, hit.aliases, hit.addresses) == (name, aliases, (address,))


@pytest.mark.parametrize("address", ["10.0.0.3", "::ffff:10.0.0.1", "2001:db8::", "10.0.0.7", "fe80::2"])
def test_an_address_that_is_not_there_has_no_names(address):
    assert HostsFile(ODDITIES).names(packed(address)) is None


def test_octets_beyond_ascii_are_names_too(tmp_path):
    path = tmp_path / "hosts"
    path.write_bytes(
        "192.0.2.7 müller.example\n192.0.2.8 \udcff.example\n".encode("utf-8", "surrogateescape")
    )
    hosts = HostsFile(path)
    assert hosts.addresses("müller.example").canonical_name == "müller.example"
    assert hosts.addresses(b"\xff.example").canonical_name == "\udcff.example"


def test_a_nul_ends_its_line(tmp_path):
    path = tmp_path / "hosts"
    path.write_bytes(b"192.0.2.7 a.example\0 b.example\n192.0.2.8 c.example\n")
    hosts = HostsFile(path)
    assert hosts.addresses("a.example").addresses == ("192.0.2.7",)
    assert hosts.addresses("b.example") is None
    assert hosts.addresses("c.example").lines == (2,)


def test_a_changed_file_is_read_within_a_second(tmp_path):
    clock = FakeClock()
    path = tmp_path / "hosts"
    hosts = HostsFile(path, clock=clock)
    assert hosts.addresses("a.example") is None
    path.write_text("192.0.2.7 a.example\n")
    assert hosts.addresses("a.example") is None
    clock.advance(1.1)
    assert hosts.addresses("a.example").addresses == ("192.0.2.7",)
    path.write_text("192.0.2.8 a.example\n")
    clock.advance(1.1)
    assert hosts.addresses("a.example").addresses == ("192.0.2.8",)


address_texts = st.sampled_from(
    [
        "10.0.0.1",
        "10.0.0.2",
        "127.0.0.1",
        "::1",
        "::",
        "2001:db8::7",
        "2001:DB8:0::0007",
        "2001:db8::0.0.0.7",
        "::ffff:10.0.0.1",
        "::ffff:a00:1",
        "2001:db8::",
        "fe80::1%lo",
        "10.0.0.01",
        "0.0.0.0",
        "junk",
        "#",
    ]
)
host_texts = st.sampled_from(["a", "A", "ab", "b.example", "example", "c#d", "é", ".*", "10.0.0.1", "::1"])
blanks = st.sampled_from([" ", "\t", "  ", "\r", "\v"])
lines = st.builds(
    lambda start, address, rest: start + address + "".join(blank + name for blank, name in rest),
    st.sampled_from(["", "", " ", "#"]),
    address_texts,
    st.lists(st.tuples(blanks, host_texts), max_size=3),
)


@settings(max_examples=150, deadline=None)
@given(content=st.lists(lines, max_size=8).map("\n".join), ends=st.booleans(), multi=st.booleans())
def test_what_is_not_indexed_yet_is_found_by_searching(tmp_path_factory, content, ends, multi):
    folder = tmp_path_factory.mktemp("hosts")
    short, long = folder / "short", folder / "long"
    content += "\n" if ends else ""
    short.write_text(content)
    long.write_text("#" * 70_000 + "\n" + content)  # the comment is all of the first slice
    for name in ("a", "ab", "b.example", "example", "c", "é", ".*", "::1", "", "missing"):
        for family in (UNSPEC, INET, INET6):
            expected = HostsFile(short, multi=multi).addresses(name, family)
            found = HostsFile(long, multi=multi).addresses(name, family)
            assert (found is None) == (expected is None)
            if found and expected:
                assert found.addresses == expected.addresses
                assert (found.canonical_name, found.aliases) == (expected.canonical_name, expected.aliases)
                assert found.lines == tuple(line + 1 for line in expected.lines)
    for address in ("10.0.0.1", "127.0.0.1", "::1", "::", "2001:db8::7", "2001:db8::", "::ffff:10.0.0.1"):
        expected = HostsFile(short, multi=multi).names(packed(address))
        found = HostsFile(long, multi=multi).names(packed(address))
        assert (found and found.canonical_name) == (expected and expected.canonical_name)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_octets_are_read(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("hosts") / "hosts"
    path.write_bytes(content)
    hosts = HostsFile(path)
    hosts.addresses("a.example")
    hosts.names(packed("192.0.2.7"))


def test_no_call_stands_still_for_a_hundred_thousand_lines(tmp_path):
    path = tmp_path / "hosts"
    path.write_text(
        "".join(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}\thost{n}.example\n" for n in range(100_000))
    )
    longest = []
    for _ in range(5):
        hosts = HostsFile(path)
        took = []
        for n in range(99_999, 99_900, -1):
            began = time.thread_time()
            hit = hosts.addresses(f"host{n}.example")
            took.append(time.thread_time() - began)
            assert hit.addresses == (f"10.1.134.{n - 99_840}",)
        longest.append(max(took))
        assert min(took) < 0.000_5  # in the end, it is a look-up
    assert min(longest) < 3 * 0.025


@pytest.mark.parametrize("length", range(1, 200))
def test_a_name_is_found_whatever_its_length(tmp_path, length):
    """Alone in its file: what is known of the lengths of others does not help it."""
    path = tmp_path / "hosts"
    name = "n" * length
    path.write_text(f"192.0.2.7 {name}\n")
    hosts = HostsFile(path)
    assert [hosts.addresses(name).addresses for _ in range(2)] == [("192.0.2.7",)] * 2
    assert [hosts.addresses(name + letters) for letters in ("n", "n" * 63)] == [None] * 2
