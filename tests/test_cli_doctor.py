"""`gdns doctor`: what is configured, who answers, and what is wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from gdns import hubs
from gdns.cli import advisories, configuration, doctor, probes, versions
from gdns.cli.findings import Finding, Level
from gdns.servers import ServerAddress
from gdns.testing import Server, cookies, over_tcp, over_udp, rcode, silent, with_edns
from tests.command import call

MakeEtc = Callable[..., str]


@pytest.fixture
def make_etc(tmp_path: Path) -> MakeEtc:
    """Make an /etc whose files hold these texts; None leaves one out."""

    def make(**texts: str | None) -> str:
        usual: dict[str, str | None] = {
            "resolv_conf": "nameserver 192.0.2.53\n",
            "nsswitch_conf": "hosts: files dns\n",
            "hosts": "127.0.0.1 localhost\n",
            "gai_conf": "",
        }
        for name, text in (usual | texts).items():
            if text is not None:
                (tmp_path / name.replace("_", ".")).write_text(text)
        return str(tmp_path)

    return make


def problems(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.level is Level.PROBLEM]


def of(findings: list[Finding], text: str) -> Finding:
    """The one finding that says so."""
    (found,) = [finding for finding in findings if text in finding.text]
    return found


# The files


def test_ordinary_files_are_no_problem_and_each_line_is_told(make_etc: MakeEtc) -> None:
    etc = make_etc(
        resolv_conf="# comment\nnameserver 192.0.2.53\nsearch corp.example\noptions ndots:2 edns0\n"
    )
    found = configuration.examine(etc=etc, environ={})
    assert problems(found) == []
    assert of(found, f"{etc}/resolv.conf:2: nameserver 192.0.2.53").level is Level.OK
    understood = of(found, "understood: ask 192.0.2.53; 5 s, 2 times; search corp.example; ndots 2; edns0")
    assert understood.facts["nameservers"] == ["192.0.2.53"]
    assert of(found, f"{etc}/nsswitch.conf:1: hosts: files dns").level is Level.OK


@pytest.mark.parametrize(
    ("texts", "line", "level"),
    [
        (
            {"resolv_conf": None},
            "/resolv.conf: No such file or directory; so the server is 127.0.0.1",
            "problem",
        ),
        ({"resolv_conf": "search a.example\n"}, "/resolv.conf names no server", "problem"),
        (
            {"resolv_conf": "nameserver ns.example\n"},
            ":1: nameserver ns.example (holds no address)",
            "problem",
        ),
        (
            {"resolv_conf": "nameserver 192.0.2.1\n nameserver 192.0.2.2\n"},
            "(ignored, as glibc does)",
            "note",
        ),
        ({"resolv_conf": "nameserver 192.0.2.1\noptions ndot:2\n"}, "(ndot:2: not known to glibc", "note"),
        (
            {"resolv_conf": "nameserver 192.0.2.1\n" * 4},
            ":4: nameserver 192.0.2.1 (ignored: glibc reads 3)",
            "note",
        ),
        (
            {"resolv_conf": "nameserver 192.0.2.1\noptions attempts:0\n"},
            "attempts:0 lets glibc ask",
            "problem",
        ),
        ({"resolv_conf": "nameserver 127.0.0.53\n"}, "127.0.0.53 (systemd-resolved; `resolvectl", "ok"),
        ({"nsswitch_conf": None}, "/nsswitch.conf: No such file or directory; so it is `files dns`", "note"),
        ({"nsswitch_conf": "hosts: files\n"}, "nobody asks DNS", "problem"),
        ({"nsswitch_conf": "hosts: dns [NOPE=return]\n"}, "(a bad criterion", "problem"),
        (
            {"nsswitch_conf": "hosts: files nonesuch dns\n"},
            "nonesuch is a module that is not installed",
            "note",
        ),
        ({"hosts": None}, "/hosts: No such file or directory", "problem"),
        ({"hosts": "192.0.2.1 www\n"}, "/hosts does not name localhost", "note"),
        ({"gai_conf": "precedence ::ffff:0:0/96 100\n"}, "/gai.conf:1: precedence ::ffff:0:0/96 100", "ok"),
        ({"gai_conf": "precedence x 100\n"}, "precedence x 100 (means nothing, ignored)", "note"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line(
    make_etc: MakeEtc, texts: dict[str, str | None], line: str, level: str
) -> None:
    found = configuration.examine(etc=make_etc(**texts), environ={})
    assert of(found, line).level.value == level
    assert [finding.text for finding in problems(found) if not finding.todo] == []


def test_the_lines_of_a_host_and_the_environment_are_told(make_etc: MakeEtc) -> None:
    etc = make_etc(hosts="127.0.0.1 localhost\n\n192.0.2.7 www.example\n")
    environ = {"LOCALDOMAIN": "corp.example", "GDNS_DISABLE": "1", "HOSTALIASES": "/nowhere"}
    found = configuration.examine("www.example", etc, environ)
    assert of(found, "/hosts:3: 192.0.2.7 www.example").facts == {"addresses": ["192.0.2.7"]}
    assert "search corp.example" in of(found, "understood: ask").text
    assert of(found, "GDNS_DISABLE=1").level is Level.NOTE
    assert of(found, "HOSTALIASES=/nowhere: there is no such file").todo


def test_any_octets_in_the_files_are_told_of(make_etc: MakeEtc) -> None:
    etc = make_etc()
    for name in ("resolv.conf", "nsswitch.conf", "hosts", "gai.conf", "host.conf"):
        Path(etc, name).write_bytes(bytes(range(256)) + b"\nnameserver \xff\x1b[2J\n")
    assert not [finding for finding in configuration.examine(etc=etc, environ={}) if "\x1b" in finding.text]


# The servers


@pytest.fixture
def probe(dns_server: Server) -> Iterator[Callable[..., list[Finding]]]:
    """Probe the server, whatever hub earlier tests have left in this thread."""

    def ask(timeout: float = 10.0) -> list[Finding]:
        address = ServerAddress.parse(dns_server.address)
        (found,) = probes.probe_all([address], "www.example", timeout)
        return probes.findings(found, "/etc/resolv.conf:1")

    hubs.NativeHub.of_this_thread()
    dns_server.add("www.example. 60 A 192.0.2.7")
    yield ask
    dns_server.tcp("serve")
    dns_server.resume()


def test_a_healthy_server_is_told_with_its_time_edns_and_cookies(
    dns_server: Server, probe: Callable[..., list[Finding]]
) -> None:
    dns_server.fault(None, cookies())
    udp, tcp, edns = probe()
    assert [finding.level for finding in (udp, tcp, edns)] == [Level.OK] * 3
    assert udp.text.startswith(f"{dns_server.address} answers over UDP in ")
    assert udp.facts["rtt"] > 0
    assert edns.facts["edns"] is edns.facts["cookie"] is True


@pytest.mark.parametrize(
    ("fault", "said", "todo"),
    [
        (rcode("REFUSED"), "says REFUSED over UDP", "it does not serve this host"),
        (rcode("SERVFAIL"), "says SERVFAIL over UDP", "it cannot find out"),
        (rcode("NOTIMP"), "says rcode 4 over UDP", "it does not understand an ordinary question"),
        (over_tcp(silent()), "does not answer over TCP", "let port 53/tcp through"),
        (over_udp(silent()), "does not answer over UDP", "let port 53/udp through"),
        (with_edns(over_udp(silent())), "does not answer EDNS", "a firewall drops EDNS"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_trouble_of_a_server_comes_with_what_to_do(
    dns_server: Server, probe: Callable[..., list[Finding]], fault: object, said: str, todo: str
) -> None:
    dns_server.fault(None, fault)  # type: ignore[arg-type]
    finding = of(problems(probe(1.0)), said)
    assert todo in finding.todo


def test_a_server_without_edns_is_no_problem(dns_server: Server, probe: Callable[..., list[Finding]]) -> None:
    dns_server.fault(None, with_edns(rcode("FORMERR")))
    assert of(probe(), "knows no EDNS").level is Level.NOTE


def test_nobody_there_is_told_from_nobody_answers(
    dns_server: Server, probe: Callable[..., list[Finding]]
) -> None:
    dns_server.fault(None, silent())
    (quiet,) = probe(0.1)
    assert "no reply within 0.1 s" in quiet.text
    assert "a firewall, or no server at all" in quiet.todo
    dns_server.stop_listening()
    (refused,) = probe(0.1)
    assert (
        "nothing listens there: start the server, or name another one in place of /etc/resolv.conf:1"
        in refused.todo
    )


# c-ares


def test_advisories_concern_the_versions_they_name() -> None:
    names = [advisory.name for advisory in advisories.against("1.34.5")]
    assert "CVE-2025-62408" in names
    assert "CVE-2025-31498" not in names
    assert advisories.against("1.34.9") == []
    assert [advisory.name for advisory in advisories.against("1.32.2") if advisory.since] == []
    assert advisories.is_newer_than_known("1.35.0-DEV")
    assert not advisories.is_newer_than_known("1.34.9")


def test_the_table_of_advisories_is_in_order_and_says_each_once() -> None:
    fixed = [advisories._number(advisory.fixed_in) for advisory in advisories.ADVISORIES]
    assert fixed == sorted(fixed)
    assert len({advisory.name for advisory in advisories.ADVISORIES}) == len(advisories.ADVISORIES)
    assert fixed[-1] <= advisories._number(advisories.KNOWN_TO)


def test_an_old_c_ares_is_a_problem_for_each_advisory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gdns.cli.versions.cares", lambda: ("1.34.6", "/site-packages/pycares/_cares.so"))
    found = problems(doctor.c_ares())
    assert len(found) == len(advisories.against("1.34.6")) > 3
    assert all(finding.todo.startswith("pip install -U pycares") for finding in found)


def test_a_c_ares_newer_than_gdns_knows_is_no_problem_but_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gdns.cli.versions.cares", lambda: ("1.99.0", "/lib/libcares.so.2"))
    (finding,) = doctor.c_ares()
    assert finding.level is Level.NOTE
    assert f"knows of advisories against c-ares up to {advisories.KNOWN_TO}" in finding.text


def test_no_c_ares_at_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> tuple[str, str]:
        raise ImportError("none found")

    monkeypatch.setattr("gdns.cli.versions.cares", missing)
    (finding,) = problems(doctor.c_ares())
    assert "none found" in finding.text


# Hubs


def test_programs_on_gevent_that_do_not_use_gdns_are_told_how() -> None:
    idle = of(doctor.hubs({}), "gevent ")
    assert "set GEVENT_RESOLVER=gdns.gevent.Resolver" in idle.todo
    assert of(doctor.hubs({"GEVENT_RESOLVER": "gdns.gevent.Resolver"}), "gevent ").level is Level.OK


def test_hubs_that_are_not_installed_are_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr("gdns.cli.versions.version", missing)
    assert [finding.text for finding in doctor.hubs({})][:2] == [
        "gevent is not installed",
        "eventlet is not installed",
    ]
    assert "pycares not installed" in versions.text()


# The whole


def test_one_failure_is_explained_from_end_to_end(dns_server: Server) -> None:
    at = f"@{dns_server.address}"
    dns_server.fault("www.example.", rcode("SERVFAIL"))
    done = call("doctor", at, "www.example", "--timeout", "10")
    assert done.status == 1
    assert "www.example has no address: [Errno -3] Temporary failure in name resolution" in done.out
    assert f"A: SERVFAIL from {dns_server.address}" in done.out
    lines = done.out.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("  problem"):
            assert lines[number + 1].startswith("           -> "), line
    assert lines[-1].endswith("what to do about each stands below it, after ->")


def test_scripts_read_its_status_and_json(dns_server: Server) -> None:
    dns_server.add("www.example. 60 A 192.0.2.7")
    at = f"@{dns_server.address}"
    healthy = call("doctor", at, "www.example", "--json", "--timeout", "10")
    found = json.loads(healthy.out)
    wrong = [one for section in found.values() if isinstance(section, list) for one in section]
    wrong = [one["text"] for one in wrong if one["level"] == "problem"]
    assert [text for text in wrong if "/etc/" not in text and "c-ares" not in text] == []  # of this machine
    assert {"configuration", "c-ares", "hubs", "servers", "look-ups"} <= {*found}
    assert found["look-ups"][0]["gdns"] == ["192.0.2.7"]
    dns_server.stop_listening()
    try:
        gone = call("doctor", at, "www.example", "--json", "--timeout", "10")
    finally:
        dns_server.resume()
    assert (gone.status, json.loads(gone.out)["status"]) == (3, 3)


@pytest.mark.parametrize(
    "words",
    [
        ["a..example"],
        ["a" * 64],
        ["x." * 200],
        ["\udcff"],
        ["a.example", "b.example"],
        ["@x y"],
        ["--timeout", "0"],
    ],
)
def test_bad_words_get_one_line(dns_server: Server, words: list[str]) -> None:
    if not words[0].startswith("@"):
        words = [f"@{dns_server.address}", *words]
    done = call("doctor", *words)
    assert (done.status, done.out) == (2, "")
    assert done.err.endswith("(see gdns doctor --help)\n")
    assert done.err.count("\n") == 1


INSIDE = """
import sys
from gdns.cli import main, namespace
from gdns.testing import Server, records
try:
    namespace.enter()
    server = Server({"www.example.": {"A": "192.0.2.7"}}, port=53).start()
    namespace.point_system_at_loopback()
except OSError:
    sys.exit(99)
with server:
    open("/etc/hosts", "w").close()
    print("status", main(["doctor", "--timeout", "5"]))
    print("status", main(["doctor", "www.example", "--timeout", "5"]))
    server.remove("www.example.", "A")
    server.add("other.example. 60 A 192.0.2.9")
    print("status", main(["doctor", "www.example", "--timeout", "5"]))
"""


def test_gdns_and_the_systems_resolver_are_compared() -> None:
    done = subprocess.run([sys.executable, "-c", INSIDE], capture_output=True, text=True, timeout=60)
    if done.returncode == 99:
        pytest.skip("namespaces are refused here")
    assert done.returncode == 0, done.stderr
    alone, first, second, _ = done.stdout.split("status ")
    # the server refuses what it has no zone for
    assert "if it serves some names only, name one of them" in alone
    assert "  note     localhost: ::1, 127.0.0.1, which gdns knows by itself (RFC 6761)" in alone
    assert first.startswith("1\n")
    assert "  ok       www.example: 192.0.2.7, as the system's resolver says\n" in first
    wrong = [line for line in first.splitlines() if line.startswith("  problem") and "c-ares" not in line]
    assert wrong == []
    assert second.startswith(("0\n", "1\n") if "problem" in first else "0\n"), first
    assert "[Errno -2] Name or service not known, as the system's resolver says" in second
    assert done.stdout.endswith("status 1\n")


DIFFERENT = """
import sys
from collections import Counter
from gdns.cli import main, namespace
from gdns.testing import Server
ANSWERS = {
    "order.example.": (["192.0.2.7", "192.0.2.8"], ["192.0.2.8", "192.0.2.7"]),
    "other.example.": (["192.0.2.7"], ["192.0.2.8"]),
}
asked = Counter()
def answer(query):
    if query.name not in ANSWERS or query.rdtype != "A":
        return None
    asked[query.name] += 1
    return {"A": ANSWERS[query.name][asked[query.name] % 2]}  # one to gdns, the other to the system
try:
    namespace.enter()
    server = Server({"example.": {}}, handler=answer, port=53).start()
    namespace.point_system_at_loopback()
except OSError:
    sys.exit(99)
with server:
    for words in (["order.example"], ["other.example"], ["@192.0.2.53", "www.example"]):
        print("status", main(["doctor", *words, "--timeout", "5"]))
"""


def test_answers_that_differ_are_told_and_servers_out_of_reach() -> None:
    done = subprocess.run([sys.executable, "-c", DIFFERENT], capture_output=True, text=True, timeout=60)
    if done.returncode == 99:
        pytest.skip("namespaces are refused here")
    assert done.returncode == 0, done.stderr
    order, other, unreachable, _ = done.stdout.split("status ")
    ours = r"note     order.example: gdns says (\S+), (\S+), "
    assert re.search(ours + r"the system's resolver in the order \2, \1\n", order)
    assert re.search(r"problem  other.example: gdns says (\S+), the system's resolver (?!\1)\S+\n", other)
    assert "ask both again, `gdns explain other.example` and `getent ahosts other.example`" in other
    assert "there is no way to it from here: see `ip route get 192.0.2.53`" in unreachable
