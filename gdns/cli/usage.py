"""Reads options, and says what is wrong with them in one line."""

from __future__ import annotations

import argparse
import math
import socket
from typing import Any, NoReturn

from gdns.cli.paint import WISHES


class UsageError(Exception):
    """The words cannot be obeyed; the text says why."""


class Parser(argparse.ArgumentParser):
    """Leaves it to the caller to say what is wrong; options are written in full."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("allow_abbrev", False)
        super().__init__(**settings)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def seconds(text: str) -> float:
    """A number of seconds from the command line."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (number > 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number of seconds")
    return number


def count(text: str) -> int:
    """A number of things, at least one, from the command line."""
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 up")
    return int(text)


def port(text: str) -> int:
    """A port from the command line."""
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text} is not a port from 1 to 65535")
    return int(text)


def add_color(group: argparse._ActionsContainer) -> None:
    """Let a verb take --color."""
    group.add_argument(
        "--color",
        choices=WISHES,
        default="auto",
        metavar="WHEN",
        help="auto (on a terminal, unless NO_COLOR is set), always or never",
    )


def add_families(group: argparse._ActionsContainer, help: str) -> None:
    """Let a verb take -4 or -6, for which `help` has a place called `version`."""
    families = group.add_mutually_exclusive_group()
    for option, family, version in (("-4", socket.AF_INET, "IPv4"), ("-6", socket.AF_INET6, "IPv6")):
        families.add_argument(
            option,
            dest="family",
            action="store_const",
            const=family,
            default=socket.AF_UNSPEC,
            help=help.format(version=version),
        )


def add_json(group: argparse._ActionsContainer, help: str = "print one JSON object") -> None:
    """Let a verb take --json."""
    group.add_argument("--json", dest="is_json", action="store_true", help=help)
