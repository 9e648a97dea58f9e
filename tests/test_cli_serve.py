"""`gdns serve`: the test server from the command line, and the grammar of its faults."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdns import Resolver
from gdns.cli import faultwords, serve
from gdns.cli.usage import UsageError
from gdns.testing import delay, drop, healthy, in_turn, malformed, rcode, silent, sometimes, with_edns
from tests.command import call

ROOT = Path(__file__).parent.parent
PATIENCE = 30.0  # seconds after which a test fails rather than waits on


@contextmanager
def serving(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, serving, and the address that it names."""
    command = [sys.executable, "-m", "gdns", "serve", *words]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with running:
        try:
            assert running.stdout is not None
            first = running.stdout.readline()
            found = re.match(r"serving at (\S+), UDP and TCP; Ctrl-C ends it\n", first)
            assert found is not None, first or running.communicate(timeout=PATIENCE)
            yield running, found[1]
        finally:
            running.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_with_faults_logs_queries_and_ends_with_a_summary(number: int, tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    words = ["www.example=192.0.2.7,2001:db8::7", "--fault", "x.example=rcode(SERVFAIL)"]
    with serving(*words, "--resolv-conf", str(conf)) as (running, address):
        assert running.stdout is not None
        with Resolver([address], attempts=1) as resolver:
            assert resolver.gethostbyname("www.example") == "192.0.2.7"
            with pytest.raises(OSError, match="Temporary failure"):
                resolver.gethostbyname("x.example")
        logged = ""
        while not re.search(r"udp from port \d+ x\.example\. A\n", logged):
            line = running.stdout.readline()
            assert line, logged
            logged += line
        assert f"gdns @{address} www.example." in logged
        assert re.search(r"udp from port \d+ www\.example\. A\n", logged)
        assert conf.read_text().endswith("nameserver 127.0.0.1\noptions timeout:1 attempts:2\n")
        running.send_signal(number)
        out, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, err) == (0, "")
    assert re.search(r"\n2 queries \(2 over UDP\)\n +1  www\.example\. A\n +1  x\.example\. A\n$", out)


def test_it_ends_after_so_many_queries(tmp_path: Path) -> None:
    with serving(str(ROOT / "fixtures" / "zones"), "--count", "1", "--quiet") as (running, address):
        with Resolver([address], attempts=1) as resolver:
            resolver.gethostbyname("www.example")
        out, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, err) == (0, "")
    assert "udp from" not in out
    assert "1 query (1 over UDP)" in out


# What is served


def test_zones_are_files_pairs_and_json_together(tmp_path: Path) -> None:
    file = tmp_path / "more.json"
    file.write_text(json.dumps({"b.example": {"MX": [60, ["10 mail.example."]]}, "empty.example": {}}))
    zone = tmp_path / "example.zone"
    found = serve.read_zones(
        [str(zone), "a.example=192.0.2.1,::1", str(file), '{"c.example": {"A": "192.0.2.3"}}']
    )
    assert found.path == str(zone)
    assert found.records == {
        "a.example": {"A": ["192.0.2.1"], "AAAA": ["::1"]},
        "b.example": {"MX": (60, ["10 mail.example."])},
        "empty.example": {},
        "c.example": {"A": "192.0.2.3"},
    }
    assert "b.example 60 IN MX 10 mail.example." in found.lines


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "the following arguments are required: ZONE"),
        (["/nowhere.zone"], "no zone file or folder at /nowhere.zone"),
        (["/nowhere.json"], "/nowhere.json: No such file or directory; name a file that can be read"),
        (["a.example=b"], "'b' is no address; write NAME=ADDRESS[,ADDRESS...]"),
        (["=192.0.2.1"], "has no name in front of the ="),
        (["{"], "the JSON cannot be read"),
        (['{"a": 1}'], "is no object of names and types; write it like"),
        (['{"a": {"A": 1}}'], "a A is no data; write it like"),
        (["fixtures/zones", "fixtures"], "put both in a folder"),
        (["a..b=192.0.2.1"], "A DNS label is empty"),
        (["a=192.0.2.1", "--port", "x"], "x is not a port from 1 to 65535"),
        (["a=192.0.2.1", "--host", "192.0.2.99"], "that is no address of this host: choose another --host"),
        (["a=192.0.2.1", "--host", "here"], "'here' does not appear to be an IPv4 or IPv6 address"),
        (["a=192.0.2.1", "--resolv-conf", "/nowhere/x"], "name a file that can be written"),
        (["a=192.0.2.1", "--fault", "a.example/NOPE=silent"], "'NOPE' is no record type"),
    ],
)
def test_what_cannot_be_served_gets_one_line(words: list[str], said: str) -> None:
    done = call("serve", *words)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert done.err.endswith("(see gdns serve --help)\n")


def test_a_port_that_is_taken_is_told_what_to_do() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        done = call("serve", "a=192.0.2.1", "--port", str(taken.getsockname()[1]))
    assert done.status == 2
    assert "another program has it: choose another --port, or leave it out" in done.err


# The grammar of faults


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("silent", silent()),
        ("silent()", silent()),
        ("drop(0.05) | delay(0.1)", drop(0.05) | delay(0.1)),
        ("delay(1, jitter=0.5)", delay(1, jitter=0.5)),
        ("rcode(SERVFAIL)", rcode("SERVFAIL")),
        ("rcode('SERVFAIL')", rcode("SERVFAIL")),
        ("in_turn(silent, healthy())", in_turn(silent(), healthy())),
        ("sometimes(0.5, delay(0.1) | silent)", sometimes(0.5, delay(0.1) | silent())),
        ("with_edns(malformed('pointer loop'))", with_edns(malformed("pointer loop"))),
        (" (silent) ", silent()),
    ],
)
def test_faults_are_written_as_in_python(text: str, expected: object) -> None:
    assert faultwords.read(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("silent", (None, None, "silent")),
        ("www.example=silent", ("www.example", None, "silent")),
        ("*.example/AAAA = delay(0.1, jitter=0.2)", ("*.example", "AAAA", "delay(0.1, jitter=0.2)")),
        ("delay(0.1, jitter=0.2)", (None, None, "delay(0.1, jitter=0.2)")),
        ("*=silent", (None, None, "silent")),
    ],
)
def test_in_front_of_a_fault_stands_whom_it_is_for(text: str, expected: tuple[str | None, ...]) -> None:
    assert faultwords.split(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "write it like `drop(0.05) | delay(0.1)`"),
        ("nonesuch()", "there is no fault nonesuch; there are broken_edns, "),
        ("delay", "it is written delay(seconds, jitter=0.0)"),
        ("delay('a')", "it is written delay(seconds, jitter=0.0)"),
        ("delay(1, 2, 3)", "it is written delay(seconds, jitter=0.0)"),
        ("delay(-1)", "a delay is a number of seconds"),
        ("cut_at(0.5)", "octets of cut_at(octets) is int, which 0.5 is not"),
        ("cut_at(True)", "octets of cut_at(octets) is int, which True is not"),
        ("in_turn(1)", "all of in_turn(*faults) are faults"),
        ("over_udp('x')", "fault of over_udp(fault) is a fault, which 'x' is not"),
        ("drop(2)", "a probability is between 0 and 1"),
        ("malformed(nonesuch)", "no such kind of malformed"),
        ("__import__('os').system('true')", "is no fault"),
        ("open('/etc/passwd')", "there is no fault open"),
        ("silent() + silent()", "is no fault"),
        ("[silent() for _ in range(9)]", "is no fault"),
        ("delay(**{})", "** is not understood"),
        ("delay(*[1])", "is no fault"),
        ("silent | ", "invalid syntax"),
        ("(" * 300, "write it like"),
        ("-" * 900 + "1", "write it like"),
        ("silent|" * 400 + "silent", "at most 1,000 characters"),
        ("silent\0", "write it like"),
    ],
)
def test_what_is_no_fault_is_told_and_nothing_is_evaluated(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        faultwords.read(text)
    assert said in str(caught.value)


def test_every_fault_can_be_named_and_says_how_it_is_written() -> None:
    assert len(faultwords.kinds()) > 30
    for name in faultwords.kinds():
        assert faultwords.usage(name).startswith(f"{name}(")


PARTS = ("(", ")", ",", "|", "0.1", "=", "seconds", "'x'", "-1", "*", "[")


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.one_of(
        st.text(max_size=40),
        st.lists(
            st.sampled_from([*faultwords.kinds(), *PARTS]),
            max_size=12,
        ).map("".join),
    )
)
def test_any_text_is_a_fault_or_refused(text: str) -> None:
    try:
        faultwords.read(faultwords.split(text)[2])
    except UsageError as error:
        assert "`drop(0.05) | delay(0.1)`" in str(error)  # noqa: PT017 - either is right


WITHOUT_PRIVILEGE = ["setpriv", "--bounding-set=-net_bind_service,-dac_override,-dac_read_search"]


@pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("setpriv") is None, reason="root cannot become less here"
)
def test_what_is_not_permitted_is_told_with_what_to_do(tmp_path: Path) -> None:
    secret = tmp_path / "secret.zone"
    secret.write_text("")
    os.chown(secret, 65534, 65534)
    secret.chmod(0)

    def serve_without(*words: str) -> str:
        command = [*WITHOUT_PRIVILEGE, sys.executable, "-m", "gdns", "serve", *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
        assert (done.returncode, done.stdout) == (2, "")
        return done.stderr

    lowest = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if lowest > 53:
        said = serve_without("a.example=192.0.2.1", "--port", "53")
        assert "Permission denied; only root may have it: choose --port 5300" in said
    assert f"{secret}: Permission denied; name a file that can be read" in serve_without(str(secret))
    assert "Permission denied; name a file that can be read" in serve_without(str(tmp_path))
