import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdns import gaiconf
from gdns.gaiconf import GaiConf, Prefix, parse_gai_conf

MAPPED = 0xFFFF00000000


@pytest.mark.parametrize("content", ["", "# label ::/0 1\n", "label\n", "labels ::/0 1\n", "\xff\0\n"])
def test_a_file_that_says_nothing_leaves_the_defaults(content):
    assert parse_gai_conf(content.encode("latin-1")) == GaiConf()


def test_one_line_puts_the_table_of_its_kind_aside():
    parsed = parse_gai_conf(b"precedence ::ffff:0:0/96 100 # IPv4 first\n")
    assert parsed.precedences == (Prefix(MAPPED, 96, 100), Prefix(0, 0, 40))
    assert parsed.labels == gaiconf.DEFAULT_LABELS
    assert parsed.scopes == gaiconf.DEFAULT_SCOPES


def test_the_most_specific_prefix_comes_first_and_the_file_decides_between_equals():
    parsed = parse_gai_conf(
        b"label ::/0 9\nlabel 2001:db8::/32 1\n label\t2001:db8::1 2\nlabel fc00::/32 3\n"
    )
    assert [(row.bits, row.value) for row in parsed.labels] == [(128, 2), (32, 1), (32, 3), (0, 9)]


@pytest.mark.parametrize(
    ("line", "row"),
    [
        (b"scopev4 ::ffff:192.0.2.0/120 5", Prefix(0xC0000200, 24, 5)),
        (b"scopev4 192.0.2.0/24 5", Prefix(0xC0000200, 24, 5)),
        (b"scopev4 192.0.2.7 5", Prefix(0xC0000207, 32, 5)),
        (b"scopev4 ::ffff:192.0.2.7 5", Prefix(0xC0000207, 32, 5)),
    ],
)
def test_scopes_of_ipv4_are_written_plain_or_mapped(line, row):
    assert parse_gai_conf(line).scopes == (row, Prefix(0, 0, 14))


@pytest.mark.parametrize(
    ("line", "row"),
    [
        (b"label fc00::/7", Prefix(0xFC << 120, 7, 0)),
        (b"label fc00::/+7 +6", Prefix(0xFC << 120, 7, 6)),
        (b"label fc00::/007 -0", Prefix(0xFC << 120, 7, 0)),
        (b"label fc00::/7 2147483647", Prefix(0xFC << 120, 7, 2147483647)),
    ],
)
def test_numbers_are_read_by_strtoul(line, row):
    assert parse_gai_conf(line).labels == (row, Prefix(0, 0, 1))


@pytest.mark.parametrize(
    "line",
    [
        b"label fc00::/129 1",
        b"label fc00::/x 1",
        b"label fc00::/7 x",
        b"label fc00::/7 -1",
        b"label fc00::/7 2147483648",
        b"label fc00::/7 " + b"9" * 5000,
        b"label 192.0.2.0/24 1",
        b"label \xe9/7 1",
        b"precedence fc00::/-7 1",
        b"scopev4 fc00::/7 1",
        b"scopev4 ::ffff:192.0.2.0/95 1",
        b"scopev4 192.0.2.0/33 1",
        b"scopev4 192.0.2/24 1",
        b"Label fc00::/7 1",
    ],
)
def test_malformed_lines_are_ignored(line):
    assert parse_gai_conf(line) == GaiConf()


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"reload yes", True), (b"reload no", False), (b"reload yes\nreload Yes", False), (b"", False)],
)
def test_reload_is_yes_or_no(content, expected):
    assert parse_gai_conf(content).reload is expected


words = st.sampled_from(
    [b"label ", b"precedence ", b"scopev4 ", b"::", b"192.0.2.0", b"/", b"7", b" ", b"\n", b"#"]
)


@given(st.binary(max_size=80) | st.lists(words, max_size=30).map(b"".join))
def test_any_octets_leave_complete_tables(content):
    parsed = parse_gai_conf(content)
    for table, width in ((parsed.labels, 128), (parsed.precedences, 128), (parsed.scopes, 32)):
        assert table[-1].bits == 0
        assert [row.bits for row in table] == sorted((row.bits for row in table), reverse=True)
        assert all(0 <= row.bits <= width and row.network < 1 << width for row in table)
