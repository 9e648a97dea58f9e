"""`gdns bulk`: names in, lines of JSON out, whatever happens on the way."""

from __future__ import annotations

import json
import os
import platform
import pty
import resource
import shlex
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import sleep
from typing import Any

import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import dns.rrset
import pytest

from gdns.cli.bulk import MOST_COMPLAINTS
from gdns.cli.progress import summary
from gdns.cli.sink import Done, Sink
from gdns.cli.source import Source
from gdns.cli.usage import UsageError
from gdns.testing import LoggedQuery, Server, delay, rcode, silent

COMMAND = [sys.executable, "-m", "gdns", "bulk"]
LIMIT = 60.0  # seconds
WRITE = {"x86_64": 1}.get(platform.machine(), 64)  # the number of write(2), the second that of newer machines


@pytest.fixture
def wild(dns_server: Server) -> Server:
    dns_server.add("*.w.example. 60 A 192.0.2.7")
    return dns_server


def bulk(
    server: Server, *words: str, names: str | bytes = "", environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the command over names on its standard input."""
    return subprocess.run(
        [*COMMAND, f"@{server.address}", *words],
        input=names.encode() if isinstance(names, str) else names,
        env=os.environ | (environ or {}),
        capture_output=True,
        timeout=LIMIT,
    )


def records(text: bytes) -> list[dict[str, Any]]:
    assert text.endswith(b"\n") or not text
    return [json.loads(line) for line in text.splitlines()]


def listed(amount: int) -> str:
    return "".join(f"n{number}.w.example\n" for number in range(amount))


# --- what is written


def test_each_name_has_one_line_in_the_fields_of_zdns(wild):
    done = bulk(wild, names="a.w.example\nnone.example\n")
    found = {record["name"]: record for record in records(done.stdout)}
    record = found["a.w.example"]
    assert done.returncode == 0
    assert {key: record[key] for key in ("name", "type", "class", "status")} == {
        "name": "a.w.example",
        "type": "A",
        "class": "IN",
        "status": "NOERROR",
    }
    assert record["data"]["answers"] == [
        {"type": "A", "class": "IN", "name": "a.w.example", "ttl": 60, "answer": "192.0.2.7"}
    ]
    assert (record["data"]["protocol"], record["data"]["resolver"]) == ("udp", wild.address)
    assert record["data"]["flags"]["response"] is True
    assert record["data"]["flags"]["error_code"] == 0
    assert record["timestamp"][10] == "T"
    assert record["duration"] > 0
    assert found["none.example"]["status"] == "NXDOMAIN"
    assert found["none.example"]["data"]["answers"] == []
    assert b"2 questions" in done.stderr


def test_records_of_every_kind_read_as_dnspython_reads_them(zone_server):
    kinds = ("A", "AAAA", "CNAME", "MX", "NS", "TXT", "SRV", "SOA", "CAA", "DS", "TLSA", "NAPTR", "HTTPS")
    asked = [(name, rdtype) for name, rdtype, _ in zone_server.rrsets if rdtype in kinds and "*" not in name]
    asked = list(dict.fromkeys(asked))[:400]
    done = bulk(zone_server, names="".join(f"{name} {rdtype}\n" for name, rdtype in asked))
    found = {(record["name"], record["type"]): record for record in records(done.stdout)}
    assert len(found) == len(asked)
    for (name, rdtype), record in found.items():
        query = dns.message.make_query(name, rdtype)
        reply = dns.query.udp(query, "127.0.0.1", port=int(zone_server.address.rpartition(":")[2]))
        if reply.flags & 0x200:
            continue  # truncated: it came over TCP there
        theirs = sorted(
            (rrset.name.to_text(omit_final_dot=len(rrset.name) > 1), rrset.rdtype.name, rrset.ttl)
            for rrset in reply.answer
            for _ in rrset
        )
        ours = sorted((answer["name"], answer["type"], answer["ttl"]) for answer in record["data"]["answers"])
        assert ours == theirs, (name, rdtype)
        if rdtype in ("A", "AAAA", "DS", "TLSA", "NAPTR", "HTTPS"):
            texts = sorted(
                rdata.to_text() for rrset in reply.answer if rrset.rdtype.name == rdtype for rdata in rrset
            )
            answers = [answer for answer in record["data"]["answers"] if answer["type"] == rdtype]
            assert sorted(answer["answer"] for answer in answers) == texts


def test_octets_that_json_or_a_name_must_escape_come_back_whole(dns_server):
    dns_server.add(
        r'odd.example. 60 TXT "quote \" backslash \\ octet \200" "second"',
        r"odd.example. 60 MX 5 a\.b\032c\"d.example.",
        r'odd.example. 60 CAA 0 issue "ca\"x"',
    )
    done = bulk(dns_server, "--type", "TXT,MX,CAA", names="odd.example\n")
    answers = {record["type"]: record["data"]["answers"][0] for record in records(done.stdout)}
    assert answers["TXT"]["answer"] == 'quote \\" backslash \\\\ octet \\200\nsecond'
    assert answers["MX"]["answer"] == 'a\\.b\\032c\\"d.example' or answers["MX"]["answer"].count(" ") == 1
    assert answers["MX"]["preference"] == 5
    assert (answers["CAA"]["tag"], answers["CAA"]["value"]) == ("issue", 'ca\\"x')


def test_all_sections_are_written_and_what_has_no_name_of_its_own(dns_server):
    dns_server.add(
        "null.example. 60 MX 0 .",
        r"null.example. 60 TYPE65280 \# 3 010203",
        *(f"big.example. 60 A 192.0.{number // 250}.{number % 250}" for number in range(1200)),
        "odd.example. 60 A 192.0.2.1",
    )
    dns_server.fault("odd.example.", rcode("DSOTYPENI"))
    done = bulk(dns_server, names="null.example MX\nnull.example TYPE65280\nbig.example A\nodd.example A\n")
    found = {(record["name"], record["type"]): record for record in records(done.stdout)}
    assert found["null.example", "MX"]["data"]["answers"][0]["answer"] == "."
    assert found["null.example", "TYPE65280"]["data"]["answers"][0]["answer"] == r"\# 3 010203"
    assert len(found["big.example", "A"]["data"]["answers"]) == 1200
    assert found["odd.example", "A"]["status"] == "RCODE11"


def test_additional_records_and_edns_are_written_where_a_server_sends_them():
    def with_additionals(query: LoggedQuery) -> bytes:
        asked = dns.message.make_query(query.name, query.rdtype, id=query.id)
        reply = dns.message.make_response(asked)
        reply.use_edns(0, dns.flags.DO, 1232)
        reply.additional.append(dns.rrset.from_text("ns.example.", 60, "IN", "A", "192.0.2.53"))
        return reply.to_wire()

    with Server(handler=with_additionals) as server:
        (record,) = records(bulk(server, names="www.example\n").stdout)
    assert record["data"]["additionals"] == [
        {"type": "A", "class": "IN", "name": "ns.example", "ttl": 60, "answer": "192.0.2.53"},
        {"type": "EDNS0", "flags": "do", "udpsize": 1232, "version": 0},
    ]


def test_several_types_and_lines_with_types_of_their_own(wild):
    done = bulk(wild, "-t", "A", "-t", "aaaa", names="a.w.example\nb.w.example TXT\n\n# c.w.example\n")
    assert Counter((record["name"], record["type"]) for record in records(done.stdout)) == {
        ("a.w.example", "A"): 1,
        ("a.w.example", "AAAA"): 1,
        ("b.w.example", "TXT"): 1,
    }


def test_failures_are_records_and_summed_up(wild):
    wild.fault("s.w.example.", silent())
    wild.fault("f.w.example.", rcode("SERVFAIL"))
    done = bulk(wild, "--timeout", "0.05", "--retries", "1", names="s.w.example\nf.w.example\na.w.example\n")
    statuses = {record["name"]: record["status"] for record in records(done.stdout)}
    assert statuses == {"s.w.example": "TIMEOUT", "f.w.example": "SERVFAIL", "a.w.example": "NOERROR"}
    assert done.returncode == 0
    assert Counter(name for name, _ in wild.questions)["s.w.example."] == 2
    assert b"TIMEOUT 1 (33.3 %)" in done.stderr
    assert b"gdns: 1 of these got no answer; with --output FILE they could" in done.stderr


def test_no_answer_at_all_is_exit_status_3_and_says_what_to_do(dns_server):
    dns_server.fault("*", silent())
    done = bulk(dns_server, "--timeout", "0.05", "--retries", "0", names="a.example\n")
    assert done.returncode == 3
    assert b"gdns doctor" in done.stderr


# --- what is read


def test_a_bad_line_is_told_by_number_and_is_a_record(wild):
    names = (
        b"a.w.example\n\nb..ad\nc.w.example NOTYPE\nm\xfcnchen.w.example\none two three\n" + b"x" * 70 + b"\n"
    )
    done = bulk(wild, names=names)
    bad = [record for record in records(done.stdout) if record["status"] == "ILLEGAL_INPUT"]
    assert [record["name"] for record in bad] == [
        "b..ad",
        "c.w.example",
        "m\\252nchen.w.example",
        "one two three",
        "x" * 70,
    ]
    assert [int(record["error"].split()[1].rstrip(":")) for record in bad] == [3, 4, 5, 6, 7]
    for number in (3, 4, 5, 6, 7):
        assert f"line {number}: ".encode() in done.stderr
    assert done.returncode == 1
    assert [name for name, _ in wild.questions] == ["a.w.example."]


def test_a_file_without_a_last_newline_and_with_windows_ends_is_read(wild, tmp_path):
    file = tmp_path / "names"
    file.write_bytes(b"a.w.example\r\nb.w.example")
    done = bulk(wild, str(file))
    assert sorted(record["name"] for record in records(done.stdout)) == ["a.w.example", "b.w.example"]


@pytest.mark.parametrize(
    "words",
    [
        ["/nowhere/names"],
        ["/"],
        ["a", "b"],
        ["--type", "NOTYPE", "-"],
        ["--rate", "0", "-"],
        ["--rate", "fast", "-"],
        ["--concurrency", "100000", "-"],
        ["--jobs", "0", "-"],
        ["--resume", "-"],
        ["--resume", "--overwrite", "--output", "out", "-"],
        ["@not an address", "-"],
        ["--output", "/nowhere/out", "-"],
        ["--such", "-"],
    ],
)
def test_words_that_cannot_be_used_are_exit_status_2_with_a_sentence(words):
    done = subprocess.run([*COMMAND, *words], capture_output=True, stdin=subprocess.DEVNULL, timeout=LIMIT)
    assert done.returncode == 2
    assert done.stderr.startswith(b"gdns")
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""


def test_a_terminal_gives_names_only_where_that_is_asked_for():
    reader, writer = pty.openpty()
    done = subprocess.run(COMMAND, stdin=writer, capture_output=True, timeout=LIMIT)
    os.close(reader)
    os.close(writer)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"no names: name a file, or pipe names in" in done.stderr


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_names_are_not_overwritten_by_what_comes_of_them(wild, tmp_path, jobs):
    file = tmp_path / "names"
    file.write_text("a.w.example\n")
    done = bulk(wild, str(file), "--output", str(file), "--overwrite", "--jobs", jobs)
    assert done.returncode == 2
    assert b"is what is read; choose another --output" in done.stderr
    assert file.read_text() == "a.w.example\n"


def test_of_many_bad_lines_the_first_are_told_and_all_are_records(wild):
    done = bulk(wild, names="a..b\n" * (MOST_COMPLAINTS + 5))
    assert [record["status"] for record in records(done.stdout)] == ["ILLEGAL_INPUT"] * (MOST_COMPLAINTS + 5)
    assert done.stderr.count(b"gdns: line ") == MOST_COMPLAINTS
    assert done.stderr.count(b"more lines like these are only in the output") == 1


def test_results_come_while_the_names_still_do(wild):
    with subprocess.Popen(
        [*COMMAND, f"@{wild.address}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for name in ("a.w.example", "b.w.example"):
            process.stdin.write(f"{name}\n".encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["name"] == name
        process.stdin.close()
        assert process.wait(LIMIT) == 0


# --- how fast, how much


def test_a_rate_is_kept(wild):
    done = bulk(wild, "--rate", "100", names=listed(30))
    took = float(done.stderr.split(b" in ")[1].split()[0])
    assert len(records(done.stdout)) == 30
    assert took >= 0.2


def test_memory_does_not_grow_with_the_names(wild, tmp_path):
    peaks = []
    for amount in (500, 8000):
        file = tmp_path / f"names{amount}"
        file.write_text(listed(amount))
        with subprocess.Popen(
            [*COMMAND, f"@{wild.address}", str(file), "-o", str(tmp_path / f"out{amount}")],
            stderr=subprocess.DEVNULL,
        ) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        peaks.append(usage.ru_maxrss)
    assert peaks[1] - peaks[0] < 4000  # KiB; what 7,500 names and their lines take is 4 MB


# --- how it ends, and goes on


@pytest.fixture
def slow(wild: Server) -> Server:
    """One name in ten takes a long time, so that a run never ends by itself."""
    for number in range(0, 200, 10):
        wild.fault(f"n{number}.w.example.", delay(30.0))
    return wild


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_loses_nothing_that_was_resolved_and_the_run_can_go_on(slow, tmp_path, number, jobs):
    file, out = tmp_path / "names", tmp_path / "out"
    file.write_text(listed(200))
    command = [*COMMAND, str(file), f"@{slow.address}", "-o", str(out), "--timeout", "60", "--jobs", jobs]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        while not out.exists() or out.read_bytes().count(b"\n") < 180:
            assert process.poll() is None
            sleep(0.02)
        process.send_signal(number)
        _, said = process.communicate(timeout=LIMIT)
    assert process.returncode == 128 + number
    words = shlex.join([str(file), f"@{slow.address}", "-o", str(out), "--timeout", "60", "--jobs", jobs])
    assert f"gdns bulk {words} --resume".encode() in said
    first = records(out.read_bytes())
    assert len(first) == 180
    out.write_bytes(out.read_bytes() + b'{"name":"n0.w.exa')  # as a killed process leaves it
    slow.reset({"example.": {}})
    slow.add("*.w.example. 60 A 192.0.2.7")
    done = subprocess.run([*command, "--resume"], capture_output=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    assert Counter(record["name"] for record in records(out.read_bytes())) == {
        f"n{number}.w.example": 1 for number in range(200)
    }
    assert len(slow.questions) == 20
    assert b"180 were there from before" in done.stderr


def test_without_a_file_a_run_that_was_stopped_says_that_one_would_let_it_go_on(slow):
    with subprocess.Popen(
        [*COMMAND, f"@{slow.address}", "--timeout", "60"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(listed(1).encode())
        process.stdin.flush()
        slow.wait_for_query()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=LIMIT)
    assert process.returncode == 128 + signal.SIGINT
    assert b"with --output FILE it could be gone on with by --resume" in said


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_second_signal_ends_a_run_whose_lines_nobody_takes(wild, tmp_path, jobs):
    file = tmp_path / "names"
    file.write_text(listed(3000))
    with subprocess.Popen(
        [*COMMAND, str(file), f"@{wild.address}", "--jobs", jobs],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        while not waits_in_write(process.pid):
            assert process.poll() is None
            sleep(0.02)
        process.send_signal(signal.SIGINT)
        while is_pending(process.pid, signal.SIGINT) or not waits_in_write(process.pid):
            sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = process.stderr.read()
        assert process.wait(LIMIT) == 128 + signal.SIGINT
    assert b"Traceback" not in said


def waits_in_write(pid: int) -> bool:
    """Whether the process is in a write(2) of more than an eventfd takes (proc_pid_syscall(5))."""
    words = Path(f"/proc/{pid}/syscall").read_text().split()
    return words[0] == str(WRITE) and int(words[3], 16) > 8


def is_pending(pid: int, number: int) -> bool:
    """Whether the process has not yet been told of a signal that was sent to it."""
    status = Path(f"/proc/{pid}/status").read_text()
    return any(
        int(words[1], 16) >> (number - 1) & 1
        for words in map(str.split, status.splitlines())
        if words[0] in ("SigPnd:", "ShdPnd:")
    )


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_what_no_server_answered_can_be_asked_again(wild, tmp_path, jobs):
    out = tmp_path / "out"
    dead = [*COMMAND, "@127.0.0.1:1", "-o", str(out), "--timeout", "0.2", "--retries", "0", "--jobs", jobs]
    failed = subprocess.run(dead, input=b"a.w.example\nb.w.example\n", capture_output=True, timeout=LIMIT)
    assert failed.returncode == 3
    assert b"--resume --retry-failed" in failed.stderr
    done = bulk(wild, "-o", str(out), "--resume", "--jobs", jobs, names="a.w.example\nb.w.example\n")
    assert b"2 were there from before" in done.stderr
    for names in ("a.w.example\nb.w.example\n", "a.w.example\nb.w.example\nc.w.example\n"):
        options = ["-o", str(out), "--resume", "--retry-failed", "--jobs", jobs]
        assert bulk(wild, *options, names=names).returncode == 0
    ended = Counter((record["name"], record["status"]) for record in records(out.read_bytes()))
    answered = sorted(name for name, status in ended if status == "NOERROR")
    assert answered == ["a.w.example", "b.w.example", "c.w.example"]
    assert set(ended.values()) == {1}
    refused = bulk(wild, "-o", str(out), "--retry-failed", names="")
    assert (refused.returncode, b"--resume" in refused.stderr) == (2, True)


def test_an_output_that_exists_is_neither_overwritten_nor_taken_for_ones_own(wild, tmp_path):
    out = tmp_path / "out"
    out.write_text("precious\n")
    for words in (["-o", str(out)], ["-o", str(out), "--resume"]):
        done = bulk(wild, *words, names="a.w.example\n")
        assert done.returncode == 2
        assert out.read_text() == "precious\n"
    done = bulk(wild, "-o", str(out), "--overwrite", names="a.w.example\n")
    assert done.returncode == 0
    assert records(out.read_bytes())[0]["name"] == "a.w.example"


def test_resuming_knows_questions_by_name_and_type_and_counts_duplicates(wild, tmp_path):
    out = tmp_path / "out"
    bulk(wild, "-o", str(out), names="a.w.example\na.w.example\nb..ad\n")
    before = out.read_bytes()
    done = bulk(
        wild,
        "-o",
        str(out),
        "--resume",
        "-t",
        "A,TXT",
        names="a.w.example\na.w.example\na.w.example\nb..ad\n",
    )
    after = records(out.read_bytes()[len(before) :])
    assert Counter((record["name"], record["type"]) for record in after) == {
        ("a.w.example", "TXT"): 3,
        ("a.w.example", "A"): 1,
        ("b..ad", "TXT"): 1,
    }
    assert b"3 were there from before" in done.stderr


def test_a_reader_that_goes_away_ends_it_quietly(wild, tmp_path):
    file = tmp_path / "names"
    file.write_text(listed(3000))
    command = f"{sys.executable} -m gdns bulk {file} @{wild.address}"
    done = subprocess.run(
        f"{command} | head -n 1; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        timeout=LIMIT,
    )
    line, status = done.stdout.splitlines()
    assert json.loads(line)["status"] == "NOERROR"
    assert (status, done.stderr) == (b"141", b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
def test_a_full_disk_is_said_with_what_to_do(wild):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, f"@{wild.address}"], input=b"a.w.example\n", stdout=full, stderr=subprocess.PIPE,
            timeout=LIMIT,
        )  # fmt: skip
    assert done.returncode == 3
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr


def test_jobs_share_the_names_and_their_lines_are_whole(wild):
    names = listed(3000) + "b..ad\n" + listed(10)
    done = bulk(wild, "--jobs", "2", "--concurrency", "100", names=names)
    assert Counter(record["name"] for record in records(done.stdout)) == Counter(names.split())
    assert b"line 3001: " in done.stderr
    assert done.returncode == 1
    assert b"3,011 questions" in done.stderr


def test_a_process_that_dies_is_told_of(wild, tmp_path):
    wild.fault("n0.w.example.", delay(60.0))
    out = tmp_path / "out"
    with subprocess.Popen(
        [*COMMAND, "-", f"@{wild.address}", "--jobs", "2", "-o", str(out), "--timeout", "60"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(listed(1).encode())
        process.stdin.flush()
        wild.wait_for_query()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        _, said = process.communicate(timeout=LIMIT)
    assert process.returncode == 1
    assert b"2 of 2 processes ended early; --resume" in said


# --- what is shown


@pytest.mark.parametrize(("has_rich", "jobs"), [(True, "1"), (False, "1"), (True, "2")])
def test_progress_is_shown_on_a_terminal_only(wild, tmp_path, has_rich, jobs):
    environ = dict(os.environ, TERM="xterm", COLUMNS="100")
    if not has_rich:
        (tmp_path / "rich.py").write_text("raise ImportError")
        environ["PYTHONPATH"] = os.pathsep.join([str(tmp_path), *sys.path])
    file = tmp_path / "names"
    file.write_text(listed(120))
    shown = {}
    for words in ([], ["--no-progress"]):
        reader, writer = pty.openpty()
        with subprocess.Popen(
            [*COMMAND, str(file), f"@{wild.address}", "--rate", "200", "--jobs", jobs, *words],
            stdout=subprocess.DEVNULL,
            stderr=writer,
            env=environ,
        ) as process:
            os.close(writer)
            text = b""
            while True:
                try:
                    block = os.read(reader, 4096)
                except OSError:  # the other end is closed
                    break
                if not block:
                    break
                text += block
            os.close(reader)
        assert process.returncode == 0, text
        shown[bool(words)] = text
    assert b"/s" in shown[False].split(b"120 questions")[0]
    assert shown[True].startswith(b"gdns: 120 questions")


# --- its parts


def test_the_summary_of_nothing_is_a_sentence_too():
    assert summary({}, 0.0, 0) == "0 questions in 0.0 s (0/s)"
    assert summary({"NOERROR": 1}, 1.0, 2).endswith("(1/s): NOERROR 1 (100.0 %); 2 were there from before")


def test_what_is_done_is_read_along_with_the_names(tmp_path):
    out = tmp_path / "out"
    out.write_text(
        "".join(f'{{"name":"n{number}","type":"A"}}\n' for number in (1, 0, 2, 3, 5)) + '{"name":"n4'
    )
    done = Done(str(out))
    assert [done.has(f"n{number}", "A") for number in range(6)] == [True, True, True, True, False, True]
    assert not done.has("n1", "AAAA")
    assert (done.skipped, done.unreadable) == (5, 0)


def test_a_line_left_unfinished_is_cut_off_and_nothing_else(tmp_path):
    out = tmp_path / "out"
    for text, kept in (
        ("", ""),
        ("half", ""),
        ("whole\n", "whole\n"),
        ("whole\n" + "x" * 200_000, "whole\n"),
    ):
        out.write_text(text)
        Sink(str(out), resumes=True, overwrites=False).close()
        assert out.read_text() == kept


def test_a_line_too_long_to_be_kept_is_one_bad_name(tmp_path):
    file = tmp_path / "names"
    file.write_text("x" * 500_000 + "\nb.example\n")
    source = Source(str(file))
    lines = list(source.lines(10))
    assert [line.number for line in lines] == [1, 2]
    assert len(lines[0].name) < 200_000
    assert lines[1].name == "b.example"
    with pytest.raises(UsageError):
        Source(str(tmp_path / "missing"))


def test_no_descriptor_is_needed_but_a_few(wild):
    limits = (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    done = subprocess.run(
        [*COMMAND, f"@{wild.address}"],
        input=listed(500).encode(),
        capture_output=True,
        timeout=LIMIT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits),
    )
    assert len(records(done.stdout)) == 500
    assert {record["status"] for record in records(done.stdout)} == {"NOERROR"}
