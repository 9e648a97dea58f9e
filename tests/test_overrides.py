"""Addresses given by the user come in the place of look-ups, and go again."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from socket import AF_INET, AF_INET6, SOCK_STREAM

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gdns
from gdns import ConfigError, GaiError, Resolver
from gdns.overrides import PROCESS


@pytest.fixture
def resolver(dns_server, runner):
    with Resolver(nameservers=[dns_server.address], timeout=2.0, hub=runner.hub) as made:
        yield made


@pytest.fixture(autouse=True)
def _nothing_is_left():
    yield
    assert PROCESS.table == {}


def addresses(infos):
    return [info[4][0] for info in infos]


def stream(resolver, host, port, family=0, flags=0):
    return addresses(resolver.getaddrinfo(host, port, family, SOCK_STREAM, 0, flags))


# What it does


def test_every_function_that_gives_addresses_sees_them_and_nothing_is_asked(resolver, dns_server):
    given = {"api.example": ["192.0.2.11", "2001:db8::1", "192.0.2.10"]}
    with gdns.override(given):
        assert stream(resolver, "api.example", 80) == given["api.example"]
        assert resolver.lookup("api.example") == tuple(given["api.example"])
        assert resolver.gethostbyname("api.example") == "192.0.2.11"
        assert resolver.gethostbyname_ex("api.example") == ("api.example", [], ["192.0.2.11", "192.0.2.10"])
    assert dns_server.questions == []


def test_the_name_of_an_overridden_hosts_address_is_looked_up(resolver, dns_server):
    dns_server.reset({"2.0.192.in-addr.arpa.": {}})
    dns_server.add("10.2.0.192.in-addr.arpa. PTR real.example.")
    with gdns.override({"api.example": "192.0.2.10"}):
        assert resolver.gethostbyaddr("api.example") == ("real.example", [], ["192.0.2.10"])
    assert dns_server.questions == [("10.2.0.192.in-addr.arpa.", "PTR")]


def test_resolve_asks_dns_as_ever(resolver, dns_server):
    dns_server.add("api.example. A 192.0.2.99")
    with gdns.override({"api.example": "192.0.2.10"}):
        assert [record.address for record in resolver.resolve("api.example", "A")] == ["192.0.2.99"]


def test_none_says_that_there_is_no_such_name(resolver, dns_server):
    dns_server.add("api.example. A 192.0.2.99")
    with gdns.override({"api.example": None}):
        for function in (resolver.lookup, resolver.gethostbyname, resolver.gethostbyname_ex):
            with pytest.raises(GaiError) as caught:
                function("api.example")
            assert caught.value.errno == socket.EAI_NONAME
    assert dns_server.questions == []
    assert resolver.gethostbyname("api.example") == "192.0.2.99"


@pytest.mark.parametrize("asked", ["api.example", "API.Example", "api.example.", b"api.EXAMPLE"])
@pytest.mark.parametrize("key", ["api.example", "Api.example."])
def test_case_and_a_final_dot_make_no_difference(resolver, key, asked):
    with gdns.override({key: "192.0.2.10"}):
        assert stream(resolver, asked, 80) == ["192.0.2.10"]


@pytest.mark.parametrize("asked", ["bücher.example", "BÜCHER.example", "xn--bcher-kva.example"])
def test_a_host_beyond_ascii_is_meant_by_its_a_labels(resolver, asked):
    with gdns.override({"Bücher.example": "192.0.2.10"}):
        assert resolver.gethostbyname(asked) == "192.0.2.10"


@pytest.mark.parametrize("port", [443, "443", b"443", "https", " 443", 443 + 65536])
def test_a_port_is_compared_as_a_number(resolver, port):
    with gdns.override({"api.example": "192.0.2.10", ("api.example", 443): ["192.0.2.11", "2001:db8::1"]}):
        assert stream(resolver, "api.example", port) == ["192.0.2.11", "2001:db8::1"]
        assert stream(resolver, "api.example", 80) == ["192.0.2.10"]
        assert stream(resolver, "api.example", None) == ["192.0.2.10"]
        assert resolver.gethostbyname("api.example") == "192.0.2.10"


def test_a_port_that_is_not_meant_is_looked_up(resolver, dns_server):
    dns_server.add("api.example. A 192.0.2.99")
    with gdns.override({("api.example", 443): "192.0.2.11"}):
        assert stream(resolver, "api.example", 80) == ["192.0.2.99"]
        assert resolver.gethostbyname("api.example") == "192.0.2.99"


def test_the_port_of_a_row_is_the_one_asked_for(resolver):
    with gdns.override({("api.example", 443): "192.0.2.11"}):
        assert resolver.getaddrinfo("api.example", "https", 0, SOCK_STREAM) == [
            (AF_INET, SOCK_STREAM, 6, "", ("192.0.2.11", 443))
        ]


def test_the_family_asked_for_is_what_comes(resolver):
    with gdns.override({"api.example": ["192.0.2.10", "2001:db8::1"], "six.example": "2001:db8::6"}):
        assert stream(resolver, "api.example", 80, AF_INET) == ["192.0.2.10"]
        assert stream(resolver, "api.example", 80, AF_INET6) == ["2001:db8::1"]
        assert resolver.lookup("api.example", AF_INET6) == ("2001:db8::1",)
        with pytest.raises(GaiError) as caught:
            resolver.gethostbyname("six.example")
        assert caught.value.errno == socket.EAI_NODATA


def test_ipv4_is_mapped_where_that_is_asked_for(resolver):
    mapped, both = socket.AI_V4MAPPED, socket.AI_V4MAPPED | socket.AI_ALL
    with gdns.override({"four.example": "192.0.2.10", "api.example": ["192.0.2.10", "2001:db8::1"]}):
        assert stream(resolver, "four.example", 80, AF_INET6, mapped) == ["::ffff:192.0.2.10"]
        assert stream(resolver, "api.example", 80, AF_INET6, mapped) == ["2001:db8::1"]
        assert stream(resolver, "api.example", 80, AF_INET6, both) == ["2001:db8::1", "::ffff:192.0.2.10"]


def test_the_canonical_name_is_the_one_asked_for(resolver):
    with gdns.override({"api.example": "192.0.2.10"}):
        infos = resolver.getaddrinfo("API.example", 80, 0, SOCK_STREAM, 0, socket.AI_CANONNAME)
    assert infos[0][3] == "API.example"


def test_a_numeric_host_is_asked_for_in_vain_all_the_same(resolver):
    with gdns.override({"api.example": "192.0.2.10"}), pytest.raises(GaiError) as caught:
        resolver.getaddrinfo("api.example", 80, flags=socket.AI_NUMERICHOST)
    assert caught.value.errno == socket.EAI_NONAME


def test_they_come_before_the_hosts_file_and_special_names(resolver):
    with gdns.override({"localhost": "192.0.2.10", "hidden.onion": "192.0.2.11"}):
        assert resolver.gethostbyname("localhost") == "192.0.2.10"
        assert resolver.gethostbyname("hidden.onion") == "192.0.2.11"
    assert resolver.gethostbyname("localhost") == "127.0.0.1"


def test_the_functions_of_the_module_see_them():
    with gdns.override({"api.example": "192.0.2.10"}):
        assert gdns.gethostbyname("api.example") == "192.0.2.10"
        assert addresses(gdns.getaddrinfo("api.example", 80))[0] == "192.0.2.10"


def test_the_hub_itself_may_look_them_up_because_nobody_waits(resolver, runner):
    found = []

    def look():
        try:
            found.append(resolver.getaddrinfo("api.example", 80))
        finally:
            found.append("called")

    with gdns.override({"api.example": ["192.0.2.10", "2001:db8::1"]}):
        runner.hub.call_soon(look)
        runner.sleep(0.001)
    assert addresses(found[0])[0] == "192.0.2.10"


def test_no_descriptor_is_opened_for_them():
    program = """if True:
        import sys, gdns, gdns.hubs
        resolver = gdns.Resolver(nameservers=["192.0.2.53"], hub=gdns.hubs.NativeHub.of_this_thread())
        resolver.lookup("127.0.0.1")
        made = []
        sys.addaudithook(lambda event, args: made.append(args) if event == "socket.__new__" else None)
        with gdns.override({"api.example": ["192.0.2.10", "2001:db8::1", "192.0.2.11"]}):
            import os
            before = os.listdir("/proc/self/fd")
            print(resolver.lookup("api.example"))
            print(os.listdir("/proc/self/fd") == before, made)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == [
        "('192.0.2.10', '2001:db8::1', '192.0.2.11')",
        "True []",
    ], done.stderr


# Whose, and for how long


def test_several_may_be_undone_in_any_order(resolver, dns_server):
    dns_server.add("api.example. A 192.0.2.99")
    first = gdns.override({"api.example": "192.0.2.1", "other.example": "192.0.2.9"})
    second = gdns.override({"api.example": "192.0.2.2"})
    third = gdns.override({"api.example": "192.0.2.3"})
    assert resolver.gethostbyname("api.example") == "192.0.2.3"
    second.undo()
    assert resolver.gethostbyname("api.example") == "192.0.2.3"
    third.undo()
    assert resolver.gethostbyname("api.example") == "192.0.2.1"
    assert resolver.gethostbyname("other.example") == "192.0.2.9"
    assert (first.is_on, second.is_on) == (True, False)
    first.undo()
    first.undo()
    assert resolver.gethostbyname("api.example") == "192.0.2.99"


def test_the_latest_that_has_host_and_port_counts(resolver):
    with (
        gdns.override({("api.example", 443): "192.0.2.1"}),
        gdns.override({("api.example", 80): "192.0.2.2"}),
    ):
        assert stream(resolver, "api.example", 443) == ["192.0.2.1"]
        with gdns.override({"api.example": "192.0.2.3"}):
            assert stream(resolver, "api.example", 443) == ["192.0.2.3"]


def test_a_resolvers_own_come_before_the_process(dns_server):
    given = {"api.example": "192.0.2.1"}
    with (
        Resolver(nameservers=[dns_server.address], override=given) as one,
        Resolver(nameservers=[dns_server.address]) as other,
        gdns.override({"api.example": "192.0.2.2", "other.example": "192.0.2.3"}),
    ):
        assert [r.gethostbyname("api.example") for r in (one, other)] == ["192.0.2.1", "192.0.2.2"]
        assert one.gethostbyname("other.example") == "192.0.2.3"
        with one.override({"api.example": "192.0.2.4"}):
            assert [r.gethostbyname("api.example") for r in (one, other)] == ["192.0.2.4", "192.0.2.2"]
        assert one.gethostbyname("api.example") == "192.0.2.1"


def test_other_threads_see_them_at_once(dns_server):
    with Resolver(nameservers=[dns_server.address]) as resolver:
        found = []
        with gdns.override({"api.example": "192.0.2.10"}):
            thread = threading.Thread(target=lambda: found.append(resolver.gethostbyname("api.example")))
            thread.start()
            thread.join(10)
    assert found == ["192.0.2.10"]


def test_threads_that_override_at_once_lose_nothing(dns_server):
    """Each sees its own throughout; a table that was not swapped as a whole would lose some."""
    wrong = []

    def work(number):
        for turn in range(200):
            with gdns.override({f"h{number}.example": f"192.0.2.{turn}"}):
                found = PROCESS.find(f"h{number}.example", 0, 0)
                if found is None or found.addresses != (f"192.0.2.{turn}",):
                    wrong.append((number, turn))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []


def test_a_resolver_that_is_gone_is_forgotten():
    before = len(PROCESS._above)
    for _ in range(10):
        Resolver(nameservers=["192.0.2.53"]).close()
    assert len(PROCESS._above) <= before + 1


# What is refused


@pytest.mark.parametrize(
    ("addresses", "complaint"),
    [
        ({"api.example": "192.0.2"}, "'192.0.2', given for 'api.example', is not an IP address"),
        ({"api.example": "other.example"}, "'other.example', given for"),
        ({"api.example": "fe80::1%lo"}, "'fe80::1%lo', given for"),
        ({"api.example": ["192.0.2.1", "x"]}, "'x', given for 'api.example'"),
        ({("api.example", 443): "x"}, "given for ('api.example', 443)"),
        ({"api.example": []}, "'api.example' has no address"),
        ({"": "192.0.2.1"}, "'' is not the name of a host"),
        ({".": "192.0.2.1"}, "'.' is not the name of a host"),
        ({"a..example": "192.0.2.1"}, "'a..example' is not the name of a host"),
        ({"x" * 64: "192.0.2.1"}, "is not the name of a host"),
        ({"192.0.2.1": "192.0.2.2"}, "'192.0.2.1' is an address"),
        ({"127.1": "192.0.2.2"}, "'127.1' is an address"),
        ({"2001:db8::1": "192.0.2.2"}, "'2001:db8::1' is an address"),
        ({("api.example", 0): "192.0.2.1"}, "is not one of 1 to 65535"),
        ({("api.example", 65536): "192.0.2.1"}, "is not one of 1 to 65535"),
        ({"api.example": "192.0.2.1", "API.example.": "192.0.2.2"}, "'API.example.' means the same"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name_before_anything_changes(addresses, complaint):
    with pytest.raises(ConfigError) as caught:
        gdns.override({"good.example": "192.0.2.1"} | addresses)
    assert complaint in str(caught.value)
    assert PROCESS.table == {}
    with pytest.raises(ConfigError):
        Resolver(nameservers=["192.0.2.53"], override=addresses)


@pytest.mark.parametrize(
    "addresses",
    [
        [("api.example", "192.0.2.1")],
        "api.example=192.0.2.1",
        {b"api.example": "192.0.2.1"},
        {"api.example": b"192.0.2.1"},
        {"api.example": 1},
        {"api.example": ["192.0.2.1", None]},
        {("api.example", "443"): "192.0.2.1"},
        {("api.example", True): "192.0.2.1"},
        {("api.example",): "192.0.2.1"},
        {("api.example", 443, 6): "192.0.2.1"},
        {None: "192.0.2.1"},
    ],
)
def test_what_is_of_the_wrong_type_is_a_type_error(addresses):
    with pytest.raises(TypeError, match="override"):
        gdns.override(addresses)


hosts = st.sampled_from(["a.example", "A.example.", "b.example"])
keys = st.one_of(hosts, st.tuples(hosts, st.sampled_from([80, 443])))


@given(st.lists(st.tuples(st.dictionaries(keys, st.integers(1, 254), max_size=2), st.booleans()), max_size=6))
def test_any_stack_answers_as_a_list_searched_from_its_end(layers):
    """The model: those in force, newest first; in each the pair, then the host alone."""
    in_force = []
    handles = []
    try:
        for layer, is_undone in layers:
            plain = [(key if isinstance(key, str) else key[0]).lower().removesuffix(".") for key in layer]
            if len(
                {(host, isinstance(key, str) or key[1]) for host, key in zip(plain, layer, strict=True)}
            ) < len(layer):
                continue
            handle = gdns.override({key: f"192.0.2.{last}" for key, last in layer.items()})
            handles.append(handle)
            if is_undone and len(in_force):
                in_force.pop(0)[1].undo()
            in_force.append((layer, handle))
        for host in ("a.example", "b.example"):
            for port in (0, 80, 443):
                expected = None
                for layer, _ in in_force:
                    model = {
                        (key.lower().removesuffix("."), None)
                        if isinstance(key, str)
                        else (key[0].lower().removesuffix("."), key[1]): last
                        for key, last in layer.items()
                    }
                    expected = model.get((host, port), model.get((host, None), expected))
                found = PROCESS.find(host, port, 0)
                assert (None if found is None else found.addresses) == (
                    None if expected is None else (f"192.0.2.{expected}",)
                )
    finally:
        for handle in handles:
            handle.undo()
