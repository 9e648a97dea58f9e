import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdns.gaiconf import GaiConf, parse_gai_conf
from gdns.ordering import Policy, Source, apply_sortlist, deciding_rule, order

V4 = Source("192.0.2.1", 24)
V6 = Source("2001:db8::1", 64)
SOURCES = {
    "127.0.0.1": Source("127.0.0.1", 8),
    "::1": Source("::1", 128),
    "2001:db8:dead::1": None,
    "203.0.113.255": None,
}


def source_of(address: str) -> Source | None:
    return SOURCES.get(address, V6 if ":" in address else V4)


def rule_between(first: str, second: str, source_of, policy: Policy) -> int:
    return deciding_rule(*(policy.judge(address, source_of(address)) for address in (first, second)))[0]


def sorted_by(gai_conf: str, *destinations: str) -> list[str]:
    return order(destinations, source_of, Policy(parse_gai_conf(gai_conf.encode())))


@pytest.mark.parametrize(
    ("rule", "better", "worse"),
    [
        ("1: usable", "192.0.2.9", "2001:db8:dead::1"),
        ("2: scope of the source", "203.0.113.1", "fe80::9"),
        ("5: label of the source", "203.0.113.1", "2002:c000:201::1"),
        ("5: label of the source", "203.0.113.1", "fd00::9"),
        ("6: precedence", "2001:db8::9", "203.0.113.1"),
        ("6: precedence", "::1", "2001:db8::9"),
        ("8: smaller scope", "127.0.0.1", "203.0.113.1"),
        ("9: longer prefix", "2001:db8::9", "2001:db8:8000::9"),
        ("9: longer prefix on the subnet", "192.0.2.2", "192.0.2.200"),
        ("9: longer prefix on the subnet", "192.0.2.200", "203.0.113.1"),
    ],
)
def test_a_rule_prefers_one_wherever_it_stood(rule, better, worse):
    policy = Policy()
    assert order([better, worse], source_of, policy) == [better, worse], rule
    assert order([worse, better], source_of, policy) == [better, worse], rule
    for pair in ((better, worse), (worse, better)):
        assert rule_between(*pair, source_of, policy) == int(rule.partition(":")[0])


@pytest.mark.parametrize(
    ("rule", "better", "worse"),
    [
        ("3: not deprecated", V6, Source("2001:db8::2", 64, is_deprecated=True)),
        ("4: home address", Source("2001:db8::2", 64, is_home=True), V6),
        ("7: native transport", V6, Source("2001:db8::2", 64, is_native=False)),
    ],
)
def test_a_rule_looks_at_the_source(rule, better, worse):
    sources = {"2001:db8:1::1": better, "2001:db8:1::2": worse}
    for destinations in itertools.permutations(sources):
        assert order(destinations, sources.get, Policy()) == ["2001:db8:1::1", "2001:db8:1::2"], rule
        assert rule_between(*destinations, sources.get, Policy()) == int(rule.partition(":")[0])


@pytest.mark.parametrize(
    "destinations",
    [
        [],
        ["192.0.2.9"],
        ["203.0.113.1", "198.51.100.1", "203.0.113.2"],  # off the subnet, IPv4 prefixes mean nothing
        ["2001:db8:dead::1", "2001:db8:dead::1"],
        ["2001:db8::9", "2001:db8::9"],
    ],
)
def test_where_no_rule_prefers_one_the_order_stays(destinations):
    assert order(destinations, source_of, Policy()) == destinations
    assert order(destinations[::-1], source_of, Policy()) == destinations[::-1]


def test_of_unreachable_addresses_precedence_and_scope_decide():
    nowhere = ["203.0.113.1", "2001:db8::1", "fe80::1"]
    assert order(nowhere, lambda address: None, Policy()) == ["fe80::1", "2001:db8::1", "203.0.113.1"]


def test_gai_conf_may_prefer_ipv4():
    assert sorted_by("", "203.0.113.1", "2001:db8::9") == ["2001:db8::9", "203.0.113.1"]
    preferring = "precedence ::ffff:0:0/96 100\n"
    assert sorted_by(preferring, "2001:db8::9", "203.0.113.1") == ["203.0.113.1", "2001:db8::9"]


def test_gai_conf_may_label():
    assert sorted_by("", "2001:db8:1::9", "fd00::9") == ["2001:db8:1::9", "fd00::9"]
    labelled = "label 2001:db8::/47 9\nlabel 2001:db8:2::/48 8\nlabel fd00::/8 9\nprecedence fd00::/8 50\n"
    assert sorted_by(labelled, "2001:db8:2::9", "fd00::9") == ["fd00::9", "2001:db8:2::9"]


def test_gai_conf_may_set_scopes_of_ipv4():
    assert sorted_by("", "203.0.113.1", "198.51.100.1") == ["203.0.113.1", "198.51.100.1"]
    scoped = "scopev4 203.0.113.0/24 5\n"
    assert sorted_by(scoped, "203.0.113.1", "198.51.100.1") == ["198.51.100.1", "203.0.113.1"]


def test_rule_9_between_families_is_left_to_glibcs_merge_sort():
    # equal but for rule 9, which compares the first with the last only: no order satisfies every pair
    even = "precedence ::ffff:0:0/96 40\n"
    assert sorted_by(even, "192.0.2.200", "2001:db8::9", "192.0.2.2") == [
        "192.0.2.200",
        "2001:db8::9",
        "192.0.2.2",
    ]
    assert sorted_by(even, "192.0.2.200", "192.0.2.2", "2001:db8::9") == [
        "192.0.2.2",
        "192.0.2.200",
        "2001:db8::9",
    ]


def test_where_no_rule_prefers_one_that_is_said():
    assert rule_between("2001:db8::9", "2001:db8::9", source_of, Policy()) == 10


def test_more_networks_and_sources_than_are_remembered_are_judged_as_few():
    addresses = [f"2001:{number:x}::1" for number in range(1, 5000)]
    deprecated = {*addresses[0::2]}
    sources = {address: Source(address, 64, is_deprecated=address in deprecated) for address in addresses}
    policy = Policy()
    for _ in range(2):
        in_order = order([*addresses, "::1"], {**sources, "::1": Source("::1", 128)}.get, policy)
        assert in_order == ["::1", *addresses[1::2], *addresses[0::2]]


def test_another_source_is_another_verdict():
    policy = Policy()
    destinations = ["2001:db8:1::1", "203.0.113.1"]
    assert order(destinations, source_of, policy) == destinations
    only_ipv4 = {"203.0.113.1": V4}
    assert order(destinations, only_ipv4.get, policy) == destinations[::-1]
    assert order(destinations, source_of, policy) == destinations


def test_what_is_no_address_is_refused():
    with pytest.raises(OSError, match="illegal IP"):
        order(["192.0.2.1", "www.example"], lambda address: None, Policy())


addresses = st.ip_addresses().map(str) | st.sampled_from(
    [
        "127.0.0.1",
        "::1",
        "fe80::1",
        "fe80::1%1",
        "ff02::1",
        "::ffff:192.0.2.1",
        "2002::1",
        "2001::1",
        "fec0::1",
    ]
)
sources = st.none() | st.builds(
    Source,
    st.just(""),
    st.integers(0, 32),
    is_deprecated=st.booleans(),
    is_home=st.booleans(),
    is_native=st.booleans(),
)


@given(st.lists(addresses, max_size=8), st.data())
def test_ordering_is_a_permutation_and_settles_within_a_family(destinations, data):
    drawn: dict[str, Source | None] = {}
    for address in destinations:
        source = data.draw(sources)
        if source is not None:
            own = data.draw(st.ip_addresses(v=6 if ":" in address else 4).map(str))
            source = Source(own, source.prefix_length, source.is_deprecated, source.is_home, source.is_native)
        drawn[address] = source
    policy = Policy(GaiConf())
    result = order(destinations, drawn.__getitem__, policy)
    assert sorted(result) == sorted(destinations)
    of_one_family = [address for address in result if ":" in address]
    settled = order(of_one_family, drawn.__getitem__, policy)
    assert order(settled, drawn.__getitem__, policy) == settled


NETS = ((0xC0000200, 0xFFFFFF00), (0xCB007100, 0xFFFFFF00))  # 192.0.2.0, 203.0.113.0


@pytest.mark.parametrize(
    ("sortlist", "expected"),
    [
        (NETS, ["192.0.2.1", "203.0.113.1", "203.0.113.2", "198.51.100.1"]),
        (NETS[1:], ["203.0.113.1", "203.0.113.2", "198.51.100.1", "192.0.2.1"]),
        (((0xC0000201, 0xFFFFFF00),), ["203.0.113.1", "198.51.100.1", "192.0.2.1", "203.0.113.2"]),
        ((), ["203.0.113.1", "198.51.100.1", "192.0.2.1", "203.0.113.2"]),
    ],
)
def test_a_sortlist_brings_its_networks_forward(sortlist, expected):
    addresses = ["203.0.113.1", "198.51.100.1", "192.0.2.1", "203.0.113.2"]
    assert apply_sortlist(addresses, sortlist) == expected


@given(st.lists(st.ip_addresses(v=4).map(str)), st.lists(st.tuples(st.integers(0), st.integers(0))))
def test_a_sortlist_permutes(addresses, sortlist):
    assert sorted(apply_sortlist(addresses, sortlist)) == sorted(addresses)


GAI_LINES = [
    "label ::/0 1",
    "label 2001:db8::/32 7",
    "label 2001:db8::80/121 8",
    "label ::ffff:192.0.2.128/121 9",
    "precedence ::/0 40",
    "precedence ::ffff:0:0/96 10",
    "precedence ::ffff:192.0.2.1/128 90",
    "precedence 2001:db8::1/128 5",
    "scopev4 ::ffff:0.0.0.0/96 14",
    "scopev4 ::ffff:192.0.2.0/121 2",
]
NEIGHBOURS = [
    *(f"192.0.2.{last}" for last in (0, 1, 2, 127, 128, 255)),
    *(f"2001:db8::{last}" for last in ("0", "1", "7f", "80", "ff")),
    "2001:db8:0:1::1",
    "::1",
    "::2",
    "127.0.0.1",
    "169.254.0.1",
    "fe80::1",
]


@given(
    st.lists(st.sampled_from(GAI_LINES), unique=True),
    st.lists(st.lists(st.sampled_from(NEIGHBOURS), unique=True, min_size=2), min_size=2, max_size=6),
)
def test_what_was_judged_before_changes_no_order(lines, lists):
    gai_conf = parse_gai_conf("".join(line + "\n" for line in lines).encode())
    used = Policy(gai_conf)

    def source_of(address):
        return Source("2001:db8::5", 64) if ":" in address else Source("192.0.2.5", 24)

    for destinations in lists:
        assert order(destinations, source_of, used) == order(destinations, source_of, Policy(gai_conf))
