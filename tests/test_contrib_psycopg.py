"""What libpq is told of the hosts it connects to."""

from __future__ import annotations

import sys

import pytest

import gdns
from gdns import patch
from gdns.contrib.psycopg import patch_psycopg, with_hostaddr


@pytest.fixture(autouse=True)
def resolver(dns_server, monkeypatch):
    dns_server.add(
        "one.example. 300 A 192.0.2.1",
        "two.example. 300 A 192.0.2.2",
        "two.example. 300 A 192.0.2.3",
    )
    for variable in ("PGHOST", "PGHOSTADDR", "PGPORT"):
        monkeypatch.delenv(variable, raising=False)
    with gdns.Resolver(nameservers=[dns_server.address]) as resolver:
        monkeypatch.setattr(patch, "default_resolver", lambda: resolver)
        yield


def test_a_host_gets_its_address():
    assert with_hostaddr(host="one.example", dbname="shop") == {
        "host": "one.example",
        "hostaddr": "192.0.2.1",
        "dbname": "shop",
    }


def test_a_host_with_several_addresses_is_tried_at_each_at_its_port():
    found = with_hostaddr(host="two.example,one.example", port="5432,5433")
    assert found["host"] == "two.example,two.example,one.example"
    assert sorted(found["hostaddr"].split(",")) == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert found["port"] == "5432,5432,5433"


def test_one_port_is_that_of_all():
    assert with_hostaddr(host="two.example", port=5433)["port"] == "5433,5433"


@pytest.mark.parametrize(
    "keywords",
    [
        {"host": "/run/postgresql"},
        {"host": "@abstract"},
        {"host": "one.example", "hostaddr": "192.0.2.99"},
        {"dbname": "shop"},
        {"host": "one.example,two.example", "port": "1,2,3"},
    ],
    ids=str,
)
def test_what_needs_no_address_stays_as_it_is(keywords, dns_server):
    found = with_hostaddr(**keywords)
    assert {name: value for name, value in found.items() if value.strip(",")} == keywords
    assert dns_server.questions == []


def test_the_environment_names_a_host_too(monkeypatch):
    monkeypatch.setenv("PGHOST", "one.example")
    assert with_hostaddr(dbname="shop")["hostaddr"] == "192.0.2.1"


def test_a_literal_is_its_own_address():
    assert with_hostaddr(host="192.0.2.5")["hostaddr"] == "192.0.2.5"


def test_a_host_that_cannot_be_found_is_no_secret_of_libpqs():
    with pytest.raises(gdns.GaiError):
        with_hostaddr(host="none.example")


MISSING = "is not installed: it is in the extra `integration`, which CI installs"


@pytest.mark.parametrize("module", ["psycopg2", "psycopg"])
def test_a_connection_string_is_read_as_libpq_reads_it(module, monkeypatch):
    pytest.importorskip(module, reason=f"{module} {MISSING}")
    if module == "psycopg":
        monkeypatch.delitem(sys.modules, "psycopg2", raising=False)  # the reader of who has only the newer
    found = with_hostaddr("postgresql://me@one.example:5433/shop?connect_timeout=3", password="word")
    assert found == {
        "user": "me",
        "host": "one.example",
        "hostaddr": "192.0.2.1",
        "port": "5433",
        "dbname": "shop",
        "connect_timeout": "3",
        "password": "word",
    }


def test_the_one_that_is_installed_is_patched(monkeypatch):
    psycopg = pytest.importorskip("psycopg", reason=f"psycopg {MISSING}")
    monkeypatch.setitem(sys.modules, "psycopg2", None)  # as if it were missing (import's own word for it)
    before = psycopg.connect
    with patch_psycopg():
        assert psycopg.connect is not before
        with pytest.raises(psycopg.OperationalError, match="could not translate host name"):
            psycopg.connect("host=none.example")
    assert psycopg.connect is before


def test_patching_where_neither_is_installed_says_so(monkeypatch):
    for module in ("psycopg", "psycopg2"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match="neither psycopg nor psycopg2 is installed"):
        patch_psycopg()
