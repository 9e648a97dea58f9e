import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdns import names
from gdns.names import SpecialUse

LABEL_63 = "a" * 63
NAME_253 = ".".join([LABEL_63, LABEL_63, LABEL_63, "a" * 61])  # 255 octets on the wire


@pytest.mark.parametrize(
    ("name", "search", "ndots", "expected"),
    [
        ("www", ["corp.example."], 1, ["www.corp.example.", "www."]),
        ("www", [], 1, ["www."]),
        ("www", ["corp.example", ".test"], 1, ["www.corp.example.", "www.test.", "www."]),
        ("www.example", ["corp.example."], 1, ["www.example.", "www.example.corp.example."]),
        ("www.example", ["corp.example."], 2, ["www.example.corp.example.", "www.example."]),
        ("www", ["corp.example."], 0, ["www.", "www.corp.example."]),
        ("www.example.", ["corp.example."], 5, ["www.example."]),
        ("www.", ["corp.example."], 5, ["www."]),
        (".", ["corp.example."], 5, ["."]),
        ("", ["corp.example."], 1, []),
        ("www", ["a.example.", "a.example."], 1, ["www.a.example.", "www.a.example.", "www."]),
        # the root on the list is the name as it is, which is then not asked for again
        ("www", [".", "corp.example."], 1, ["www.", "www.corp.example."]),
        ("www", ["corp.example.", ""], 1, ["www.corp.example.", "www."]),
        ("www.example", ["."], 1, ["www.example.", "www.example."]),
        # a malformed candidate ends the search list
        ("www", ["a.example.", "..", "b.example."], 1, ["www.a.example.", "www."]),
        ("a..b", ["corp.example."], 1, []),
        ("a..b.", [], 1, []),
        (".www", ["corp.example."], 1, []),
        (LABEL_63 + "a", ["corp.example."], 1, []),
        (LABEL_63, ["corp.example."], 1, [LABEL_63 + ".corp.example.", LABEL_63 + "."]),
        (NAME_253, ["corp.example."], 1, [NAME_253 + "."]),
        (NAME_253 + "b", [], 1, []),
        # escapes: a dot is a dot when counted, an escaped one is no end of a name on the wire
        (r"a\.b", ["corp.example."], 1, [r"a\.b.", r"a\.b.corp.example."]),
        (r"a\.", ["corp.example."], 5, [r"a\.."]),
        ("a\\", ["corp.example."], 1, [r"a\.corp.example."]),
        (r"a\256", ["corp.example."], 1, []),
        (r"a\101", [], 1, ["ae."]),
        (r"a\232", [], 1, [r"a\232."]),
    ],
)
def test_names_are_asked_for_in_the_order_of_res_search(name, search, ndots, expected):
    assert list(names.candidates(name, search, ndots)) == expected


@pytest.mark.parametrize(
    ("name", "search", "expected"),
    [
        ("www", ["corp.example."], ["www.corp.example."]),
        ("www", [], ["www."]),
        ("www.example", ["corp.example."], ["www.example.", "www.example.corp.example."]),
    ],
)
def test_no_tld_query_keeps_a_searched_name_without_dots_from_the_root(name, search, expected):
    assert list(names.candidates(name, search, 1, no_tld_query=True)) == expected


hostile_text = st.text(st.sampled_from("ab.\\0129é") | st.characters(codec="utf-8"), max_size=80)
hostile_names = hostile_text | st.text(st.sampled_from("ab.-"), max_size=300)


@given(hostile_names, st.lists(hostile_names, max_size=3), st.integers(0, 15))
def test_every_candidate_is_absolute_and_fits_a_message(name, search, ndots):
    for candidate in names.candidates(name, search, ndots):
        labels = names.to_labels(candidate)
        assert labels is not None
        assert candidate.endswith(".")
        assert all(1 <= len(label) <= 63 for label in labels)
        assert sum(len(label) + 1 for label in labels) + 1 <= 255
        assert names.from_labels(labels) == candidate or "\\" not in candidate


@given(st.lists(st.binary(min_size=1, max_size=8), max_size=20))
def test_labels_survive_being_written_and_read(labels):
    assert names.to_labels(names.from_labels(labels)) == labels


@given(st.binary(max_size=40))
def test_octets_that_glibc_would_send_are_sent(name):
    assert names.from_octets(name).isascii()
    if b"\\" not in name and b"." not in name and name:
        assert names.to_labels(names.from_octets(name)) == [name]


def idna_of(encode, host):
    try:
        return encode(host)
    except UnicodeError as error:
        return type(error), str(error)


@given(hostile_text)
def test_idna_is_that_of_the_codec(host):
    assert idna_of(names.encode_idna, host) == idna_of(lambda host: host.encode("idna").decode(), host)


@pytest.mark.parametrize("host", ["a..b", ".", ".a", "a" * 64, "a." + "a" * 64, "é..b"])
def test_hosts_with_impossible_labels_raise_what_getaddrinfo_raises(host):
    with pytest.raises(UnicodeError, match="label"):
        names.encode_idna(host)


def test_idna_2003_and_2008_part_ways_over_sharp_s():
    assert names.encode_idna("straße.example") == "strasse.example"
    assert names.encode_idna("straße.example", is_idna2008=True) == "xn--strae-oqa.example"
    assert names.encode_idna("WWW.example", is_idna2008=True) == "WWW.example"
    with pytest.raises(idna.IDNAError):
        names.encode_idna("a\u2260.example", is_idna2008=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("localhost", SpecialUse.LOOPBACK),
        ("LocalHost.", SpecialUse.LOOPBACK),
        ("db.localhost", SpecialUse.LOOPBACK),
        ("a.b.localhost.", SpecialUse.LOOPBACK),
        ("localhost.example", None),
        ("notlocalhost", None),
        ("x.onion", SpecialUse.NXDOMAIN),
        ("X.ONION.", SpecialUse.NXDOMAIN),
        ("onion.", SpecialUse.NXDOMAIN),
        ("onion", None),
        ("onion.example", None),
        ("x.invalid", SpecialUse.NXDOMAIN),
        ("invalid.", SpecialUse.NXDOMAIN),
        ("invalid", None),
        (r"x.oni\111n", SpecialUse.NXDOMAIN),
        (r"x\.onion", None),
        (r"x.\onion", SpecialUse.NXDOMAIN),
        ("", None),
        (".", None),
        ("www.example.", None),
    ],
)
def test_special_use_names_are_known_however_they_are_spelt(name, expected):
    assert names.special_use(name) is expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "7.2.0.192.in-addr.arpa."),
        ("::ffff:192.0.2.7", "7.2.0.192.in-addr.arpa."),
        ("::192.0.2.7", "7.2.0.192.in-addr.arpa."),
        ("::1", "1." + "0." * 31 + "ip6.arpa."),
        ("::", "0.0.0.0.in-addr.arpa."),
        ("2001:db8::7%1", "7." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa."),
    ],
)
def test_an_address_has_a_reverse_name(address, expected):
    assert names.reverse_name(address) == expected


def test_the_reverse_name_of_a_name_is_refused():
    with pytest.raises(OSError, match="illegal IP"):
        names.reverse_name("www.example")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("www.example.", True),
        ("WWW-1.ex_ample", True),
        ("_sip.example.", True),
        ("w-.example.", True),
        ("www.-example.", True),
        (".", True),
        ("", True),
        (r"\119ww.example.", True),
        (NAME_253 + ".", True),
        ("-www.example.", False),
        ("w w.example.", False),
        ("w*.example.", False),
        ("www..example.", False),
        (".example.", False),
        (r"a\.b.example.", False),
        (r"a\000.example.", False),
        ("www.example.\n", False),
        ("é.example.", False),
        ("a\\", False),
        (LABEL_63 + "a.example.", False),
        (NAME_253 + "b.", False),
    ],
)
def test_names_that_are_no_hostnames_are_not_shown(name, expected):
    assert names.is_hostname(name) is expected


@given(
    st.text(alphabet="abcAZ09-_.\\ é\x7flocahstinvd", max_size=80)
    | st.from_regex(r"[a-z-]{0,70}(\.[a-zA-Z0-9_-]{0,70}){0,5}")
)
def test_a_name_that_looks_ordinary_is_a_hosts_name_without_special_use(name):
    if names.is_ordinary(name):
        assert names.is_hostname(name)
        assert names.special_use(name) is None


@pytest.mark.parametrize("name", ["www.example", "www.example.", "a", "A-1_b.example", "x" * 63 + ".example"])
def test_ordinary_names_look_ordinary(name):
    assert names.is_ordinary(name)
