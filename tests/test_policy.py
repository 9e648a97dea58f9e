"""Which addresses the policies approve, held against IANA's registries, and who asks them."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network
from pathlib import Path
from socket import AF_INET, SOCK_STREAM

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import gdns
from gdns import AddressRefused, ConfigError, GaiError, Resolver, policy

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.parity import world

# IANA's special-purpose address registries: (block, globally reachable), with the RFC that says so
REGISTRY_IPV4 = {
    "0.0.0.0/8": False,  # RFC 791
    "0.0.0.0/32": False,  # RFC 1122
    "10.0.0.0/8": False,  # RFC 1918
    "100.64.0.0/10": False,  # RFC 6598
    "127.0.0.0/8": False,  # RFC 1122
    "169.254.0.0/16": False,  # RFC 3927
    "172.16.0.0/12": False,  # RFC 1918
    "192.0.0.0/24": False,  # RFC 6890
    "192.0.0.0/29": False,  # RFC 7335
    "192.0.0.8/32": False,  # RFC 7600
    "192.0.0.9/32": True,  # RFC 7723
    "192.0.0.10/32": True,  # RFC 8155
    "192.0.0.170/31": False,  # RFC 8880
    "192.0.2.0/24": False,  # RFC 5737
    "192.31.196.0/24": True,  # RFC 7535
    "192.52.193.0/24": True,  # RFC 7450
    "192.88.99.0/24": False,  # RFC 7526: deprecated, "N/A"
    "192.168.0.0/16": False,  # RFC 1918
    "192.175.48.0/24": True,  # RFC 7534
    "198.18.0.0/15": False,  # RFC 2544
    "198.51.100.0/24": False,  # RFC 5737
    "203.0.113.0/24": False,  # RFC 5737
    "240.0.0.0/4": False,  # RFC 1112
    "255.255.255.255/32": False,  # RFC 8190
}
REGISTRY_IPV6 = {
    "::1/128": False,  # RFC 4291
    "::/128": False,  # RFC 4291
    "64:ff9b:1::/48": False,  # RFC 8215
    "100::/64": False,  # RFC 6666
    "100:0:0:1::/64": False,  # RFC 9780
    "2001::/23": False,  # RFC 2928
    "2001:1::1/128": True,  # RFC 7723
    "2001:1::2/128": True,  # RFC 8155
    "2001:1::3/128": True,  # RFC 9665
    "2001:2::/48": False,  # RFC 5180
    "2001:3::/32": True,  # RFC 7450
    "2001:4:112::/48": True,  # RFC 7535
    "2001:10::/28": False,  # RFC 4843, deprecated
    "2001:20::/28": True,  # RFC 7343
    "2001:30::/28": True,  # RFC 9374
    "2001:db8::/32": False,  # RFC 3849
    "2620:4f:8000::/48": True,  # RFC 7534
    "3fff::/20": False,  # RFC 9637
    "5f00::/16": False,  # RFC 9602
    "fc00::/7": False,  # RFC 4193
    "fe80::/10": False,  # RFC 4291
}
# Whose reachability is that of the IPv4 address within: ::ffff:0:0/96, 64:ff9b::/96, 2001::/32, 2002::/16
OTHERS = {
    "224.0.0.0/4": False,  # multicast, RFC 5771
    "ff00::/8": False,  # multicast, RFC 4291
    "fec0::/10": False,  # site-local, RFC 3879
    "::/96": False,  # IPv4-compatible, RFC 4291
    "::ffff:0:0:0/96": False,  # IPv4-translated, RFC 2765
    "4000::/3": False,  # not assigned, RFC 4291
}
NEAREST_ROUTERS = {"192.0.0.9/32", "192.0.0.10/32", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128"}
METADATA = {
    "AWS, Google, Azure, Oracle, DigitalOcean": "169.254.169.254",
    "AWS ECS": "169.254.170.2",
    "AWS, IPv6": "fd00:ec2::254",
    "Google, IPv6": "fd20:ce::254",
    "Azure": "168.63.129.16",
    "Alibaba": "100.100.100.200",
    "Oracle, the older": "192.0.0.192",
    "Scaleway": "169.254.42.42",
    "Scaleway, IPv6": "fd00:42::42",
    "Tencent": "169.254.0.23",
}
REGISTRY = REGISTRY_IPV4 | REGISTRY_IPV6 | OTHERS
PUBLIC_IPV4 = [
    "8.8.8.8",
    "1.1.1.1",
    "99.255.255.255",
    "100.128.0.1",
    "172.32.0.1",
    "223.255.255.255",
    "11.0.0.1",
]
PUBLIC_IPV6 = ["2606:4700::1111", "2001:4860:4860::8888", "2a00::1", "3ffe::1", "2001:200::1", "2400:cb00::1"]


def is_public(address):
    return policy.public_only("host.example", str(address))


def registered(address):
    """What the registries say: the smallest block counts. Only for what carries no IPv4 address."""
    blocks = [
        block for block in map(ip_network, REGISTRY) if address.version == block.version and address in block
    ]
    if not blocks:
        return address.version == 4 or address in IPv6Network("2000::/3")
    block = str(max(blocks, key=lambda block: block.prefixlen))
    return REGISTRY[block] and block not in NEAREST_ROUTERS


def wrapped(ipv4):
    """An IPv4 address in every wrapping whose worth is its own."""
    number = int(IPv4Address(ipv4))
    public = int(IPv4Address("8.8.8.8"))
    yield IPv6Address(0xFFFF << 32 | number)  # mapped
    yield IPv6Address(int(IPv6Address("64:ff9b::")) | number)  # NAT64
    yield IPv6Address(0x2002 << 112 | number << 80 | 1)  # 6to4
    yield IPv6Address(0x20010000 << 96 | number << 64 | public ^ 0xFFFFFFFF)  # Teredo, the server
    yield IPv6Address(0x20010000 << 96 | public << 64 | number ^ 0xFFFFFFFF)  # Teredo, the client
    for prefix in ("2606:4700::", "2001:4860:1:2::"):
        for middle in (0x00005EFE, 0x02005EFE):
            yield IPv6Address(int(IPv6Address(prefix)) | middle << 32 | number)  # ISATAP


def refused_wrappings(ipv4):
    """Those that are refused whatever they carry."""
    number = int(IPv4Address(ipv4))
    yield IPv6Address(number)  # compatible
    yield IPv6Address(0xFFFF0000 << 32 | number)  # translated
    yield IPv6Address(int(IPv6Address("64:ff9b:1::")) | number)  # NAT64 for local use, /96
    yield IPv6Address(int(IPv6Address("64:ff9b:1::")) | number >> 16 << 64 | (number & 0xFFFF) << 40)  # /48
    yield IPv6Address(int(IPv6Address("fe80::")) | 0x00005EFE << 32 | number)  # ISATAP on the link


# public_only


@pytest.mark.parametrize("block", REGISTRY)
def test_public_only_follows_the_registries(block):
    network = ip_network(block)
    for address in (network[0], network[-1], network[network.num_addresses // 2]):
        assert is_public(address) == registered(address), address
    if block in NEAREST_ROUTERS:
        assert not is_public(network[0])


@pytest.mark.parametrize("block", REGISTRY)
def test_the_neighbours_of_a_block_are_judged_by_their_own(block):
    network = ip_network(block)
    for number in (int(network[0]) - 1, int(network[-1]) + 1):
        if 0 <= number < 1 << network.max_prefixlen:
            address = type(network[0])(number)
            if not (address.version == 6 and number >> 32 in (0xFFFF, 0x64FF9B << 64)):
                assert is_public(address) == registered(address), address


@pytest.mark.parametrize("whose", METADATA)
def test_public_only_refuses_the_metadata_of_clouds(whose):
    assert not is_public(METADATA[whose])
    if ":" not in METADATA[whose]:
        assert not any(map(is_public, wrapped(METADATA[whose])))


@pytest.mark.parametrize("address", PUBLIC_IPV4 + PUBLIC_IPV6)
def test_public_only_approves_what_is_public(address):
    assert is_public(address)
    if ":" not in address:
        assert all(map(is_public, wrapped(address)))
        assert not any(map(is_public, refused_wrappings(address)))


@given(st.ip_addresses(v=4))
@example(IPv4Address("10.0.0.1"))
@example(IPv4Address("127.0.0.1"))
@example(IPv4Address("168.63.129.16"))
def test_an_ipv4_address_is_worth_the_same_in_every_wrapping(ipv4):
    expected = registered(ipv4) and ipv4 != IPv4Address("168.63.129.16")
    assert is_public(ipv4) == expected
    assert {is_public(address) for address in wrapped(ipv4)} == {expected}
    assert not any(map(is_public, refused_wrappings(ipv4)))


@given(
    st.one_of(
        st.ip_addresses(v=4, network=block) for block in ("10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16")
    )
)
def test_nothing_inside_is_reached_by_any_wrapping(ipv4):
    assert not any(map(is_public, (*wrapped(ipv4), *refused_wrappings(ipv4))))


@given(st.ip_addresses(v=6))
def test_an_ipv6_address_outside_the_tables_is_public_if_it_is_global_unicast(ipv6):
    number = int(ipv6)
    carries = number >> 112 == 0x2002 or number >> 96 == 0x20010000 or number >> 32 & 0xFDFFFFFF == 0x00005EFE
    if not carries and number >> 32 not in (0xFFFF, 0x64FF9B << 64):
        assert is_public(ipv6) == registered(ipv6)


def test_an_interface_makes_no_difference():
    assert not is_public("fe80::1%2")
    assert is_public("2606:4700::1111%2")


# Building blocks


def test_allow_approves_its_networks_alone():
    ours = policy.allow(["198.51.100.0/24", "2001:db8:1::/48", "203.0.113.7"])
    approved = ["198.51.100.1", "::ffff:198.51.100.1", "2001:db8:1::5", "203.0.113.7"]
    refused = ["198.51.101.1", "203.0.113.8", "2001:db8:2::1", "64:ff9b::198.51.100.1", "::198.51.100.1"]
    assert [ours("h", address) for address in approved] == [True] * 4
    assert [ours("h", address) for address in refused] == [False] * 5


def test_deny_sees_through_every_wrapping():
    others = policy.deny(["198.51.100.0/24", "2001:db8:1::/48"])
    for address in (
        *wrapped("198.51.100.9"),
        *refused_wrappings("198.51.100.9"),
        "198.51.100.9",
        "2001:db8:1::5",
    ):
        assert others("h", str(address)) is False, address
    for address in (*wrapped("8.8.4.4"), "8.8.4.4", "127.0.0.1", "2001:db8:2::1"):
        assert others("h", str(address)) is True, address


def test_policies_are_joined():
    inside = policy.any_of(policy.public_only, policy.allow(["10.20.0.0/16"]))
    assert [inside("h", address) for address in ("8.8.8.8", "10.20.1.1", "10.21.1.1")] == [True, True, False]
    outside = policy.all_of(policy.public_only, policy.deny(["8.8.8.0/24"]))
    assert [outside("h", address) for address in ("8.8.4.4", "8.8.8.8", "10.0.0.1")] == [True, False, False]


@pytest.mark.parametrize("make", [policy.allow, policy.deny])
@pytest.mark.parametrize(
    ("networks", "kind", "complaint"),
    [
        (["10.0.0.1/8"], ConfigError, "'10.0.0.1/8' is not a network"),
        (["corp.example"], ConfigError, "'corp.example' is not a network"),
        ("10.0.0.0/8", TypeError, "the single text"),
        ([10], TypeError, "not int"),
    ],
)
def test_what_is_no_network_is_refused_by_name(make, networks, kind, complaint):
    with pytest.raises(kind) as caught:
        make(networks)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("join", [policy.all_of, policy.any_of])
@pytest.mark.parametrize("policies", [(), (None,), (policy.public_only, "public_only")])
def test_only_policies_are_joined(join, policies):
    with pytest.raises(TypeError, match="policy"):
        join(*policies)


# Who asks it


@pytest.fixture
def guarded(dns_server, runner):
    """Makes resolvers with a policy."""
    made = []

    def make(policy, **settings):
        made.append(
            Resolver(nameservers=[dns_server.address], timeout=2.0, policy=policy, hub=runner.hub, **settings)
        )
        return made[-1]

    yield make
    for resolver in made:
        resolver.close()


def calls(resolver, host):
    """Every function that gives addresses of a host."""
    return {
        "getaddrinfo": lambda: resolver.getaddrinfo(host, 80, 0, SOCK_STREAM),
        "lookup": lambda: resolver.lookup(host),
        "gethostbyname": lambda: resolver.gethostbyname(host),
        "gethostbyname_ex": lambda: resolver.gethostbyname_ex(host),
        "gethostbyaddr": lambda: resolver.gethostbyaddr(host),
    }


FUNCTIONS = ("getaddrinfo", "lookup", "gethostbyname", "gethostbyname_ex", "gethostbyaddr")


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("inside.example", "10.0.0.1"),  # DNS
        ("given.example", "10.0.0.2"),  # an override
        ("127.0.0.1", "127.0.0.1"),  # a literal
        ("localhost", "127.0.0.1"),  # the hosts file, or the name's special use
        ("0x7f.1", "127.0.0.1"),  # a literal in disguise
        ("0", "0.0.0.0"),
    ],
)
def test_no_function_gives_an_address_that_is_refused(guarded, dns_server, function, host, address):
    dns_server.add("inside.example. A 10.0.0.1")
    resolver = guarded(policy.public_only, override={"given.example": "10.0.0.2"})
    with pytest.raises(AddressRefused) as caught:
        calls(resolver, host)[function]()
    assert caught.value.errno == socket.EAI_FAIL
    assert isinstance(caught.value, GaiError)
    assert caught.value.host == host
    assert address in caught.value.addresses
    assert host in str(caught.value)
    assert address in str(caught.value)


@pytest.mark.parametrize("host", ["*", None, ""])
def test_no_host_at_all_is_this_host_and_judged_as_that(guarded, host):
    resolver = guarded(policy.public_only)
    with pytest.raises(GaiError):
        resolver.getaddrinfo(host, 80)
    if host is not None:
        with pytest.raises((GaiError, OSError)):
            resolver.gethostbyname(host)


@pytest.mark.parametrize("host", ["<broadcast>", "255.255.255.255"])
def test_broadcast_is_judged(guarded, host):
    with pytest.raises(AddressRefused):
        guarded(policy.public_only).gethostbyname(host)


def test_what_is_refused_is_left_out_and_the_rest_comes(guarded, dns_server):
    dns_server.add("mixed.example. A 10.0.0.1", "mixed.example. A 8.8.8.8", "mixed.example. AAAA fd00::1")
    resolver = guarded(policy.public_only)
    assert resolver.lookup("mixed.example") == ("8.8.8.8",)
    assert [info[4] for info in resolver.getaddrinfo("mixed.example", 80, 0, SOCK_STREAM)] == [
        ("8.8.8.8", 80)
    ]
    assert resolver.gethostbyname("mixed.example") == "8.8.8.8"
    assert resolver.gethostbyname_ex("mixed.example") == ("mixed.example", [], ["8.8.8.8"])


def test_the_first_row_left_has_the_canonical_name(guarded, dns_server):
    dns_server.add(
        "www.example. CNAME mixed.example.", "mixed.example. A 10.0.0.1", "mixed.example. A 8.8.8.8"
    )
    infos = guarded(policy.public_only).getaddrinfo("www.example", 80, 0, SOCK_STREAM, 0, socket.AI_CANONNAME)
    assert infos == [(AF_INET, SOCK_STREAM, 6, "mixed.example", ("8.8.8.8", 80))]


def test_the_policy_sees_the_host_as_asked_for_and_each_address_once(guarded, dns_server):
    dns_server.add("www.example. A 192.0.2.1", "www.example. AAAA 2001:db8::1")
    seen = []

    def remember(host, address):
        seen.append((host, address))
        return True

    guarded(remember).getaddrinfo("WWW.example", 80)
    assert sorted(seen) == [("WWW.example", "192.0.2.1"), ("WWW.example", "2001:db8::1")]


def run_in_a_system_of(folder, texts, program):
    """Run a program in a mount namespace whose /etc has files with these texts."""
    for name, text in texts.items():
        (folder / name).write_text(text)
    mounts = [f"mount --bind {folder / name} /etc/{name}" for name in texts]
    return subprocess.run(
        [
            *("unshare", "-m" if os.geteuid() == 0 else "-Urm", "sh", "-c"),
            " && ".join([*mounts, 'exec $0 -c "$1"']),
            *(sys.executable, program),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"LC_ALL": "C.UTF-8", "HOSTALIASES": "/nowhere"},
    )


@pytest.mark.skipif(not world.is_permitted(), reason="mount namespaces cannot be made here")
def test_every_function_has_what_the_system_brings_judged(tmp_path):
    """A name without a dot is left to the system where HOSTALIASES is set, whose file may have another."""
    program = """if True:
        import socket, gdns
        from gdns import policy
        resolver = gdns.Resolver(["127.0.0.1:1"], policy=policy.deny(["10.0.0.0/8"]))
        for function in (
            lambda host: [info[3:] for info in resolver.getaddrinfo(host, 80, 0, 1, 0, socket.AI_CANONNAME)],
            resolver.lookup, resolver.gethostbyname, resolver.gethostbyname_ex,
            lambda host: resolver.gethostbyaddr(host)[0],
        ):
            for host in ("both", "inside"):
                try:
                    print(function(host))
                except gdns.AddressRefused as error:
                    print(error.host, error.addresses)
    """
    texts = {
        "hosts": "10.0.0.1 both\n192.0.2.8 both\n10.0.0.2 inside\n",
        "nsswitch.conf": "hosts: dns files\n",
        "resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    }
    done = run_in_a_system_of(tmp_path, texts, program)
    refused = "inside ('10.0.0.2',)"
    assert done.stdout.splitlines() == [
        *("[('both', ('192.0.2.8', 80))]", refused),
        *("('192.0.2.8',)", refused),
        *("192.0.2.8", refused),
        *("('both', [], ['192.0.2.8'])", refused),
        *("both", refused),
    ], done.stderr


@pytest.mark.skipif(not world.is_permitted(), reason="mount namespaces cannot be made here")
def test_what_the_system_brings_is_judged(tmp_path, dns_server):
    """`AI_IDN` with octets beyond ASCII is left to the system, whose hosts file here has the name."""
    program = f"""if True:
        import socket, gdns
        from gdns import policy
        host = "b\\u00fccher.example".encode()
        AI_IDN = 0x40
        everything = gdns.Resolver(nameservers=["{dns_server.address}"])
        refusing = gdns.Resolver(nameservers=["{dns_server.address}"], policy=policy.deny(["192.0.2.0/24"]))
        print(*{{info[4][0] for info in everything.getaddrinfo(host, 80, flags=AI_IDN)}})
        infos = refusing.getaddrinfo(host, 80, type=socket.SOCK_STREAM, flags=AI_IDN | socket.AI_CANONNAME)
        print(*[(info[3], info[4][0]) for info in infos])
        try:
            refusing.getaddrinfo(host, 80, socket.AF_INET, flags=AI_IDN)
        except gdns.AddressRefused as error:
            print(error.addresses)
    """
    texts = {
        "hosts": "192.0.2.7 xn--bcher-kva.example\n2001:db8::7 xn--bcher-kva.example\n",
        "nsswitch.conf": "hosts: files\n",
    }
    done = run_in_a_system_of(tmp_path, texts, program)
    assert sorted(done.stdout.splitlines()[0].split()) == ["192.0.2.7", "2001:db8::7"], done.stderr
    assert done.stdout.splitlines()[1:] == ["('xn--bcher-kva.example', '2001:db8::7')", "('192.0.2.7',)"], (
        done.stderr
    )


def test_resolve_asks_no_policy(guarded, dns_server):
    dns_server.add("inside.example. A 10.0.0.1")
    assert [r.address for r in guarded(policy.public_only).resolve("inside.example", "A")] == ["10.0.0.1"]


def test_getfqdn_gives_names_and_asks_no_policy(guarded, dns_server):
    dns_server.add("inside.example. A 127.0.0.1")
    assert guarded(policy.public_only).getfqdn("inside.example").startswith("localhost")

    def explode(host, address):
        raise PermissionError(host)

    assert guarded(explode).getfqdn("inside.example").startswith("localhost")


def test_a_failed_look_up_fails_as_without_a_policy(guarded):
    with pytest.raises(GaiError) as caught:
        guarded(policy.public_only).lookup("none.example")
    assert caught.value.errno == socket.EAI_NONAME
    assert not isinstance(caught.value, AddressRefused)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("error", [PermissionError, KeyError, KeyboardInterrupt])
def test_what_a_policy_raises_comes_out(guarded, dns_server, function, error):
    dns_server.add("www.example. A 192.0.2.1")

    def explode(host, address):
        raise error(host)

    with pytest.raises(error):
        calls(guarded(explode), "www.example")[function]()


@pytest.mark.parametrize("verdict", [None, 1, "yes"])
def test_a_policy_says_true_or_false(guarded, verdict):
    with pytest.raises(TypeError, match="expected True or False"):
        guarded(lambda host, address: verdict).lookup("192.0.2.1")


@pytest.mark.parametrize("wrong", ["public_only", 1, ["10.0.0.0/8"]])
def test_a_policy_is_a_function(wrong):
    with pytest.raises(TypeError, match="policy"):
        Resolver(policy=wrong)


def test_a_policy_may_wait_in_the_greenlet_of_the_caller(guarded, dns_server, runner, run_all):
    dns_server.add("www.example. A 192.0.2.1", "list.example. A 192.0.2.2")
    plain = guarded(None)
    asked = []

    def slow(host, address):
        asked.append(address)
        runner.sleep(0.005)
        return plain.lookup("list.example", AF_INET) == ("192.0.2.2",)

    resolver = guarded(slow)
    others = []
    found = run_all(
        [
            lambda: resolver.lookup("www.example", AF_INET),
            lambda: others.append(plain.lookup("www.example", AF_INET)),
        ]
    )
    assert found[0] == ("192.0.2.1",)
    assert asked == ["192.0.2.1"]
    assert others == [("192.0.2.1",)]


def test_the_error_survives_pickling():
    error = pickle.loads(pickle.dumps(AddressRefused("www.example", ("10.0.0.1", "::1"))))
    assert (error.host, error.addresses, error.errno) == ("www.example", ("10.0.0.1", "::1"), socket.EAI_FAIL)
    assert str(error).endswith("www.example: 10.0.0.1, ::1")


def test_policies_are_loaded_by_those_who_use_them():
    program = "import sys, gdns; print('gdns.policy' in sys.modules, gdns.policy.public_only('h', '::'))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["False", "False"], done.stderr
    assert gdns.policy is policy
