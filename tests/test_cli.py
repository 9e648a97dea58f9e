"""The gdns command: its grammar as a function, the rest as its users see it."""

from __future__ import annotations

import doctest
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import dns.edns
import dns.message
import dns.name
import dns.rrset
import pytest

import gdns
from gdns import _wire, cli
from gdns import outcome as status
from gdns.cli import VERBS, Verb, advisories, chart, dig, digform, grammar, paint, plus
from gdns.cli.digform import as_dig
from gdns.cli.grammar import Request, Shown
from gdns.cli.nameservers import servers_for
from gdns.cli.paint import paint_for
from gdns.cli.plus import PLUS, REFUSED
from gdns.cli.report import Report, as_json, failure
from gdns.cli.usage import UsageError
from gdns.outcome import Outcome
from gdns.resolvconf import ResolvConf
from gdns.testing import Server, cookies, rcode, silent, truncated
from tests.command import call
from tests.test_records import serving
from tests.test_system import WITHOUT_EXTENSIONS

ROOT = Path(__file__).parent.parent
PATIENCE = 30.0  # seconds after which a test fails rather than waits on
COMMAND = [sys.executable, "-m", "gdns"]
TYPES = frozenset({"A", "AAAA", "ANY", "MX", "NS", "PTR", "TXT", "TYPE65280"})


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """The command at its end."""
    done = call(*words)
    return subprocess.CompletedProcess(words, done.status, done.out, done.err)


def run_alone(*words: str) -> subprocess.CompletedProcess[str]:
    """The command at its end, in a process of its own."""
    return subprocess.run([*COMMAND, *words], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)


def start(*words: str) -> subprocess.Popen[str]:
    """The command at its beginning."""
    return subprocess.Popen(
        [*COMMAND, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def steady(text: str) -> str:
    """The output with `*` in the place of what differs from run to run."""
    for pattern in (
        r"(?<=, id: )\d+",
        r"(?<=time: )\d+",
        r"(?<=127\.0\.0\.1#)\d+",
        r"(?<=WHEN: ).+",
        r"(?<=COOKIE: )\w+",
    ):
        text = re.sub(pattern, "*", text)
    return text


# The grammar


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("www.example", Request("www.example")),
        ("www.example MX", Request("www.example", "MX")),
        ("mx www.example", Request("www.example", "MX")),
        ("@127.0.0.1:5300 www.example MX", Request("www.example", "MX", server="127.0.0.1:5300")),
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
        ("www.example +time=2 +retry=0", Request("www.example", timeout=2.0, attempts=1)),
        ("www.example +vc", Request("www.example", is_tcp=True)),
        ("www.example +tcp +notcp", Request("www.example")),
        ("--json --color=never www.example", Request("www.example", is_json=True, color="never")),
        ("-t mx www.example -c ch", Request("www.example", "MX", "CH")),
        ("-q mx -t txt", Request("mx", "TXT")),
        ("-p 5300 @192.0.2.53 www.example", Request("www.example", server="192.0.2.53", port=5300)),
        ("-b 192.0.2.9#5300 www.example", Request("www.example", source="192.0.2.9", source_port=5300)),
        ("-b ::1 www.example", Request("www.example", source="::1")),
        (
            "+dnssec +norec +cd +ad www.example",
            Request(
                "www.example",
                wants_dnssec=True,
                wants_recursion=False,
                checking_disabled=True,
                authentic_data=True,
            ),
        ),
        (
            "+edns=0 +nsid +subnet=192.0.2.0/24 www.example",
            Request("www.example", edns=True, wants_nsid=True, subnet="192.0.2.0/24"),
        ),
        ("+noedns www.example", Request("www.example", edns=False)),
        (
            "+search +ndots=3 +domain=Corp.example www",
            Request("www", search=True, ndots=3, domain="Corp.example"),
        ),
        ("+noall +ans www.example", Request("www.example", shown=Shown(*[False] * 3, True, *[False] * 3))),
        (
            "+nocomm +nottl +multi www.example",
            Request("www.example", shown=Shown(comments=False, ttl=False, multiline=True)),
        ),
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
        ("+shirt a.example", "unrecognized option +shirt: gdns --help lists those there are"),
        ("+ a.example", "unrecognized option +"),
        ("+no a.example", "unrecognized option +no"),
        ("+dns a.example", "+dns could be +dns64prefix or +dnssec: write more of it"),
        ("+trace a.example", "+trace is not for gdns: gdns asks resolvers only"),
        ("+yaml a.example", "use --json"),
        ("+nosplit a.example", "+nosplit is not for gdns"),
        ("+time a.example", "+time needs a value: +timeout=S"),
        ("+time=soon a.example", "+time=soon: soon is not a positive number of seconds"),
        ("+notime a.example", "+notime means nothing"),
        ("+short=1 a.example", "+short takes no value; leave out =1"),
        ("+edns=1 a.example", "version 0 is the only one of EDNS"),
        ("-t FOO a.example", "-t FOO: there is no such type; one without a name is written TYPE65280"),
        ("-c FOO a.example", "-c FOO: there is no such class"),
        ("-p 0 a.example", "0 is not a port from 1 to 65535"),
        ("-b 192.0.2.1#x a.example", "-b: x is not a port"),
        ("-f names.txt", "-f is not for gdns: `gdns bulk FILE` looks up the names in a file"),
        ("-y hmac:key:secret a.example", "-y is not for gdns: gdns does not sign queries (TSIG); use dig"),
        ("--color=mauve a.example", "invalid choice: 'mauve'"),
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


def test_every_option_of_dig_is_obeyed_or_told_what_to_do_instead() -> None:
    theirs = subprocess.run(["dig", "-h"], capture_output=True, text=True) if shutil.which("dig") else None
    if theirs is None:
        pytest.skip("dig is not installed")
    names = re.findall(r"^\s*\+\[?(?:no\]?)?([\w-]+)", theirs.stdout, re.MULTILINE)
    assert len(names) > 50
    known = {*PLUS, *REFUSED, *plus.SAME}
    assert len([name for name in names if name not in known]) < 5  # of a newer dig
    for name in known.intersection(names):
        value = {"retry": "=1", "time": "=1", "timeout": "=1", "tries": "=1", "ndots": "=1"}.get(name, "")
        value = value or ("=x" if PLUS.get(plus.SAME.get(name, name), ("", "", ""))[2] else "")
        words = [f"+{name}{value}", "www.example"]
        if plus.SAME.get(name, name) in REFUSED:
            with pytest.raises(UsageError, match=f"\\+{name} is not for gdns: "):
                grammar.read(words, TYPES.__contains__)
        else:
            assert grammar.read(words, TYPES.__contains__).name == "www.example"


@pytest.mark.parametrize(
    ("text", "port", "expected"),
    [
        ("192.0.2.1", None, "192.0.2.1:53"),
        ("192.0.2.1:5300", None, "192.0.2.1:5300"),
        ("192.0.2.1#5300", None, "192.0.2.1:5300"),
        ("192.0.2.1", 5300, "192.0.2.1:5300"),
        ("tcp://192.0.2.1", 5300, "192.0.2.1:5300"),
        ("2001:db8::1", None, "[2001:db8::1]:53"),
        ("2001:db8::1#5300", None, "[2001:db8::1]:5300"),
        ("[2001:db8::1]:5300", None, "[2001:db8::1]:5300"),
        ("2001:db8::1", 5300, "[2001:db8::1]:5300"),
        ("localhost#5300", None, "127.0.0.1:5300"),
        ("localhost:5300", None, "127.0.0.1:5300"),
        ("localhost", 5300, "127.0.0.1:5300"),
    ],
)
def test_a_server_is_written_with_its_port_in_any_way(text: str, port: int | None, expected: str) -> None:
    family = socket.AF_INET if "localhost" in text else socket.AF_UNSPEC
    assert [str(server) for server in servers_for(text, family, port, ResolvConf())] == [expected]


def test_a_port_is_given_once() -> None:
    for text in ("192.0.2.1:53", "192.0.2.1#53", "[::1]:53", "localhost:53", "tcp://192.0.2.1:53"):
        with pytest.raises(UsageError, match="given twice: leave out -p"):
            servers_for(text, socket.AF_UNSPEC, 5300, ResolvConf())


# What is printed


COMPARED = (
    "www.example",
    "www.example AAAA +dnssec",
    "example MX",
    "example TXT",
    "example SOA +multiline",
    "nope.example",
    "a-very-long-name-indeed.example",
    "www.example +noall +answer",
    "+noall +ans +auth nope.example",
    "www.example +short",
    "www.example +nottlid",
    "www.example +noclass",
    "www.example +nottlid +noclass",
    "www.example +ttlunits",
    "www.example +nostats +noquestion",
    "www.example +norecurse +cdflag",
    "www.example +tcp",
    "-x 192.0.2.7",
    "-t mx example",
    "-q example -t txt",
    "cookies.example +edns=0",
)


@pytest.mark.skipif(shutil.which("dig") is None, reason="dig is not installed")
def test_the_output_is_digs_to_the_letter(dns_server: Server) -> None:
    dns_server.reset(
        {
            "www.example.": {"A": ["192.0.2.7", "192.0.2.8"], "AAAA": "2001:db8::7"},
            "a-very-long-name-indeed.example.": {"CNAME": "www.example."},
            "example.": {
                "SOA": "ns.example. host.example. 1 7200 900 1209600 300",
                "MX": ["10 mail.example.", "20 mail2.example."],
                "TXT": '"a b" "c;d"',
            },
        }
    )
    dns_server.fault("cookies.example.", cookies())

    def body(text: str) -> str:
        """Without the first lines, which name the program."""
        at = text.find(";; Got answer:")
        return steady(text[at:] if at >= 0 else "\n".join(text.splitlines()[-9:])).strip()

    def as_dig_has_it(words: list[str]) -> tuple[str, str]:
        # dig has EDNS, cookies and AD on by default
        quiet = ["+noad", "+noedns"] if not {"+dnssec", "+edns=0"} & {*words} else ["+noad"]
        quiet += ["+nocookie"] if "+dnssec" in words else []
        command = ["dig", f"@{dns_server.host}", "-p", str(dns_server.port), *quiet, *words]
        theirs = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        return body(theirs.stdout), body(call(f"@{dns_server.address}", "--color=never", *words).out)

    for line in COMPARED:
        theirs, ours = as_dig_has_it(line.split())
        assert ours == theirs, line


def test_a_reply_is_printed_as_dig_prints_it(dns_server: Server) -> None:
    dns_server.add("example. 60 MX 10 mail.example.", "example. 60 MX 20 mail2.example.")
    done = run_alone(f"@{dns_server.address}", "example", "MX")
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        steady(done.stdout)
        == f"""\

; <<>> gdns {gdns.__version__} <<>> @{dns_server.address} example MX
;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: *
;; flags: qr aa rd ra; QUERY: 1, ANSWER: 2, AUTHORITY: 0, ADDITIONAL: 0

;; QUESTION SECTION:
;example.\t\t\tIN\tMX

;; ANSWER SECTION:
example.\t\t60\tIN\tMX\t10 mail.example.
example.\t\t60\tIN\tMX\t20 mail2.example.

;; Query time: * msec
;; SERVER: 127.0.0.1#*(127.0.0.1) (UDP)
;; WHEN: *
;; MSG SIZE  rcvd: 82

"""
    )


def test_a_negative_answer_is_printed_with_its_authority(dns_server: Server) -> None:
    done = run(f"@{dns_server.address}", "nowhere.example")
    assert done.returncode == 1
    assert done.stderr == (
        "gdns: nowhere.example: no such name (NXDOMAIN); "
        "`gdns explain` shows what else the system would try\n"
    )
    assert "status: NXDOMAIN" in done.stdout
    assert ";; AUTHORITY SECTION:\nexample.\t\t60\tIN\tSOA\t" in done.stdout


def test_a_name_without_the_type_is_a_negative_answer_too(dns_server: Server) -> None:
    dns_server.add("www.example. 60 A 192.0.2.7")
    done = run(f"@{dns_server.address}", "www.example", "MX")
    assert (done.returncode, done.stderr) == (
        1,
        "gdns: www.example: no MX records; ask for another type with -t\n",
    )
    assert "status: NOERROR" in done.stdout


def test_short_is_the_data_alone_aliases_first(zone_server: Server) -> None:
    done = run(f"@{zone_server.address}", "chain1.example", "+short")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "chain2.example.\nchain3.example.\nwww.example.\n192.0.2.80\n"


def test_short_says_who_said_so_where_that_is_asked_for(zone_server: Server) -> None:
    done = run(f"@{zone_server.address}", "www.example", "+short", "+identify")
    assert re.fullmatch(r"192\.0\.2\.80 from server 127\.0\.0\.1 in \d+ ms\.\n", done.stdout)


def test_an_address_without_a_name_points_to_the_hosts_file(dns_server: Server) -> None:
    dns_server.add("2.0.192.in-addr.arpa. 60 SOA ns.example. root.example. 1 1 1 1 1")
    done = run(f"@{dns_server.address}", "-x", "192.0.2.99")
    assert done.returncode == 1
    assert "the hosts file may know the address: see `getent hosts`" in done.stderr


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
        "additional": [],
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
    assert (
        "ADDITIONAL: 1\n\n;; OPT PSEUDOSECTION:\n; EDNS: version: 0, flags:; udp: 1232\n"
        "; EDE: 22 (No Reachable Authority): (all are down)\n"
    ) in as_dig(report)
    assert json.loads(as_json(report))["ede"] == [{"code": 22, "text": "all are down"}]
    assert failure(report, ["192.0.2.53:53"]) == (
        "no answer for www.example A: 192.0.2.53:53 said SERVFAIL (EDE 22: all are down) (2 attempts); "
        "ask another @server; `gdns doctor` shows how each is doing"
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
    servers = servers_for(None, family, None, resolv_conf)
    assert [server.host for server in servers] == hosts


def test_a_port_of_its_own_is_that_of_the_configured_servers() -> None:
    servers = servers_for(None, socket.AF_UNSPEC, 5353, ResolvConf(nameservers=("192.0.2.1", "2001:db8::1")))
    assert list(map(str, servers)) == ["192.0.2.1:5353", "[2001:db8::1]:5353"]


def test_a_special_use_name_is_answered_without_a_server(dns_server: Server) -> None:
    done = run(f"@{dns_server.address}", "localhost")
    assert done.returncode == 0
    assert "localhost.\t\t10800\tIN\tA\t127.0.0.1\n" in done.stdout
    assert ";; SERVER: none" in done.stdout
    assert dns_server.questions == []


def test_two_dashes_make_a_name_of_a_verb(dns_server: Server) -> None:
    run(f"@{dns_server.address}", "--attempts", "1", "--", "demo")
    assert dns_server.questions == [("demo.", "A")]


# Failure


def test_silence_is_reported_in_one_line(dns_server: Server) -> None:
    dns_server.fault(None, silent())
    done = run_alone(f"@{dns_server.address}", "www.example", "--timeout", "0.1", "--attempts", "2")
    assert (done.returncode, done.stdout) == (3, "")
    assert re.fullmatch(
        rf"gdns: no answer for www\.example A: {re.escape(dns_server.address)} "
        r"did not answer within 0\.[2-9] s \(2 attempts\); try --tcp or another @server; "
        r"`gdns doctor` shows who answers\n",
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
        "(Connection refused; 1 attempt); check address and port; `gdns doctor` shows who answers\n"
    )


def test_the_reply_of_a_server_in_trouble_is_printed_although_it_is_no_answer(dns_server: Server) -> None:
    dns_server.fault(None, rcode("SERVFAIL"))
    done = run(f"@{dns_server.address}", "www.example", "--attempts", "1")
    assert done.returncode == 3
    assert "status: SERVFAIL" in done.stdout
    assert done.stderr == (
        f"gdns: no answer for www.example A: {dns_server.address} said SERVFAIL (1 attempt); "
        "ask another @server; `gdns doctor` shows how each is doing\n"
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
        ["www.example", "+subnet=192.0.2.0/33"],
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
    done = run_alone()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: gdns [@server] [type] [class] name")


def test_help_lists_the_verbs_and_the_exit_statuses() -> None:
    done = run_alone("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\n  demo " in done.stdout
    assert "exit status: 0 answered" in done.stdout


def test_version_names_the_c_ares_in_use_and_its_file() -> None:
    done = run_alone("--version")
    found = re.fullmatch(
        r"gdns \d+\.\d+\.\d+\S*\nc-ares 1\.\d+\.\d+ from (.+)\nPython 3\.\S+ \(\w+\)\n"
        r"greenlet \S+, gevent \S+, eventlet \S+, dnspython \S+, pycares \S+\n",
        done.stdout,
    )
    assert found is not None
    assert Path(found[1]).is_file()


@pytest.mark.parametrize(("word", "verb"), [("bulks", "bulk"), ("docter", "doctor"), ("Serve", "serve")])
def test_a_name_that_is_nearly_a_verb_gets_a_hint_once_it_is_not_found(
    dns_server: Server, word: str, verb: str
) -> None:
    done = call(f"@{dns_server.address}", word)
    assert "did you mean" not in done.err  # whoever names a server first meant a name
    done = call(word, f"@{dns_server.address}")
    assert done.status == dig.NO_SERVER
    assert done.err.endswith(f"gdns: {word} was looked up as a name; did you mean the verb, gdns {verb}?\n")
    done = call(word, "names.txt", f"@{dns_server.address}")
    assert done.status == 2
    assert f"did you mean the verb, gdns {verb}?" in done.err


def test_a_name_that_is_like_no_verb_gets_none(dns_server: Server) -> None:
    assert "did you mean" not in call("nowhere.example", f"@{dns_server.address}").err
    dns_server.add("bulky. 60 A 192.0.2.7")
    assert call("bulky", "+short", f"@{dns_server.address}") == (0, "192.0.2.7\n", "")


def test_every_verb_has_its_help() -> None:
    for verb in VERBS:
        done = call(verb, "--help")
        assert (done.status, done.err) == (0, ""), verb
        assert done.out.startswith(f"usage: gdns {verb} "), verb


def test_a_bug_is_one_line_that_asks_for_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VERBS, "demo", Verb("gdns.cli.nowhere", ""))
    missing = call("demo")
    assert (missing.status, missing.out) == (3, "")
    assert re.fullmatch(r"gdns: .*; install gdns-resolver and pycares again.*\n", missing.err)
    monkeypatch.setitem(VERBS, "demo", Verb("gdns.cli.table", ""))  # which has no main
    bug = call("demo")
    assert (bug.status, bug.out) == (70, "")
    assert re.fullmatch(r"gdns: this is a bug of gdns, please report it.*AttributeError.*\n", bug.err)
    monkeypatch.setenv("GDNS_TRACEBACK", "1")
    assert "Traceback" in call("demo").err


def test_the_examples_in_docstrings_are_right() -> None:
    tried = [doctest.testmod(module) for module in (cli, advisories, chart, digform, paint)]
    assert [result.failed for result in tried] == [0] * 5
    assert all(result.attempted for result in tried)


# In colour


def test_colour_is_for_terminals_and_who_asks_for_it(dns_server: Server) -> None:
    dns_server.add("www.example. 60 A 192.0.2.7")
    at = f"@{dns_server.address}"
    plain = call(at, "www.example", "+short")
    assert plain.out == "192.0.2.7\n"
    painted = call(at, "www.example", "+short", "--color=always")
    assert painted.out == "\x1b[32m192.0.2.7\x1b[0m\n"
    whole = call(at, "www.example", "--color", "always").out
    assert (
        steady(re.sub(r"\x1b\[[\d;]*m", "", whole)).splitlines()[2:]
        == (steady(call(at, "www.example").out).splitlines()[2:])
    )


def test_a_terminal_gets_colour_unless_the_environment_says_no() -> None:
    controller, terminal = os.openpty()
    with open(controller, "rb"), open(terminal, "w") as stream:
        assert paint_for("auto", stream, {"TERM": "xterm"}).is_on
        assert not paint_for("auto", stream, {"TERM": "xterm", "NO_COLOR": "1"}).is_on
        assert paint_for("always", stream, {"NO_COLOR": "1"}).is_on
        assert not paint_for("auto", stream, {"TERM": "dumb"}).is_on
        assert not paint_for("never", stream, {"TERM": "xterm"}).is_on


def test_what_strangers_write_never_reaches_the_terminal_as_commands(dns_server: Server) -> None:
    done = call(f"@{dns_server.address}", "a\x1b[2Jb.example")
    assert "\x1b" not in done.out + done.err


# What is asked with options


def test_dnssec_and_edns_are_asked_for(dns_server: Server) -> None:
    dns_server.add("www.example. 60 A 192.0.2.7")
    at = f"@{dns_server.address}"
    assert "; EDNS: version: 0, flags: do; udp:" in call(at, "www.example", "+dnssec").out
    assert "; EDNS: version: 0, flags:; udp:" in call(at, "www.example", "+edns").out
    assert "EDNS" not in call(at, "www.example", "+noedns").out
    assert [query.edns for query in dns_server.queries] == [True, True, False]


@pytest.mark.parametrize(
    ("word", "subnet"),
    [("192.0.2.9/24", "192.0.2.0/24"), ("2001:db8::/56", "2001:db8::/56"), ("0", "0.0.0.0/0")],
)
def test_edns_options_are_sent_and_those_that_come_back_are_printed(word: str, subnet: str) -> None:
    seen: list[list[str]] = []

    def respond(query: dns.message.Message, transport: str) -> dns.message.Message:
        kept = [option for option in query.options if option.otype != dns.edns.OptionType.COOKIE]
        seen.append([option.to_text() for option in kept])
        response = dns.message.make_response(query)
        address, _, bits = subnet.partition("/")
        response.use_edns(
            0,
            options=[
                dns.edns.GenericOption(dns.edns.OptionType.NSID, b"ns1\x07"),
                dns.edns.ECSOption(address, int(bits), 20),
                dns.edns.EDEOption(65000),
                dns.edns.GenericOption(65001, b"a\x1b"),
                dns.edns.GenericOption(65002, b""),
                dns.edns.ReportChannelOption(dns.name.from_text("agent.example.")),
            ],
        )
        return response

    with serving(respond) as server:
        done = run(f"@{server}", "www.example", "+nsid", f"+subnet={word}", "+notcp")
    assert seen == [["NSID ", f"ECS {subnet} scope/0"]]
    section = done.stdout.partition(";; OPT PSEUDOSECTION:\n")[2].partition(";; QUESTION")[0]
    assert section.splitlines()[1:] == [
        '; NSID: 6e 73 31 07 ("ns1.")',
        f"; CLIENT-SUBNET: {subnet}/20",
        "; EDE: 65000",
        '; OPT=65001: 61 1b ("a.")',
        "; OPT=65002",
        "; REPORTCHANNEL agent.example.",
    ]


def test_flags_search_list_and_source_port_are_those_asked_for(dns_server: Server) -> None:
    dns_server.add("www.corp.example. 60 A 192.0.2.7")
    at = f"@{dns_server.address}"
    assert call(at, "www", "+domain=corp.example", "+short").out == "192.0.2.7\n"
    dns_server.clear()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    call(at, "www.corp.example", "+norec", "+cd", "+ad", "-b", f"127.0.0.1#{port}")
    (query,) = dns_server.queries
    assert (query.flags & 0x0130, query.port) == (0x0030, port)


def test_a_source_that_is_not_of_this_host_gets_one_line(dns_server: Server) -> None:
    done = call(f"@{dns_server.address}", "www.example", "-b", "192.0.2.99")
    assert (done.status, done.out) == (2, "")
    assert "-b 192.0.2.99: " in done.err
    assert "leave it out, or name one of this host" in done.err


# Without the engine


def test_without_the_extension_modules_it_says_so_and_the_rest_still_serves() -> None:
    def run_without(*words: str) -> subprocess.CompletedProcess[str]:
        program = f"{WITHOUT_EXTENSIONS}\nfrom gdns.cli import main\nsys.exit(main({words!r}))"
        command = [sys.executable, "-c", program]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)

    looked_up = run_without("@127.0.0.1", "www.example")
    assert (looked_up.returncode, looked_up.stdout) == (3, "")
    assert re.fullmatch(r"gdns: the engine cannot be loaded: .*; `gdns doctor` says more\n", looked_up.stderr)
    examined = run_without("doctor", "www.example")
    assert examined.returncode == 1
    assert "  problem  gdns' engine cannot be loaded: " in examined.stdout
    assert run_without("--help").returncode == run_without("--version").returncode == 0


# Where the system has nothing to give


@pytest.mark.parametrize(
    ("shell", "status", "said"),
    [
        ("exec >&-; $GDNS localhost", 0, ""),
        ("exec 2>&-; $GDNS", 2, ""),
        (
            "$GDNS localhost > /dev/full",
            3,
            "gdns: No space left on device; make room where the output goes\n",
        ),
    ],
)
def test_output_that_goes_nowhere_is_no_traceback(shell: str, status: int, said: str) -> None:
    environ = os.environ | {"GDNS": f"{sys.executable} -m gdns"}
    done = subprocess.run(
        ["sh", "-c", shell], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=PATIENCE
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, "", said)


def test_too_few_descriptors_are_told_what_to_do(dns_server: Server) -> None:
    program = (
        "import resource, sys, gdns.records, gdns.resolver; from gdns.cli import main, dig, nameservers;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3));"
        f"sys.exit(main(['@{dns_server.address}', 'www.example']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (3, "")
    # before it stands what the library warns of: files that it cannot open
    assert done.stderr.endswith("\ngdns: Too many open files; allow more open files, with `ulimit -n 1024`\n")
    assert "Traceback" not in done.stderr
