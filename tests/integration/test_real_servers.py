"""Real servers answer gdns as they answer dig."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone
import pytest

import gdns
from gdns.hubs import NativeHub

ZONES = Path(__file__).parent.parent.parent / "fixtures" / "zones"
QUESTIONS = [
    *((name, rdtype) for name in ("www", "v4only", "v6only") for rdtype in ("A", "AAAA", "TXT", "MX")),
    *(("", rdtype) for rdtype in ("SOA", "NS", "MX", "TXT", "CAA")),
    ("mail", "A"),
    ("no-such-name", "A"),
]

UNBOUND = """
server:
    interface: 127.0.0.1@{port}
    access-control: 127.0.0.0/8 allow
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: ""
    use-syslog: no
    module-config: "iterator"
    do-not-query-localhost: no
remote-control:
    control-enable: no
auth-zone:
    name: "example."
    zonefile: "{zone}"
    for-downstream: yes
    for-upstream: yes
    fallback-enabled: no
"""

KNOT = """
server:
    listen: 127.0.0.1@{port}
    rundir: "{folder}"
database:
    storage: "{folder}"
log:
  - target: stderr
    any: error
zone:
  - domain: example.
    file: "{zone}"
"""

SERVERS = {
    "unbound": (UNBOUND, lambda config: ["-d", "-c", config]),
    "knotd": (KNOT, lambda config: ["-c", config]),
}


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        port: int = udp.getsockname()[1]
        return port


def program(name: str) -> str:
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin")
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: unbound, knot, bind9-dnsutils)")
    return found


def await_answer(port: int, process: subprocess.Popen[str]) -> None:
    query = dns.message.make_query("example.", "SOA")
    give_up_at = time.monotonic() + 20
    while time.monotonic() < give_up_at:
        assert process.poll() is None, process.communicate()[1]
        try:
            reply = dns.query.udp(query, "127.0.0.1", port=port, timeout=0.2)
        except (OSError, dns.exception.DNSException):
            continue
        if reply.answer:
            return
    pytest.fail("the server did not come up")


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a real server with the zone example."""
    command = program(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    zone = folder / "example.zone"
    # written out anew: not every server knows $GENERATE
    dns.zone.from_file(str(ZONES / "example.zone"), "example.", check_origin=False).to_file(str(zone))
    config, arguments = SERVERS[request.param]
    port = free_port()
    file = folder / "config"
    file.write_text(config.format(port=port, folder=folder, zone=zone))
    with subprocess.Popen([command, *arguments(str(file))], stderr=subprocess.PIPE, text=True) as process:
        try:
            await_answer(port, process)
            yield port
        finally:
            process.terminate()
            process.communicate(timeout=20)


@pytest.fixture
def dig(server: int) -> Callable[[str, str], tuple[str, set[str]]]:
    command = program("dig")

    def ask(name: str, rdtype: str) -> tuple[str, set[str]]:
        options = ["+noall", "+comments", "+answer", "+noedns", "+nocookie"]
        words = [command, "@127.0.0.1", "-p", str(server), *options, name, rdtype]
        printed = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout
        status = re.search(r"status: (\w+)", printed)
        assert status, printed
        records = {line for line in printed.splitlines() if line and not line.startswith(";")}
        return status[1], {canonical(record) for record in records}

    return ask


def canonical(record: str) -> str:
    """A record as dnspython writes it; the TTL aside, which a cache counts down."""
    name, _, rdclass, rdtype, rdata = record.split(None, 4)
    return dns.rrset.from_text(name.lower(), 0, rdclass, rdtype, rdata).to_text()


@pytest.mark.parametrize(("label", "rdtype"), QUESTIONS, ids=[f"{n or '@'}-{t}" for n, t in QUESTIONS])
def test_gdns_and_dig_get_the_same_answer(server, dig, label, rdtype):
    name = f"{label}.example." if label else "example."
    status, expected = dig(name, rdtype)
    with gdns.Resolver(nameservers=[f"127.0.0.1:{server}"], timeout=5.0) as resolver:
        try:
            response = resolver.resolve(name, rdtype, raise_on_no_answer=False).response
        except gdns.NXDOMAIN as missing:
            response = missing.response(dns.name.from_text(name))
    found = {canonical(line) for rrset in response.answer for line in rrset.to_text().splitlines()}
    assert (dns.rcode.to_text(response.rcode()), found) == (status, expected)


def test_a_real_server_answers_a_thousand_questions_at_once(server):
    from gdns.hubs import NativeHub

    hub = NativeHub.of_this_thread()
    with gdns.Resolver(nameservers=[f"127.0.0.1:{server}"], timeout=5.0, hub=hub) as resolver:
        tasks = [hub.spawn(resolver.lookup, f"n{number}.wild.example.") for number in range(1000)]
        hub.join(*tasks, timeout=60)
        found = {task.get() for task in tasks}
    assert len(found) == 1
    assert found.pop()


def test_a_burst_is_no_more_than_the_servers_buffer_holds(server):
    """That is some 250 questions, at Linux' default; each that is lost costs its look-up five seconds."""
    hub = NativeHub.of_this_thread()
    names = iter([f"{'n' * (1 + number % 30)}{number}.example." for number in range(3000)])
    missing: list[str] = []

    def ask() -> None:
        for name in names:
            try:
                resolver.lookup(name)
            except gdns.GaiError as error:
                missing.append(error.strerror)

    with gdns.Resolver([f"127.0.0.1:{server}"], cache=False, hub=hub) as resolver:
        hub.join(*[hub.spawn(ask) for _ in range(400)])
        sent = resolver.stats()["sent"]
    assert len(missing) == 3000
    assert set(missing) == {"Name or service not known"}
    assert 6000 <= sent <= 6060  # A and AAAA, and hardly one of them a second time
