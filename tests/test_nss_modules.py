"""Which look-ups the modules of nsswitch.conf keep for the system's own resolver."""

from __future__ import annotations

import socket
from socket import AF_INET, AF_INET6, inet_pton

import pytest

from gdns import nss_modules
from gdns.nss_modules import Source, steps
from gdns.nsswitch import parse_nsswitch
from gdns.resolvconf import ResolvConf


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install modules, so far as anybody looks."""
    monkeypatch.setenv("LD_LIBRARY_PATH", f":{tmp_path}")

    def install(*names):
        for name in names:
            (tmp_path / f"libnss_{name}.so.2").touch()

    return install


@pytest.fixture
def resolved(tmp_path, monkeypatch):
    """Where systemd-resolved has its socket if it runs."""
    path = tmp_path / "io.systemd.Resolve"
    monkeypatch.setattr(nss_modules, "RESOLVED_SOCKET", str(path))
    return path


def step(text, **resolv_conf):
    (only,) = steps(parse_nsswitch(f"hosts: {text}\n".encode()).hosts, ResolvConf(**resolv_conf))
    return only


def sources(text, **resolv_conf):
    modules = parse_nsswitch(f"hosts: {text}\n".encode()).hosts
    return [step.source for step in steps(modules, ResolvConf(**resolv_conf))]


def test_files_and_dns_are_ours(install):
    assert sources("files dns") == [Source.FILES, Source.DNS]


def test_a_module_that_is_not_installed_is_missing(install):
    assert sources("files ldap dns") == [Source.FILES, Source.MISSING, Source.DNS]


def test_a_module_that_is_installed_is_the_systems_to_ask(install):
    install("ldap")
    assert sources("ldap ../evil") == [Source.OTHER, Source.OTHER]
    assert step("ldap").owns("www.example")
    assert step("ldap").owns_address(inet_pton(AF_INET, "192.0.2.1"))


def test_merging_is_the_systems(install):
    assert sources("files [SUCCESS=merge] dns") == [Source.OTHER, Source.OTHER]


def test_without_attempts_dns_is_the_systems_to_fail(install):
    assert sources("files dns", attempts=0) == [Source.FILES, Source.OTHER]


@pytest.mark.parametrize(
    ("module", "owned", "not_owned"),
    [
        (
            "mdns4_minimal",
            ["printer.local", "PRINTER.LOCAL.", "local"],
            ["printer", "www.example", "x.locals"],
        ),
        ("mdns", ["printer.local"], ["www.example"]),
        ("mymachines", ["box"], ["box.example"]),
        ("libvirt_guest", ["box"], ["box.example"]),
        ("wins", ["box."], ["box.example"]),
        (
            "myhostname",
            ["_gateway", "_outbound", "LOCALHOST", "a.localhost", "localhost.localdomain"],
            ["www"],
        ),
    ],
)
def test_a_module_keeps_the_names_that_it_can_know(install, module, owned, not_owned):
    install(module)
    assert [step(module).owns(name) for name in owned] == [True] * len(owned)
    assert [step(module).owns(name) for name in not_owned] == [False] * len(not_owned)


def test_myhostname_knows_this_host(install):
    install("myhostname")
    assert step("myhostname").owns(socket.gethostname().upper())


def test_mdns_minimal_knows_link_local_addresses_only(install):
    install("mdns4_minimal")
    module = step("mdns4_minimal")
    assert module.owns_address(inet_pton(AF_INET, "169.254.1.1"))
    assert module.owns_address(inet_pton(AF_INET6, "fe80::1"))
    assert not module.owns_address(inet_pton(AF_INET, "192.0.2.1"))


def test_resolve_without_its_socket_is_unavailable(install, resolved):
    install("resolve")
    assert sources("resolve") == [Source.UNAVAILABLE]


def test_resolve_is_dns_at_its_own_address(install, resolved):
    install("resolve")
    resolved.touch()
    module = step("resolve", nameservers=("127.0.0.53",))
    assert module.source is Source.DNS
    assert module.owns("printer.local")
    assert module.owns("single")
    assert not module.owns("www.example")
    assert not module.owns_address(inet_pton(AF_INET, "192.0.2.1"))


def test_resolve_with_other_servers_configured_is_the_systems_to_ask(install, resolved):
    install("resolve")
    resolved.touch()
    assert sources("resolve", nameservers=("192.0.2.53",)) == [Source.OTHER]
