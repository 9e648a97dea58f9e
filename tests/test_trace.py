"""What a look-up tells of its way."""

from __future__ import annotations

import json
import socket

import pytest

import gdns
from gdns import Resolver, policy
from gdns.testing import rcode, silent, truncated
from gdns.trace import explain


@pytest.fixture
def resolver(dns_server, runner):
    settings = {"timeout": 0.3, "attempts": 2, "search": ["corp.example", "example"]}
    with Resolver(nameservers=[dns_server.address], hub=runner.hub, **settings) as made:
        yield made


def kinds(trace) -> list[str]:
    return [event.kind for event in trace.events]


def questions(trace) -> list[dict[str, object]]:
    return [
        question
        for source in trace.as_dict()["events"]
        for name in source.get("events", ())
        for question in name.get("events", ())
        if question["kind"] == "question"
    ]


def test_a_trace_has_what_lookup_gives(resolver, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7", "www.example. 60 AAAA 2001:db8::7")
    trace = resolver.explain("www.example")
    assert trace.addresses == resolver.lookup("www.example")
    assert trace.error is None
    assert trace.elapsed > 0
    assert kinds(trace) == ["files", "dns", "order"]
    a, aaaa = questions(trace)
    assert (a["rdtype"], a["addresses"], a["server"]) == ("A", ["192.0.2.7"], dns_server.address)
    assert (aaaa["rdtype"], aaaa["status"], aaaa["from_cache"]) == ("AAAA", "answer", False)
    assert a["rtt"] > 0


def test_a_trace_is_a_tree_for_people_and_json_for_programs(resolver, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    trace = resolver.explain("www.example", socket.AF_INET)
    text = str(trace)
    assert text.startswith("www.example (AF_INET): 192.0.2.7 [")
    assert "├─ files: /etc/hosts does not name it" in text
    assert f"A: 192.0.2.7 from {dns_server.address} over udp in" in text
    assert json.loads(json.dumps(trace.as_dict()))["addresses"] == ["192.0.2.7"]


def test_the_search_list_shows_every_name_that_was_tried(resolver, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    trace = resolver.explain("www")
    names = [name["qname"] for name in trace.as_dict()["events"][1]["events"]]
    assert names == ["www.corp.example.", "www.example."]
    assert [question["status"] for question in questions(trace)] == [
        "NXDOMAIN",
        "NXDOMAIN",
        "answer",
        "NODATA",
    ]
    assert resolver.stats()["in_vain"] == 2


def test_what_was_asked_in_vain_counts_once_however_many_waited_for_it(resolver, run_all, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    run_all([lambda: resolver.lookup("www"), lambda: resolver.lookup("WWW")] * 10)
    assert resolver.stats()["in_vain"] == 2


def test_what_the_cache_knew_is_said_with_its_age(resolver, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    resolver.lookup("www.example")
    a, _ = questions(resolver.explain("www.example"))
    assert a["from_cache"] is True
    assert 0 <= a["age"] < 5
    assert 55 < a["ttl"] <= 60
    assert "from the cache" in str(resolver.explain("www.example"))


def test_tries_that_failed_are_told(resolver, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault("www.example.", silent(), rdtype="A", times=1)
    trace = resolver.explain("www.example", socket.AF_INET)
    ((question, (failed,)),) = [(event, event.events) for event in trace.events[1].events[0].events]
    assert question.facts["attempts"] == 2
    assert failed.text.startswith(f"{dns_server.address}: no reply after")


def test_an_answer_over_tcp_and_through_cnames_is_told(resolver, dns_server):
    dns_server.add("www.example. 60 CNAME w.example.", "w.example. 60 A 192.0.2.7")
    dns_server.fault(None, truncated())
    text = str(resolver.explain("www.example", socket.AF_INET))
    assert "over tcp" in text
    assert "through 1 CNAME to w.example." in text


def test_a_lookup_that_fails_is_told_too(resolver, dns_server):
    dns_server.fault(None, rcode("SERVFAIL"))
    trace = resolver.explain("www.example.")
    with pytest.raises(gdns.GaiError) as caught:
        resolver.lookup("www.example.")
    assert trace.addresses == ()
    assert trace.error.errno == caught.value.errno
    assert trace.as_dict()["error"]["errno"] == caught.value.errno
    assert "SERVFAIL" in str(trace)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("127.0.0.1", "is an address itself"),
        ("::1", "is an address itself"),
        ("x.localhost", "means this host"),
    ],
)
def test_hosts_that_nobody_is_asked_about(resolver, dns_server, host, words):
    assert words in str(resolver.explain(host))
    assert "nobody is asked" in str(resolver.explain("::1", socket.AF_INET))
    assert dns_server.query_count == 0


def test_a_line_of_the_hosts_file_is_named(make_nss):
    nss = make_nss(hosts="127.0.0.1 localhost\n\n192.0.2.9 db.example db\n")
    trace = explain(nss, "DB")
    event = trace.events[0].as_dict()
    assert (event["lines"], event["addresses"]) == ([3], ["192.0.2.9"])
    assert event["path"].endswith("hosts")
    assert kinds(trace) == ["files"]


def test_what_only_the_system_can_tell_is_told_with_the_reason(make_nss):
    nss = make_nss(nsswitch="hosts: files nosuchmodule/x\n")
    trace = explain(nss, "www.example.")
    assert kinds(trace)[-1] == "system"
    assert "nosuchmodule/x may know www.example." in str(trace)


def test_a_module_that_does_not_own_the_name_is_passed_over(make_nss, dns_server, monkeypatch):
    dns_server.add("www.example. 60 A 192.0.2.7")
    monkeypatch.setattr("gdns.nss_modules._is_installed", lambda name: True, raising=True)
    nss = make_nss(nsswitch="hosts: files mdns4_minimal [NOTFOUND=return] dns\n")
    trace = explain(nss, "www.example.", socket.AF_INET)
    assert kinds(trace) == ["files", "module", "dns"]
    assert trace.addresses == ("192.0.2.7",)


def test_the_rule_that_decided_the_order_is_named(make_nss, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7", "www.example. 60 AAAA ::1")
    order = explain(make_nss(), "www.example.").events[-1].as_dict()
    assert order["kind"] == "order"
    (rule,) = order["events"]
    assert 1 <= rule["rule"] <= 10
    assert rule["reason"]


def test_a_trace_needs_no_other_look_up_than_lookup_does(resolver, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7", "www.example. 60 AAAA 2001:db8::7")
    resolver.explain("www.example")
    assert sorted(dns_server.questions) == [("www.example.", "A"), ("www.example.", "AAAA")]


def test_what_is_no_host_or_family_is_refused_as_by_lookup(resolver):
    with pytest.raises(TypeError):
        resolver.explain(7)
    with pytest.raises(UnicodeError):
        resolver.explain("a..b")
    with pytest.raises(gdns.GaiError):
        resolver.explain("www.example", 99)


def test_an_override_is_told(resolver, dns_server):
    with resolver.override({"api.example": ["192.0.2.10", "192.0.2.1"], "gone.example": None}):
        trace = resolver.explain("API.example")
        assert kinds(trace) == ["override"]
        assert trace.as_dict()["events"][0]["addresses"] == ["192.0.2.10", "192.0.2.1"]
        assert "API.example is overridden: 192.0.2.10, 192.0.2.1" in str(trace)
        gone = resolver.explain("gone.example")
    assert (kinds(gone), gone.addresses) == (["override"], ())
    assert dns_server.questions == []


def test_what_a_policy_refuses_is_told(dns_server, runner):
    dns_server.add("www.example. A 192.0.2.1", "www.example. A 198.51.100.1")
    refuse = policy.deny(["192.0.2.0/24"])
    with Resolver(nameservers=[dns_server.address], policy=refuse, hub=runner.hub) as resolver:
        some = resolver.explain("www.example")
        assert (some.addresses, some.as_dict()["events"][-1]["refused"]) == (("198.51.100.1",), ["192.0.2.1"])
        none = resolver.explain("192.0.2.9")
    assert "the policy refused 192.0.2.9" in str(none)
    assert isinstance(none.error, gdns.AddressRefused)
