"""Where gevent's own resolvers differ from the system's, the plugin does not (numbered as in the how-to)."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gdns
from gdns.testing import silent

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.parity import world  # noqa: E402
from tests.parity.divergences import CALLS  # noqa: E402

MEANT = {  # docs/parity.md
    "getaddrinfo(b'\\x00', 80)": "a NUL is refused",
    "gethostbyname('broken.example',)": "what could not be found out is not said not to exist",
}
ELSEWHERE = {11, 16, 17, 19, 20, 23, 24}  # in the tests below, and 11 in test_gevent_plugin.py: the timeout


@pytest.fixture(scope="module")
def answers() -> dict[int, list[tuple[str, str, str]]]:
    if not world.is_permitted():
        pytest.skip("unshare(1) is refused, so there can be no system to compare with")
    command = [sys.executable, "-W", "ignore", "-m", "tests.parity.divergences"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[int, list[tuple[str, str, str]]] = {}
    for line in done.stdout.splitlines():
        number, call, theirs, ours = json.loads(line)
        found.setdefault(number, []).append((call, theirs, ours))
    return found


@pytest.mark.parametrize("number", sorted({number for number, *_ in CALLS}))
def test_the_plugin_answers_as_the_system_where_gevents_resolvers_do_not(answers, number):
    differences = [answer for answer in answers[number] if answer[1] != answer[2] and answer[0] not in MEANT]
    assert differences == []


def test_every_divergence_of_the_how_to_has_a_test():
    listed = re.findall(r"^(\d+)\. ", (ROOT / "docs/how-to/gevent.md").read_text(), re.MULTILINE)
    assert {int(number) for number in listed} == {number for number, *_ in CALLS} | ELSEWHERE


PROGRAM = """if True:
    import os, pathlib, sys, time
    from gdns.cli import namespace
    try:
        namespace.enter()
    except OSError:
        print("refused")
        raise SystemExit
    from gdns.testing import Server
    zones = {"www.one.test.": {"A": "192.0.2.1"}, "www.two.test.": {"A": "192.0.2.2"}}
    server = Server(zones, port=53).start()
    namespace.point_system_at_loopback()
    etc = pathlib.Path("/etc")
    (etc / "services").write_text("http 80/tcp\\n")
    import gevent, gevent.socket as gs

    def until(expected, call):
        ends_at = time.monotonic() + 5
        while time.monotonic() < ends_at:
            try:
                if call() == expected:
                    return True
            except OSError:
                pass
            gevent.sleep(0.05)
        return False
"""


def run(program: str, **environment: str) -> list[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("GEVENT", "GDNS"))}
    environ["GEVENT_RESOLVER"] = "gdns.gevent.Resolver"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", "-c", program],
        env=environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    if done.stdout == "refused\n":
        pytest.skip("unshare(2) is refused, so /etc cannot be changed for a test")
    return done.stdout.splitlines()


def test_16_a_host_that_the_hosts_file_knows_in_one_family_is_not_asked_about():
    program = (
        PROGRAM
        + """
    (etc / "hosts").write_text("192.0.2.9 v4.one.test\\n")
    print([info[4][0] for info in gs.getaddrinfo("v4.one.test", 80, 0, 1)], server.questions)
    """
    )
    assert run(program) == ["['192.0.2.9'] []"]


def test_17_a_changed_resolv_conf_counts_soon():
    program = (
        PROGRAM
        + """
    for domain, address in (("one.test", "192.0.2.1"), ("two.test", "192.0.2.2")):
        (etc / "resolv.conf").write_text(f"nameserver 127.0.0.1\\nsearch {domain}\\n")
        print(until(address, lambda: gs.gethostbyname("www")))
    """
    )
    assert run(program) == ["True", "True"]


def test_19_and_23_services_are_not_read_for_each_call_and_a_changed_hosts_file_counts_soon():
    program = (
        PROGRAM
        + """
    opened = []
    sys.addaudithook(lambda event, arguments: event == "open" and opened.append(str(arguments[0])))
    for _ in range(50):
        gs.getaddrinfo("www.one.test", "http"), gs.getaddrinfo("www.one.test", 80)
    print(opened.count("/etc/services") <= 1)
    for address in ("192.0.2.10", "192.0.2.11"):
        (etc / "hosts").write_text(f"{address} changing.test\\n")
        print(until(address, lambda: gs.gethostbyname("changing.test")))
    """
    )
    assert run(program) == ["True", "True", "True"]


def test_20_results_and_errors_can_be_pickled(dns_server):
    dns_server.add("www.example. 300 A 192.0.2.7")
    with gdns.Resolver(nameservers=[dns_server.address]) as resolver:
        infos = resolver.getaddrinfo("www.example", 80)
        assert pickle.loads(pickle.dumps(infos)) == infos
        with pytest.raises(gdns.GaiError) as caught:
            resolver.getaddrinfo("none.example", 80)
        with pytest.raises(gdns.HostError) as caught_host:
            resolver.gethostbyaddr("192.0.2.99")
    for error in (caught.value, caught_host.value, gdns.ResolverClosed()):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.args) == (type(error), error.args)
        assert repr(again.outcome) == repr(error.outcome)
    outcome = caught.value.outcome
    assert outcome is not None
    assert pickle.loads(pickle.dumps(outcome)).reply.rcode == outcome.reply.rcode == 3


def test_24_more_than_ten_lookups_are_under_way_at_once_and_nothing_is_printed(dns_server):
    dns_server.fault(None, silent())
    program = """if True:
        import gevent, gevent.socket as gs
        def look(name):
            try:
                gs.gethostbyname(name)
            except (OSError, TypeError) as error:
                return type(error).__name__
        lookups = [gevent.spawn(look, f"n{number}.example") for number in range(100)]
        lookups.append(gevent.spawn(look, None))
        gevent.joinall(lookups)
        print({lookup.value for lookup in lookups[:-1]}, lookups[-1].value)
    """
    said = run(program, GEVENT_RESOLVER_NAMESERVERS=dns_server.address, GEVENT_RESOLVER_TIMEOUT="0.5")
    assert said == ["{'gaierror'} TypeError"]
    first_half_second = {query.name for query in dns_server.queries}
    assert len(first_half_second) == 100
