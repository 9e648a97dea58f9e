"""`gdns completion`: shells complete the command's words, from its own grammar."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from argparse import SUPPRESS
from importlib import import_module
from pathlib import Path

import pytest

from gdns.cli import VERBS, completion
from gdns.cli.plus import PLUS
from tests.command import call

BASH = """
eval "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_gdns
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["do"], ["doctor"]),
        (["+noa"], ["+noall"]),
        (["+mul"], ["+multiline"]),
        (["+tim"], ["+timeout="]),
        (["--color", "a"], ["auto", "always"]),
        (["-t", "MX"], ["MX"]),
        (["www.example", "CN"], ["CNAME"]),
        (["doctor", "--js"], ["--json"]),
        (["serve", "--fa"], ["--fault"]),
        (["serve", "--fault", ""], [""]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (
            ["bench", "--svg", str(Path(__file__).parent / "conftes")],
            [str(Path(__file__).parent / "conftest.py")],
        ),
        (["nonesuch", "zzz"], [""]),
    ],
)
def test_bash_completes(words: list[str], expected: list[str]) -> None:
    script = call("completion", "bash").out
    done = subprocess.run(
        ["bash", "--norc", "-c", BASH, "bash", script, "gdns", *words],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == expected


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes(tmp_path: Path) -> None:
    script = tmp_path / "gdns.fish"
    script.write_text(call("completion", "fish").out)
    asked = "; ".join(
        f"complete -C 'gdns {words}'" for words in ("doct", "doctor --js", "+noal", "completion zs")
    )
    environ = os.environ | {
        "HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    command = ["fish", "--no-config", "-c", f"source {script}; {asked}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environ)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["doctor", "--json", "+noall", "zsh"]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_takes_it(tmp_path: Path) -> None:
    program = (
        'autoload -Uz compinit; compinit -u -D; eval "$1"; print ${_comps[gdns]}; functions _gdns >/dev/null'
    )
    command = ["zsh", "-f", "-c", program, "zsh", call("completion", "zsh").out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env={"HOME": str(tmp_path)})
    assert (done.returncode, done.stdout, done.stderr) == (0, "_gdns\n", "")


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_every_verb_and_every_option_is_offered(shell: str) -> None:
    script = call("completion", shell).out
    for verb, about in VERBS.items():
        assert verb in script
        actions = [one for one in import_module(about.module).parser()._actions if one.help != SUPPRESS]
        for option in [option for action in actions for option in action.option_strings]:
            shown = option
            if shell == "fish":
                shown = f"{'-l' if option.startswith('--') else '-s'} {option.strip('-')}"
            assert shown in script, (verb, option)
    for name in PLUS:
        assert f"+{name}" in script


def test_another_shell_gets_one_line() -> None:
    done = call("completion", "tcsh")
    assert (done.status, done.out) == (2, "")
    assert "invalid choice: 'tcsh'" in done.err
