"""The pages about the gdns command say what it does."""

from __future__ import annotations

import re
import shlex
from argparse import SUPPRESS
from importlib import import_module
from pathlib import Path

import pytest

from gdns.cli import VERBS, grammar, plus
from gdns.testing import Server, rcode
from tests.command import call

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "reference" / "command.md").read_text()
PORT = "5300"  # of the server that the page asks


def steady(text: str) -> str:
    """The output with `*` in the place of what differs from run to run."""
    for pattern in (
        r"(?<=gdns )\d+\.\d+\.\d+\S*",
        r"(?<=, id: )\d+",
        r"(?<=time: )\d+",
        r"(?<=WHEN: ).+",
        r"(?<=127\.0\.0\.1#)\d+",
        r"(?<=127\.0\.0\.1:)\d+",
        r"\d+\.\d ms",
    ):
        text = re.sub(pattern, "*", text)
    return text


def sessions() -> list[tuple[str, str]]:
    """The commands of the page with what they print."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    found = [entry for block in blocks for entry in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, printed) for command, _, printed in (entry.partition("\n") for entry in found)]


@pytest.mark.parametrize(("command", "printed"), sessions(), ids=[command for command, _ in sessions()])
def test_the_examples_print_what_the_page_says(dns_server: Server, command: str, printed: str) -> None:
    dns_server.reset(
        {
            "www.example.": {"A": "192.0.2.7", "AAAA": "2001:db8::7"},
            "example.": {"MX": "10 mail.example."},
        }
    )
    program, *words = shlex.split(command.replace(PORT, str(dns_server.port)))
    assert program == "gdns"
    done = call(*words)
    # what differs in the first line are the words themselves
    said = re.sub(r"(<<>> gdns \S+ <<>>).*", r"\1", steady(done.out + done.err))
    assert said == re.sub(r"(<<>> gdns \S+ <<>>).*", r"\1", steady(printed))


def test_the_failure_of_the_guide_is_what_doctor_says(dns_server: Server) -> None:
    guide = (DOCS / "how-to" / "doctor.md").read_text()
    shown = re.search(r"```text\n(.*?)```", guide, re.DOTALL)
    assert shown is not None
    dns_server.fault("broken.example.", rcode("SERVFAIL"))
    said = call("doctor", f"@{dns_server.address}", "broken.example", "--timeout", "10").out
    assert steady(shown[1]) in steady(said)


def test_the_page_has_every_verb_every_option_and_every_status() -> None:
    parsers = [grammar.parser(), *(import_module(about.module).parser() for about in VERBS.values())]
    actions = [action for parser in parsers for action in parser._actions if action.help != SUPPRESS]
    options = {option for action in actions for option in action.option_strings}
    options |= {f"+{name}" for name in plus.PLUS}
    assert [option for option in sorted(options) if not re.search(rf"`{re.escape(option)}\b", PAGE)] == []
    assert [verb for verb in VERBS if f"## `gdns {verb}`" not in PAGE] == []
    assert [status for status in (0, 1, 2, 3, 70, 130, 141) if f"\n| {status} |" not in PAGE] == []
