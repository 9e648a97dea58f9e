"""A host's addresses and an address's names, from files and DNS in the order of nsswitch.conf."""

from __future__ import annotations

import os
import time
from socket import AF_INET, AF_INET6, AF_UNSPEC, inet_pton

import pytest

from gdns.entries import Failure, Foreign, HostEntry, Miss
from gdns.errors import (
    EAI_AGAIN,
    EAI_FAIL,
    EAI_NODATA,
    EAI_NONAME,
    EAI_SYSTEM,
    HOST_NOT_FOUND,
    NO_DATA,
    NO_RECOVERY,
    TRY_AGAIN,
)
from gdns.testing import rcode, silent


def addresses(nss, name, family=AF_UNSPEC, **wishes):
    found = nss.host_addresses(name, family, **wishes)
    assert isinstance(found, HostEntry), getattr(found, "eai", found)
    return found.addresses


def failure(nss, name, family=AF_UNSPEC, **wishes):
    found = nss.host_addresses(name, family, **wishes)
    assert isinstance(found, Failure)
    return found.eai


def names(nss, address):
    family = AF_INET6 if ":" in address else AF_INET
    return nss.address_names(address, inet_pton(family, address))


# The order of sources


def test_a_name_in_the_hosts_file_is_not_asked_for(make_nss, dns_server):
    nss = make_nss(hosts="192.0.2.1 www.example\n2001:db8::1 www.example\n")
    assert addresses(nss, "www.example") == ("192.0.2.1", "2001:db8::1")
    assert dns_server.questions == []


def test_a_name_that_is_not_there_is_asked_for_in_both_families(make_nss, dns_server):
    dns_server.add("www.example. A 192.0.2.1", "www.example. AAAA 2001:db8::1")
    assert addresses(make_nss(), "www.example") == ("192.0.2.1", "2001:db8::1")
    assert sorted(dns_server.questions) == [("www.example.", "A"), ("www.example.", "AAAA")]


def test_one_family_asks_one_question(make_nss, dns_server):
    dns_server.add("www.example. A 192.0.2.1", "www.example. AAAA 2001:db8::1")
    assert addresses(make_nss(), "www.example", AF_INET6) == ("2001:db8::1",)
    assert dns_server.questions == [("www.example.", "AAAA")]


def test_a_name_that_the_file_has_for_the_other_family_only_is_asked_for(make_nss, dns_server):
    dns_server.add("www.example. AAAA 2001:db8::1")
    nss = make_nss(hosts="192.0.2.1 www.example\n")
    assert addresses(nss, "www.example", AF_INET6) == ("2001:db8::1",)


def test_the_order_of_nsswitch_conf_counts(make_nss, dns_server):
    dns_server.add("www.example. A 192.0.2.2")
    nss = make_nss(hosts="192.0.2.1 www.example\n", nsswitch="hosts: dns files\n")
    assert addresses(nss, "www.example") == ("192.0.2.2",)


def test_an_action_ends_the_search(make_nss, dns_server):
    dns_server.add("www.example. A 192.0.2.2")
    nss = make_nss(nsswitch="hosts: files [NOTFOUND=return] dns\n")
    assert failure(nss, "www.example") == EAI_NONAME
    assert dns_server.questions == []


def test_an_action_goes_on_after_success_and_forgets_it(make_nss, dns_server):
    nss = make_nss(hosts="192.0.2.1 www.example\n", nsswitch="hosts: files [SUCCESS=continue] dns\n")
    assert failure(nss, "www.example") == EAI_NONAME


def test_a_module_that_is_not_installed_is_passed_over(make_nss, dns_server):
    dns_server.add("www.example. A 192.0.2.2")
    nss = make_nss(nsswitch="hosts: files nosuchmodule dns\n")
    assert addresses(nss, "www.example") == ("192.0.2.2",)


def test_a_name_that_a_module_does_not_know_passes_it_by(make_nss, dns_server, tmp_path, monkeypatch):
    for module in ("mdns4_minimal", "mymachines"):
        (tmp_path / f"libnss_{module}.so.2").touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    dns_server.add("www.example. A 192.0.2.1")
    nss = make_nss(nsswitch="hosts: files mdns4_minimal [NOTFOUND=return] dns\n")
    assert addresses(nss, "www.example") == ("192.0.2.1",)
    assert isinstance(nss.host_addresses("printer.local", AF_UNSPEC), Foreign)
    nss = make_nss(nsswitch="hosts: mymachines [NOTFOUND=return] dns\n")
    assert failure(nss, "www.example") == EAI_NONAME


@pytest.mark.skipif(os.path.exists("/run/systemd/resolve"), reason="systemd-resolved runs here")
def test_modules_that_know_nothing_of_an_address_or_are_not_running_pass_it_by(
    make_nss, dns_server, tmp_path, monkeypatch
):
    for module in ("mdns4_minimal", "libvirt", "resolve"):
        (tmp_path / f"libnss_{module}.so.2").touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    dns_server.add("1.2.0.192.in-addr.arpa. PTR www.example.", "www.example. A 192.0.2.1")
    nss = make_nss(nsswitch="hosts: resolve [!UNAVAIL=return] mdns4_minimal libvirt dns\n")
    assert names(nss, "192.0.2.1").names() == ("www.example", [])
    assert addresses(nss, "www.example") == ("192.0.2.1",)
    nss = make_nss(nsswitch="hosts: libvirt [NOTFOUND=return] dns\n")
    assert names(nss, "192.0.2.1").herrno == HOST_NOT_FOUND


def test_a_missing_last_module_makes_a_miss_a_system_error_except_for_gethostbyname(make_nss):
    nss = make_nss(nsswitch="hosts: files dns nosuchmodule\n")
    assert failure(nss, "www.example") == EAI_SYSTEM
    assert failure(nss, "www.example", AF_INET) == EAI_NONAME


def test_a_missing_hosts_file_is_a_service_that_is_unavailable(make_nss, tmp_path):
    nss = make_nss(nsswitch="hosts: files\n")
    (tmp_path / "hosts").unlink()
    assert failure(nss, "www.example", AF_INET) == EAI_NODATA
    assert failure(nss, "www.example") == failure(nss, "www.example", AF_INET6) == EAI_NONAME


def test_results_to_be_merged_are_for_the_system_to_find(make_nss, dns_server):
    nss = make_nss(nsswitch="hosts: files [SUCCESS=merge] dns\n")
    assert isinstance(nss.host_addresses("www.example", AF_UNSPEC), Foreign)
    assert dns_server.questions == []


# Names


def test_the_canonical_name_is_at_the_end_of_the_chain_and_the_aliases_on_the_way(make_nss, dns_server):
    dns_server.add("www.example. CNAME a.example.", "a.example. CNAME b.example.", "b.example. A 192.0.2.1")
    found = make_nss().host_addresses("WWW.example.", AF_INET)
    assert found.names() == ("b.example", ["WWW.example", "a.example"])


def test_a_target_that_is_no_host_name_is_left_out(make_nss, dns_server):
    dns_server.add("www.example. CNAME a!b.example.", "a!b.example. A 192.0.2.1")
    assert make_nss().host_addresses("www.example", AF_INET).names() == ("www.example", [])


def test_names_of_the_hosts_file_are_as_it_spells_them(make_nss):
    nss = make_nss(hosts="192.0.2.1 Www.example www\n")
    assert nss.host_addresses("WWW", AF_UNSPEC).names() == ("Www.example", ["www"])


def test_what_is_no_host_name_is_not_asked_for(make_nss, dns_server):
    assert failure(make_nss(), "-a.example") == failure(make_nss(), "a b.example") == EAI_NONAME
    assert dns_server.questions == []


def test_what_is_no_host_name_is_asked_for_in_vain_where_its_canonical_name_is_wanted(make_nss, dns_server):
    dns_server.add("-a.example. A 192.0.2.1")
    assert failure(make_nss(), "-a.example", AF_INET, is_canonical=True) == EAI_NONAME
    assert dns_server.questions == [("-a.example.", "A")]


@pytest.mark.parametrize("name", ["1.2.3.4.5", "999.999.999.999", "::x", "abc:def"])
def test_gethostbyname_asks_nobody_for_what_looks_like_an_address(make_nss, dns_server, name):
    nss = make_nss(hosts=f"192.0.2.1 {name}\n")
    assert failure(nss, name, AF_INET) == EAI_NONAME
    assert addresses(nss, name) == ("192.0.2.1",)
    assert dns_server.questions == []


def test_a_name_that_hostaliases_may_know_is_for_the_system_to_look_up(make_nss, dns_server, monkeypatch):
    monkeypatch.setenv("HOSTALIASES", os.devnull)
    nss = make_nss(hosts="192.0.2.1 known\n")
    assert isinstance(nss.host_addresses("www", AF_UNSPEC), Foreign)
    assert addresses(nss, "known") == ("192.0.2.1",)
    assert failure(nss, "www.example") == EAI_NONAME
    assert {name for name, _ in dns_server.questions} == {"www.example."}


# The search list


@pytest.fixture
def searching(make_nss):
    return make_nss(resolv_conf="search one.example two.example\n")


def test_a_short_name_is_searched_for(searching, dns_server):
    dns_server.add("www.two.example. A 192.0.2.1")
    found = searching.host_addresses("www", AF_INET)
    assert (found.addresses, found.names()[0]) == (("192.0.2.1",), "www.two.example")
    assert dns_server.questions == [("www.one.example.", "A"), ("www.two.example.", "A")]


def test_a_suffix_without_data_does_not_end_the_search(searching, dns_server):
    dns_server.add("www.one.example. TXT x", "www.two.example. A 192.0.2.1")
    assert addresses(searching, "www") == ("192.0.2.1",)


def test_a_suffix_without_data_counts_where_no_other_has_any(make_nss, dns_server):
    dns_server.add("www.one.example. TXT x", "a.test. A 192.0.2.1")
    nss = make_nss(resolv_conf="search one.example test\noptions ndots:2\n")
    assert failure(nss, "www.one.example") == EAI_NODATA


def test_a_servfail_goes_on_to_the_next_suffix(searching, dns_server):
    dns_server.add("www.two.example. A 192.0.2.1")
    dns_server.fault("www.one.example.", rcode("SERVFAIL"))
    assert addresses(searching, "www", AF_INET) == ("192.0.2.1",)


@pytest.mark.parametrize("fault", ["REFUSED", "FORMERR", "NOTIMP"])
def test_other_failures_end_the_search_but_the_name_itself_is_still_asked_for(searching, dns_server, fault):
    dns_server.add("www.two.example. A 192.0.2.1", "www. A 192.0.2.2")
    dns_server.fault("www.one.example.", rcode(fault))
    assert addresses(searching, "www", AF_INET) == ("192.0.2.2",)
    assert ("www.two.example.", "A") not in dns_server.questions


def test_a_failed_suffix_is_not_forgotten_over_the_others_having_nothing(searching, dns_server):
    dns_server.fault("www.one.example.", rcode("SERVFAIL"))
    assert failure(searching, "www", AF_INET) == failure(searching, "www") == EAI_AGAIN


def test_a_dangling_cname_ends_the_search(searching, dns_server):
    dns_server.add(
        "www.one.example. CNAME txt.example.", "txt.example. TXT x", "www.two.example. A 192.0.2.1"
    )
    assert failure(searching, "www") == EAI_NONAME
    assert failure(searching, "www", AF_INET) == EAI_NODATA


def test_a_dangling_cname_is_no_name_where_ipv4_alone_is_asked_for(make_nss, dns_server):
    dns_server.add("alias.example. CNAME txt.example.", "txt.example. TXT x")
    assert failure(make_nss(resolv_conf="options no-aaaa\n"), "alias.example") == EAI_NONAME


# Two families


def test_a_failed_family_does_not_hide_the_other_ones_addresses(make_nss, dns_server):
    dns_server.add("www.example. AAAA 2001:db8::1")
    dns_server.fault("www.example.", rcode("SERVFAIL"), rdtype="A")
    assert addresses(make_nss(), "www.example") == ("2001:db8::1",)


@pytest.mark.parametrize(
    ("fault", "number"), [("SERVFAIL", EAI_AGAIN), ("REFUSED", EAI_AGAIN), ("FORMERR", EAI_FAIL)]
)
def test_an_existing_name_is_never_reported_missing_for_a_failed_family(make_nss, dns_server, fault, number):
    dns_server.add("www.example. TXT x")
    dns_server.fault("www.example.", rcode(fault), rdtype="A")
    nss = make_nss()
    assert failure(nss, "www.example") == failure(nss, "www.example", AF_INET) == number
    assert nss.host_addresses("www.example", AF_UNSPEC).outcome.question.rdtype == 1


def test_a_silent_second_family_costs_its_time_and_nothing_else(make_nss, dns_server):
    dns_server.add("www.example. A 192.0.2.1")
    dns_server.fault("www.example.", silent(), rdtype="AAAA")
    assert addresses(make_nss(timeout=0.02), "www.example") == ("192.0.2.1",)


def test_a_silent_first_family_is_a_failure_as_it_is_to_glibc(make_nss, dns_server):
    dns_server.add("www.example. AAAA 2001:db8::1")
    dns_server.fault("www.example.", silent(), rdtype="A")
    assert failure(make_nss(timeout=0.02), "www.example") == EAI_AGAIN


def test_single_request_asks_for_the_second_family_after_the_first(make_nss, dns_server):
    dns_server.add("www.example. A 192.0.2.1", "www.example. AAAA 2001:db8::1")
    nss = make_nss(resolv_conf="options single-request\n")
    assert addresses(nss, "www.example") == ("192.0.2.1", "2001:db8::1")
    assert dns_server.questions == [("www.example.", "A"), ("www.example.", "AAAA")]


def test_no_aaaa_asks_for_ipv4_alone(make_nss, dns_server):
    dns_server.add("www.example. A 192.0.2.1", "www.example. AAAA 2001:db8::1")
    nss = make_nss(resolv_conf="options no-aaaa\n", hosts="2001:db8::9 files.example\n")
    assert addresses(nss, "www.example") == ("192.0.2.1",)
    assert failure(nss, "www.example", AF_INET6) == EAI_NODATA
    assert {rdtype for _, rdtype in dns_server.questions} == {"A"}
    assert addresses(nss, "files.example", AF_INET6) == ("2001:db8::9",)


def test_ipv4_is_mapped_where_there_is_no_ipv6_or_all_is_wanted(make_nss, dns_server):
    dns_server.add("v4.example. A 192.0.2.1", "www.example. A 192.0.2.1", "www.example. AAAA 2001:db8::1")
    nss = make_nss()
    assert addresses(nss, "v4.example", AF_INET6, is_mapped=True) == ("::ffff:192.0.2.1",)
    assert addresses(nss, "www.example", AF_INET6, is_mapped=True) == ("2001:db8::1",)
    assert addresses(nss, "www.example", AF_INET6, is_mapped=True, wants_all=True) == (
        "2001:db8::1",
        "::ffff:192.0.2.1",
    )


def test_sortlist_orders_what_was_asked_for_as_ipv4(make_nss, dns_server):
    dns_server.add("www.example. A 192.0.2.1", "www.example. A 198.51.100.1")
    nss = make_nss(resolv_conf="sortlist 198.51.100.0/255.255.255.0\n")
    assert addresses(nss, "www.example", AF_INET) == ("198.51.100.1", "192.0.2.1")
    nss = make_nss(resolv_conf="sortlist 198.51.100.0/255.255.255.0\noptions no-aaaa\n")
    assert addresses(nss, "www.example") == ("192.0.2.1", "198.51.100.1")


# Special-use names (RFC 6761, 7686)


@pytest.mark.parametrize("name", ["localhost", "localhost.", "a.localhost", "A.LocalHost."])
def test_localhost_is_this_host_and_never_asked_for(make_nss, dns_server, name):
    nss = make_nss(hosts="", resolv_conf="search corp.example\n")
    assert addresses(nss, name) == ("::1", "127.0.0.1")
    assert addresses(nss, name, AF_INET) == ("127.0.0.1",)
    assert addresses(nss, name, AF_INET6) == ("::1",)
    assert nss.host_addresses(name, AF_UNSPEC).names() == (name.removesuffix("."), [])
    assert dns_server.questions == []


def test_localhost_is_what_the_hosts_file_says_if_it_says_anything(make_nss, dns_server):
    nss = make_nss(hosts="192.0.2.9 localhost app.localhost\n")
    assert addresses(nss, "localhost") == addresses(nss, "app.localhost") == ("192.0.2.9",)
    assert failure(nss, "localhost", AF_INET6) == EAI_NONAME
    assert dns_server.questions == []


@pytest.mark.parametrize("name", ["x.onion", "x.onion.", "x.invalid", "onion.", "X.ONION"])
def test_names_that_must_not_leak_do_not_exist(make_nss, dns_server, name):
    nss = make_nss(resolv_conf="search corp.example\noptions ndots:5\n")
    assert failure(nss, name) == failure(nss, name, AF_INET) == EAI_NONAME
    assert dns_server.questions == []


def test_the_search_list_makes_no_special_name(make_nss, dns_server):
    dns_server.add("www.corp.example. A 192.0.2.1")
    assert addresses(make_nss(resolv_conf="search onion corp.example\n"), "www") == ("192.0.2.1",)
    assert failure(make_nss(resolv_conf="search corp.example\n"), "invalid") == EAI_NONAME
    assert {name for name, _ in dns_server.questions} == {"www.corp.example.", "invalid.corp.example."}


# Names of addresses


def test_an_address_has_the_names_of_its_line(make_nss, dns_server):
    found = names(make_nss(hosts="192.0.2.1 www.example www\n"), "192.0.2.1")
    assert (found.names(), found.addresses) == (("www.example", ["www"]), ("192.0.2.1",))
    assert dns_server.questions == []


def test_an_address_has_the_first_name_that_dns_gives(make_nss, dns_server):
    dns_server.add("1.2.0.192.in-addr.arpa. PTR www.example.", "1.2.0.192.in-addr.arpa. PTR web.example.")
    assert names(make_nss(), "192.0.2.1").names() == ("www.example", [])
    assert dns_server.questions == [("1.2.0.192.in-addr.arpa.", "PTR")]


def test_a_chain_leads_to_an_addresses_name(make_nss, dns_server):
    dns_server.add(
        "1.2.0.192.in-addr.arpa. CNAME 1.net.2.0.192.in-addr.arpa.",
        "1.net.2.0.192.in-addr.arpa. PTR www.example.",
    )
    assert names(make_nss(), "192.0.2.1").names() == ("www.example", [])


def test_an_address_can_be_called_the_root(make_nss, dns_server):
    dns_server.add("1.2.0.192.in-addr.arpa. PTR .")
    assert names(make_nss(), "192.0.2.1").names() == (".", [])


def test_a_name_that_is_no_host_name_is_refused(make_nss, dns_server):
    dns_server.add("1.2.0.192.in-addr.arpa. PTR a!b.example.")
    assert names(make_nss(), "192.0.2.1").herrno == HOST_NOT_FOUND


@pytest.mark.parametrize(
    ("fault", "number"),
    [("SERVFAIL", TRY_AGAIN), ("REFUSED", TRY_AGAIN), ("NXDOMAIN", HOST_NOT_FOUND), ("FORMERR", NO_RECOVERY)],
)
def test_an_address_without_a_name_says_why(make_nss, dns_server, fault, number):
    dns_server.fault("1.2.0.192.in-addr.arpa.", rcode(fault))
    found = names(make_nss(), "192.0.2.1")
    assert (type(found), found.herrno) == (Miss, number)


def test_an_address_whose_name_has_other_records_only_has_no_data(make_nss, dns_server):
    dns_server.add("1.2.0.192.in-addr.arpa. TXT x")
    assert names(make_nss(), "192.0.2.1").herrno == NO_DATA


def test_an_address_whose_alias_leads_nowhere_has_no_name(make_nss, dns_server):
    dns_server.add("1.2.0.192.in-addr.arpa. CNAME txt.example.", "txt.example. TXT x")
    assert names(make_nss(), "192.0.2.1").herrno == HOST_NOT_FOUND


def test_the_unspecified_address_is_not_asked_about(make_nss, dns_server):
    assert names(make_nss(), "::").herrno == HOST_NOT_FOUND
    assert dns_server.questions == []


# Time


def test_a_lifetime_caps_all_the_questions_of_a_lookup(make_nss, dns_server):
    dns_server.fault(None, silent())
    nss = make_nss(resolv_conf="search one.example two.example\n", lifetime=0.05)
    began = time.monotonic()
    assert failure(nss, "www", ends_at=nss.ends_at()) == EAI_AGAIN
    assert time.monotonic() - began < 0.5


def test_a_lookup_whose_time_is_over_asks_nobody(make_nss, dns_server):
    nss, over = make_nss(), time.monotonic() - 1
    assert failure(nss, "www.example", ends_at=over) == EAI_AGAIN
    assert failure(nss, "www.example", AF_INET6, ends_at=over) == EAI_AGAIN
    found = nss.address_names("192.0.2.1", inet_pton(AF_INET, "192.0.2.1"), over)
    assert (type(found), found.herrno) == (Miss, TRY_AGAIN)
    assert dns_server.questions == []
