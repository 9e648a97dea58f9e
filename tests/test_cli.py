"""The gdns command: its grammar as a function, the rest as its users see it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import dns.edns
import dns.message
import dns.rrset
import pytest

from gdns import _wire
from gdns import outcome as status
from gdns.cli import grammar
from gdns.cli.dig import servers_for
from gdns.cli.grammar import Request, UsageError
from gdns.cli.report import Report, as_dig, as_json, failure
from gdns.outcome import Outcome
from gdns.resolvconf import ResolvConf
from gdns.testing import Server, rcode, silent, truncated

ROOT = Path(__file__).parent.parent
PATIENCE = 30.0  # seconds after which a test fails rather than waits on
COMMAND = [sys.executable, "-m", "gdns"]
TYPES = frozenset({"A", "AAAA", "ANY", "MX", "NS", "PTR", "TXT", "TYPE65280"})


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """The command at its end."""
    return subprocess.run([*COMMAND, *words], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)


def start(*words: str) -> subprocess.Popen[str]:
    """The command at its beginning."""
    return subprocess.Popen(
        [*COMMAND, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def steady(text: str) -> str:
    """The output with `*` in the place of what differs from run to run."""
    for pattern in (r"(?<=, id: )\d+", r"(?<=time: )\d+", r"(?<=127\.0\.0\.1#)\d+"):
        text = re.sub(pattern, "*", text)
    return text


# The grammar


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("www.example", Request("www.example")),
        ("www.example MX", Request("www.example", "MX")),
        ("mx www.example", Request("www.example", "MX")),
        ("@127.0.0.1:5353 www.example MX", Request("www.example", "MX", server="127.0.0.1:5353")),
        ("www.example MX @[::1]:53", Request("www.example", "MX", server="[::1]:53")),
        ("CH txt version.bind", Request("version.bind", "TXT", "CH")),
        ("type65280 class4 x.example", Request("x.example", "TYPE65280", "CLASS4")),
        (". ns", Request(".", "NS")),
        ("+short www.example", Request("www.example", is_short=True)),
        ("www.example +short aaaa", Request("www.example", "AAAA", is_short=True)),
        ("--json www.example", Request("www.example", is_json=True)),
        ("-4 www.example", Request("www.example", family=socket.AF_INET)),
        ("www.example -6", Request("www.example", family=socket.AF_INET6)),
        ("--tcp www.example", Request("www.example", is_tcp=True)),
        ("www.example +tcp", Request("www.example", is_tcp=True)),
        ("--timeout 0.5 --attempts 3 www.example", Request("www.example", timeout=0.5, attempts=3)),
        ("www.example +timeout=2 +tries=1", Request("www.example", timeout=2.0, attempts=1)),
        ("-x 192.0.2.7", Request("7.2.0.192.in-addr.arpa.", "PTR")),
        ("-x 192.0.2.7 txt", Request("7.2.0.192.in-addr.arpa.", "TXT")),
        ("-x 2001:db8::1", Request("1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa.", "PTR")),
        ("-- demo", Request("demo")),
        ("-- mx", Request("mx")),
        ("-- mx txt", Request("mx", "TXT")),
        ("txt -- -name.example", Request("-name.example", "TXT")),
        ("+short -- @.example", Request("@.example", is_short=True)),
    ],
)
def test_the_words_of_a_lookup_come_in_any_order(words: str, expected: Request) -> None:
    assert grammar.read(words.split(), TYPES.__contains__) == expected


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("+short", "no name to look up"),
        ("mx", "MX was read as the type (gdns -- MX looks it up as a name)"),
        ("ch", "CH was read as the class"),
        ("a.example b.example", "one name at a time, not both a.example and b.example"),
        ("a.example mx txt", "one type at a time, not both MX and TXT"),
        ("@127.0.0.1 @127.0.0.2 a.example", "one server at a time"),
        ("@ a.example", "the server is empty"),
        ("-x host.example", "-x takes an IPv4 or IPv6 address, which 'host.example' is not"),
        ("-x 192.0.2.7 a.example", "one name at a time"),
        ("-4 -6 a.example", "not allowed with"),
        ("+short --json a.example", "not allowed with"),
        ("+shirt a.example", "unrecognized arguments: +shirt"),
        ("--tc a.example", "unrecognized arguments: --tc"),
        ("-5 a.example", "unrecognized arguments: -5"),
        ("--timeout 0 a.example", "0 is not a positive number of seconds"),
        ("--timeout inf a.example", "inf is not a positive number of seconds"),
        ("--timeout soon a.example", "soon is not a positive number of seconds"),
        ("--attempts 0 a.example", "0 is not a whole number from 1 up"),
        ("--attempts 1.5 a.example", "1.5 is not a whole number from 1 up"),
        ("a.example --timeout", "expected one argument"),
    ],
)
def test_words_that_make_no_lookup_are_refused_with_the_reason(words: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        grammar.read(words.split(), TYPES.__contains__)
    assert said in str(caught.value)


# What is printed


def test_a_reply_is_printed_as_dig_prints_it(dns_server: Server) -> None:
    dns_server.add("example. 60 MX 10 mail.example.", "example. 60 MX 20 mail2.example.")
    done = run(f"@{dns_server.address}", "example", "MX")
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        steady(done.stdout)
        == """\
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: *
;; flags: qr aa rd ra; QUERY: 1, ANSWER: 2, AUTHORITY: 0, ADDITIONAL: 0

;; QUESTION SECTION:
;example. IN MX

;; ANSWER SECTION:
example. 60 IN MX 10 mail.example.
example. 60 IN MX 20 mail2.example.

;; Query time: * msec
;; SERVER: 127.0.0.1#*(127.0.0.1) (UDP)
;; MSG SIZE  rcvd: 82
"""
    )


def test_a_negative_answer_is_printed_with_its_authority(dns_server: Server) -> None:
    done = run(f"@{dns_server.address}", "nowhere.example")
    assert (done.returncode, done.stderr) == (1, "gdns: nowhere.example: no such name (NXDOMAIN)\n")
    assert "status: NXDOMAIN" in done.stdout
    assert ";; AUTHORITY SECTION:\nexample. 60 IN SOA " in done.stdout


def test_a_name_without_the_type_is_a_negative_answer_too(dns_server: Server) -> None:
    dns_server.add("www.example. 60 A 192.0.2.7")
    done = run(f"@{dns_server.address}", "www.example", "MX")
    assert (done.returncode, done.stderr) == (1, "gdns: www.example: no MX records\n")
    assert "status: NOERROR" in done.stdout


def test_short_is_the_data_alone_aliases_first(zone_server: Server) -> None:
    done = run(f"@{zone_server.address}", "chain1.example", "+short")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "chain2.example.\nchain3.example.\nwww.example.\n192.0.2.80\n"


def test_short_prints_nothing_of_a_negative_answer(dns_server: Server) -> None:
    done = run(f"@{dns_server.address}", "nowhere.example", "+short")
    assert (done.returncode, done.stdout) == (1, "")


def test_json_is_one_object(dns_server: Server) -> None:
    dns_server.add("alias.example. 60 CNAME www.example.", "www.example. 30 A 192.0.2.7")
    done = run(f"@{dns_server.address}", "alias.example", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert 0 < found.pop("elapsed") < PATIENCE
    assert found == {
        "name": "alias.example.",
        "type": "A",
        "class": "IN",
        "status": "NOERROR",
        "flags": ["qr", "aa", "rd", "ra"],
        "answers": [
            {"name": "alias.example.", "ttl": 60, "class": "IN", "type": "CNAME", "data": "www.example."},
            {"name": "www.example.", "ttl": 30, "class": "IN", "type": "A", "data": "192.0.2.7"},
        ],
        "authority": [],
        "server": dns_server.address,
        "transport": "udp",
        "attempts": 1,
        "size": 83,
        "ede": [],
    }


def test_json_has_the_same_members_where_nobody_answered(dns_server: Server) -> None:
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault("silent.example.", silent())
    answered = json.loads(run(f"@{dns_server.address}", "www.example", "--json").stdout)
    done = run(f"@{dns_server.address}", "silent.example", "--json", "--timeout", "0.05")
    missed = json.loads(done.stdout)
    assert done.returncode == 3
    assert missed.keys() == answered.keys()
    assert (missed["status"], missed["transport"], missed["size"]) == ("TIMEOUT", None, None)


def test_edns_and_its_extended_errors_are_printed() -> None:
    query = dns.message.make_query("www.example.", "A", use_edns=0)
    response = dns.message.make_response(query, our_payload=1232)
    response.use_edns(0, 0, 1232, options=[dns.edns.EDEOption(22, "all are down")])
    response.set_rcode(dns.rcode.SERVFAIL)
    wire = response.to_wire()
    question = _wire.Question("www.example.", 1)
    reply = _wire.read(wire, question)
    assert isinstance(reply, _wire.Reply)
    outcome = Outcome(question, status.SERVFAIL, reply, "192.0.2.53:53", 2, 0.25, "", "udp")
    report = Report(Request("www.example"), outcome, dns.message.from_wire(wire))
    assert "ADDITIONAL: 1\n\n;; OPT PSEUDOSECTION:\n; EDNS: version: 0, flags:; udp: 1232\n; EDE 22" in (
        as_dig(report)
    )
    assert json.loads(as_json(report))["ede"] == [{"code": 22, "text": "all are down"}]
    assert failure(report, ["192.0.2.53:53"]) == (
        "no answer for www.example A: 192.0.2.53:53 said SERVFAIL (EDE 22: all are down) (2 attempts)"
    )


# What is asked


def test_a_truncated_answer_is_fetched_over_tcp_and_the_output_says_so(dns_server: Server) -> None:
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault("www.example.", truncated())
    done = run(f"@{dns_server.address}", "www.example")
    assert done.returncode == 0
    assert "(127.0.0.1) (TCP)" in done.stdout


def test_tcp_is_used_from_the_start_where_it_is_asked_for(dns_server: Server) -> None:
    dns_server.add("www.example. 60 A 192.0.2.7")
    assert run(f"@{dns_server.address}", "www.example", "--tcp").returncode == 0
    assert [query.transport for query in dns_server.queries] == ["tcp"]


def test_an_address_is_looked_up_backwards(zone_server: Server) -> None:
    assert run(f"@{zone_server.address}", "-x", "192.0.2.80", "+short").stdout == "www.example.\n"


def test_a_name_that_is_not_ascii_is_asked_for_as_its_a_label(zone_server: Server) -> None:
    assert run(f"@{zone_server.address}", "bücher.example", "+short").stdout == "192.0.2.30\n"


def test_a_server_may_be_called_by_its_name(dns_server: Server) -> None:
    dns_server.add("www.example. 60 A 192.0.2.7")
    assert run(f"@localhost:{dns_server.port}", "-4", "www.example", "+short").stdout == "192.0.2.7\n"


@pytest.mark.parametrize(
    ("family", "hosts"),
    [
        (socket.AF_UNSPEC, ["192.0.2.1", "2001:db8::1"]),
        (socket.AF_INET, ["192.0.2.1"]),
        (socket.AF_INET6, ["2001:db8::1"]),
    ],
)
def test_of_the_configured_servers_only_those_of_the_family_are_asked(family: int, hosts: list[str]) -> None:
    resolv_conf = ResolvConf(nameservers=("192.0.2.1", "2001:db8::1"))
    servers = servers_for(Request("www.example", family=family), resolv_conf)
    assert [server.host for server in servers] == hosts


def test_a_special_use_name_is_answered_without_a_server(dns_server: Server) -> None:
    done = run(f"@{dns_server.address}", "localhost")
    assert done.returncode == 0
    assert "localhost. 10800 IN A 127.0.0.1\n" in done.stdout
    assert ";; SERVER: none" in done.stdout
    assert dns_server.questions == []


def test_two_dashes_make_a_name_of_a_verb(dns_server: Server) -> None:
    run(f"@{dns_server.address}", "--attempts", "1", "--", "demo")
    assert dns_server.questions == [("demo.", "A")]


# Failure


def test_silence_is_reported_in_one_line(dns_server: Server) -> None:
    dns_server.fault(None, silent())
    done = run(f"@{dns_server.address}", "www.example", "--timeout", "0.1", "--attempts", "2")
    assert (done.returncode, done.stdout) == (3, "")
    assert re.fullmatch(
        rf"gdns: no answer for www\.example A: {re.escape(dns_server.address)} "
        r"did not answer within 0\.[2-9] s \(2 attempts\)\n",
        done.stderr,
    )


def test_a_refusing_port_is_reported_in_one_line(dns_server: Server) -> None:
    dns_server.stop_listening()
    try:
        done = run(f"@{dns_server.address}", "www.example", "--attempts", "1")
    finally:
        dns_server.resume()
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"gdns: no answer for www.example A: {dns_server.address} cannot be reached "
        "(Connection refused; 1 attempt)\n"
    )


def test_the_reply_of_a_server_in_trouble_is_printed_although_it_is_no_answer(dns_server: Server) -> None:
    dns_server.fault(None, rcode("SERVFAIL"))
    done = run(f"@{dns_server.address}", "www.example", "--attempts", "1")
    assert done.returncode == 3
    assert "status: SERVFAIL" in done.stdout
    assert done.stderr == (
        f"gdns: no answer for www.example A: {dns_server.address} said SERVFAIL (1 attempt)\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["a..example"],
        ["a" * 64 + ".example"],
        ["bad\\999.example"],
        ["\udcff.example"],
        ["www.example", "ANY"],
        ["www.example", "AXFR"],
        ["www.example", "CLASS65536"],
        ["www.example", "-6"],
        ["www.example", "--attempts", "5000"],
        ["www.example", "--frobnicate"],
        ["mx"],
    ],
    ids=ascii,
)
def test_bad_words_get_one_line_and_nothing_is_sent(dns_server: Server, words: list[str]) -> None:
    done = run(f"@{dns_server.address}", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"gdns: .*\(see gdns --help\)\n", done.stderr)
    assert dns_server.questions == []


@pytest.mark.parametrize("server", ["127.0.0.1:99999", "127.0.0", "ftp://127.0.0.1", "[::1", "ns.invalid"])
def test_a_bad_server_gets_one_line(server: str) -> None:
    done = run(f"@{server}", "www.example")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"gdns: name server '{re.escape(server)}': .*\(see gdns --help\)\n", done.stderr)


def test_ctrl_c_ends_it_without_a_word(dns_server: Server) -> None:
    dns_server.fault(None, silent())
    with start(f"@{dns_server.address}", "www.example", "--timeout", "60") as running:
        dns_server.wait_for_query("www.example.", timeout=PATIENCE)
        running.send_signal(signal.SIGINT)
        assert running.communicate(timeout=PATIENCE) == ("", "")
    assert running.returncode == 130


def test_a_reader_that_has_gone_is_no_reason_to_complain(zone_server: Server) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*COMMAND, f"@{zone_server.address}", "huge.example"],
            cwd=ROOT,
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


# About itself


def test_without_words_it_says_how_it_is_used() -> None:
    done = run()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: gdns [@server[:port]] [type] [class] name")


def test_help_lists_the_verbs_and_the_exit_statuses() -> None:
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\n  demo " in done.stdout
    assert "exit status: 0 answered" in done.stdout


def test_version_names_the_c_ares_in_use_and_its_file() -> None:
    done = run("--version")
    found = re.fullmatch(r"gdns \d+\.\d+\.\d+\S*, c-ares 1\.\d+\.\d+ from (.+)\n", done.stdout)
    assert found is not None
    assert Path(found[1]).is_file()
