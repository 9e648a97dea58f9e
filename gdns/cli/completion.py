"""Prints what lets a shell complete the gdns command, made from its own grammar."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module

from gdns.cli import grammar, plus
from gdns.cli.usage import Parser

SHELLS = ("bash", "zsh", "fish")
INSTALL = {
    "bash": 'eval "$(gdns completion bash)" in ~/.bashrc',
    "zsh": 'eval "$(gdns completion zsh)" in ~/.zshrc, below compinit',
    "fish": "gdns completion fish > ~/.config/fish/completions/gdns.fish",
}


@dataclass
class Words:
    """What may be typed after "gdns", or after one of its verbs.

    `options` are with what the help says of each; of those in `files` a file's name is the value, of those
    in `types` a record type, of those in `choices` one of these words; those in `values` take another one.
    `first` are words of its own.
    """

    options: dict[str, str] = field(default_factory=dict)
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    first: tuple[str, ...] = ()


def main(words: Sequence[str]) -> int:
    """Print the completion of a shell and return the exit status. Raises UsageError."""
    shell = parser().parse_args(words).shell
    print({"bash": bash, "zsh": zsh, "fish": fish}[shell](everything()))
    return 0


def everything() -> dict[str, Words]:
    """What may be typed after each verb; after "gdns" alone under the empty name."""
    from gdns.cli import VERBS

    found = {"": _words_of(grammar.parser())}
    for name, option in plus.PLUS.items():
        word = f"+{name}=" if option.value else f"+{name}"
        found[""].options[word] = option.help
    found[""].options["+noall"] = "show nothing but what follows"
    found[""].first = tuple(VERBS)
    for verb, about in VERBS.items():
        found[verb] = _words_of(import_module(about.module).parser())
    return found


def _words_of(parser: argparse.ArgumentParser) -> Words:
    words = Words()
    for action in parser._actions:
        if action.help == argparse.SUPPRESS:
            continue
        if not action.option_strings:
            words.first += tuple(map(str, action.choices or ()))
            continue
        for option in action.option_strings:
            words.options[option] = re.sub(r" \(default.*", "", action.help or "").replace("%%", "%")
            if action.nargs == 0:
                continue
            if action.choices:
                words.choices[option] = tuple(map(str, action.choices))
            elif action.metavar in ("FILE", "DIR"):
                words.files.append(option)
            elif action.metavar == "TYPE":
                words.types.append(option)
            else:
                words.values.append(option)
    return words


def record_types() -> tuple[str, ...]:
    """The types that the shell offers."""
    from dns.rdatatype import RdataType, is_metatype

    return tuple(sorted(kind.name for kind in RdataType if kind and not is_metatype(kind)))


def _cases(everywhere: dict[str, Words]) -> Iterator[str]:
    """The lines of bash that say what fits where."""
    for verb, words in everywhere.items():
        for option, choices in words.choices.items():
            yield f'    "{verb} {option}") fits="{" ".join(choices)}" ;;'
        for option in words.files:
            yield f'    "{verb} {option}") COMPREPLY=($(compgen -f -- "$now")); return ;;'
        for option in words.types:
            yield f'    "{verb} {option}") fits="{" ".join(record_types())}" ;;'
        for option in words.values:
            yield f'    "{verb} {option}") return ;;'


def bash(everywhere: dict[str, Words]) -> str:
    """A function for bash, to be evaluated."""
    verbs = "|".join(verb for verb in everywhere if verb)
    offers = "\n".join(
        f'        "{verb}") fits="{" ".join(words.options)}" first="{" ".join(words.first)}" ;;'
        for verb, words in everywhere.items()
    )
    values = "\n".join(_cases(everywhere))
    return f"""\
# {INSTALL["bash"]}
_gdns() {{
    local now="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" verb="" fits="" first=""
    COMPREPLY=()
    if ((COMP_CWORD > 1)); then
        case "${{COMP_WORDS[1]}}" in {verbs}) verb="${{COMP_WORDS[1]}}" ;; esac
    fi
    case "$verb $before" in
{values}
    *)
        case "$verb" in
{offers}
        esac
        case "$now" in
        -* | +*) ;;
        *)
            fits="$first"
            case "$verb" in
            serve | bulk) COMPREPLY=($(compgen -f -- "$now")) ;;
            "") if ((COMP_CWORD > 1)); then fits="{" ".join(record_types())}"; fi ;;
            esac
            ;;
        esac
        ;;
    esac
    COMPREPLY+=($(compgen -W "$fits" -- "$now"))
    case "${{COMPREPLY[0]}}" in *=) compopt -o nospace 2>/dev/null ;; esac
}}
complete -F _gdns gdns"""


def _zsh_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def zsh(everywhere: dict[str, Words]) -> str:
    """A function for zsh, to be evaluated."""
    from gdns.cli import VERBS

    def described(options: dict[str, str]) -> str:
        return " ".join(
            _zsh_quoted(f"{option.replace(':', chr(92) + ':')}:{said}") for option, said in options.items()
        )

    cases = []
    for verb, words in everywhere.items():
        for option, choices in words.choices.items():
            cases.append(f'    "{verb} {option}") compadd -- {" ".join(choices)}; return ;;')
        for option in words.files:
            cases.append(f'    "{verb} {option}") _files; return ;;')
        for option in words.types:
            cases.append(f'    "{verb} {option}") compadd -- {" ".join(record_types())}; return ;;')
        for option in words.values:
            cases.append(f'    "{verb} {option}") return ;;')
    offers = "\n".join(
        f'    "{verb}") options=({described(words.options)}); first=({" ".join(words.first)}) ;;'
        for verb, words in everywhere.items()
    )
    verbs = described({verb: about.summary for verb, about in VERBS.items()})
    lines = "\n".join(cases)
    return f"""\
#compdef gdns
# {INSTALL["zsh"]}
_gdns() {{
    local verb="" before="${{words[CURRENT-1]}}"
    local -a options first verbs
    verbs=({verbs})
    if ((CURRENT > 2)) && (( ${{+verbs[(r)${{words[2]}}:*]}} )); then verb="${{words[2]}}"; fi
    case "$verb $before" in
{lines}
    esac
    case "$verb" in
{offers}
    esac
    if [[ "${{words[CURRENT]}}" == [-+]* ]]; then
        _describe -o option options
    elif ((CURRENT == 2)); then
        _describe verb verbs
    elif [[ -z "$verb" ]]; then
        compadd -- {" ".join(record_types())}
    elif [[ "$verb" == (serve|bulk) ]]; then
        _files
    else
        compadd -- $first
    fi
}}
compdef _gdns gdns"""


def fish(everywhere: dict[str, Words]) -> str:
    """Commands for fish, to be kept in a file."""
    from gdns.cli import VERBS

    verbs = " ".join(VERBS)
    lines = [f"# {INSTALL['fish']}", "complete -c gdns -e", "complete -c gdns -f"]
    for verb, about in VERBS.items():
        lines.append(f"complete -c gdns -n __fish_use_subcommand -a {verb} -d {_fish_quoted(about.summary)}")
    types = " ".join(record_types())
    lines.append(f"complete -c gdns -n 'not __fish_seen_subcommand_from {verbs}' -a '{types}' -d type")
    for verb, words in everywhere.items():
        where = f"__fish_seen_subcommand_from {verb}" if verb else f"not __fish_seen_subcommand_from {verbs}"
        if verb in ("serve", "bulk"):
            lines.append(f"complete -c gdns -n '{where}' -F")
        elif words.first and verb:
            lines.append(f"complete -c gdns -n '{where}' -a '{' '.join(words.first)}'")
        for option, said in words.options.items():
            said = _fish_quoted(said)
            if option.startswith("+"):
                lines.append(f"complete -c gdns -n '{where}' -a '{option}' -d {said}")
                continue
            kind = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
            if option in words.choices:
                kind += f" -x -a '{' '.join(words.choices[option])}'"
            elif option in words.files:
                kind += " -r -F"
            elif option in words.types:
                kind += f" -x -a '{types}'"
            elif option in words.values:
                kind += " -x"
            lines.append(f"complete -c gdns -n '{where}' {kind} -d {said}")
    return "\n".join(lines)


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def parser() -> Parser:
    """The options."""
    parser = Parser(
        prog="gdns completion",
        description="Print what lets a shell complete the words of gdns. "
        + "; ".join(f"{shell}: {how}" for shell, how in INSTALL.items())
        + ".",
    )
    parser.add_argument("shell", choices=SHELLS, help="bash, zsh or fish")
    return parser
