import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdns.config import HostConf, Module, System, parse_host_conf
from gdns.testing import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def etc(tmp_path):
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.1\n")
    (tmp_path / "nsswitch.conf").write_text("hosts: dns\n")
    (tmp_path / "host.conf").write_text("multi on\n")
    (tmp_path / "gai.conf").write_text("reload yes\n")
    return tmp_path


@pytest.fixture
def make_system(etc, clock):
    def make(**environ: str) -> System:
        return System(
            resolv_conf=str(etc / "resolv.conf"),
            nsswitch=str(etc / "nsswitch.conf"),
            host_conf=str(etc / "host.conf"),
            gai_conf=str(etc / "gai.conf"),
            environ=environ,
            hostname=lambda: "box.lab.example",
            clock=clock,
        )

    return make


def test_the_settings_hold_what_every_file_says(make_system):
    settings = make_system(RES_OPTIONS="ndots:3").current()
    assert settings.resolv_conf.nameservers == ("192.0.2.1",)
    assert settings.resolv_conf.search == ("lab.example",)
    assert settings.resolv_conf.ndots == 3
    assert settings.nsswitch.hosts == (Module("dns"),)
    assert settings.host_conf.multi
    assert settings.gai_conf.reload


def test_without_any_file_the_settings_are_glibcs_defaults(make_system, etc):
    for path in etc.iterdir():
        path.unlink()
    settings = make_system().current()
    assert settings.resolv_conf.nameservers == ("127.0.0.1",)
    assert settings.nsswitch.hosts == (Module("files"), Module("dns"))
    assert not settings.host_conf.multi


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("resolv.conf", "nameserver 192.0.2.2\n"),
        ("nsswitch.conf", "hosts: files\n"),
        ("host.conf", "multi off\n"),
        ("gai.conf", "label ::/0 5\n"),
    ],
)
def test_a_changed_file_makes_new_settings_within_a_second(make_system, etc, clock, name, content):
    system = make_system()
    before = system.current()
    (etc / name).write_text(content)
    clock.advance(0.5)
    assert system.current() is before
    clock.advance(0.6)
    assert system.current() != before


def test_settings_stay_the_same_object_while_nothing_changes(make_system, etc, clock):
    system = make_system()
    before = system.current()
    for path in etc.iterdir():
        path.write_text("# touched\n" + path.read_text())
    clock.advance(1.1)
    assert system.current() is before


def test_no_reload_keeps_resolv_conf_as_it_was(make_system, etc, clock):
    (etc / "resolv.conf").write_text("nameserver 192.0.2.1\noptions no-reload\n")
    system = make_system()
    (etc / "resolv.conf").write_text("nameserver 192.0.2.2\n")
    (etc / "nsswitch.conf").write_text("hosts: files\n")
    clock.advance(1.1)
    assert system.current().resolv_conf.nameservers == ("192.0.2.1",)
    assert system.current().nsswitch.hosts == (Module("files"),)


def test_files_that_turn_to_garbage_leave_a_working_resolver_and_one_warning_each(
    make_system, etc, clock, caplog
):
    system = make_system()
    with caplog.at_level(logging.WARNING, "gdns"):
        for garbage in (b"\xff\0\x80", b"", b"hosts: files [\n"):
            for path in etc.iterdir():
                path.write_bytes(garbage)
            clock.advance(1.1)
            settings = system.current()
            assert settings.resolv_conf.nameservers == ("127.0.0.1",)
            assert settings.nsswitch.hosts == (Module("files"), Module("dns"))
    paths = [str(record.args[0]) for record in caplog.records]
    assert paths == [str(etc / "resolv.conf"), str(etc / "nsswitch.conf")]


@pytest.mark.parametrize(
    ("content", "environ", "multi"),
    [
        ("", {}, False),
        ("multi on\n", {}, True),
        ("order hosts,bind\n  MULTI\tOnly # the prefix counts\n", {}, True),
        ("multi on\nmulti off\n", {}, False),
        ("multi on\nmulti perhaps\n", {}, True),
        ("multion\nmulti,on\n#multi on\n", {}, False),
        ("multi off\n", {"RESOLV_MULTI": "on"}, True),
        ("multi on\n", {"RESOLV_MULTI": "OFF"}, False),
        ("multi on\n", {"RESOLV_MULTI": " off"}, True),
    ],
)
def test_multi_is_the_last_word_of_host_conf_and_environment(content, environ, multi):
    assert parse_host_conf(content.encode(), environ) == HostConf(multi)


def test_host_conf_may_be_elsewhere(make_system, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("multi off\n")
    assert not make_system(RESOLV_HOST_CONF=str(elsewhere)).current().host_conf.multi


@given(st.binary(max_size=80))
def test_any_octets_are_read_as_host_conf(content):
    assert parse_host_conf(content, {}) in (HostConf(False), HostConf(True))
