"""Reads a fault of the test server from text: `drop(0.05) | delay(0.1)`. Nothing is evaluated.

The text is what a test would write in Python, so Python's own parser takes it apart; of the tree that comes
out only the names of faults, their arguments and `|` are known here. A name without brackets is a word, so
that `rcode(SERVFAIL)` needs no quotes within those of a shell.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re

import gdns.testing
from gdns.cli.usage import UsageError
from gdns.testing import Fault

LONGEST = 1000  # characters of a fault's text
_TYPES: dict[str, tuple[type, ...]] = {"float": (int, float), "int": (int,), "bool": (bool,), "str": (str,)}


def kinds() -> dict[str, type[Fault]]:
    """The faults there are, by the names that tests use."""
    found = {name: getattr(gdns.testing, name) for name in gdns.testing.__all__}
    return {
        name: kind
        for name, kind in found.items()
        if isinstance(kind, type) and issubclass(kind, Fault) and kind is not Fault
    }


def usage(name: str) -> str:
    """How a fault is written: `delay(seconds, jitter=0.0)`."""
    parameters = inspect.signature(kinds()[name]).parameters.values()
    shown = [
        f"*{parameter.name}"
        if parameter.kind is parameter.VAR_POSITIONAL
        else parameter.name
        if parameter.default is parameter.empty
        else f"{parameter.name}={parameter.default!r}"
        for parameter in parameters
    ]
    return f"{name}({', '.join(shown)})"


def split(text: str) -> tuple[str | None, str | None, str]:
    """The name and type that a fault is for, and the fault: `*.slow.example/AAAA=delay(0.1)`. None is any."""
    found = re.fullmatch(r"\s*(?:([^\s=(|/]+)(?:/(\w+))?\s*=(?!=))?(.*)", text, re.DOTALL)
    assert found is not None  # all of it may be the fault
    name, rdtype, fault = found.groups()
    return (None if name in (None, "*") else name), rdtype, fault.strip()


def read(text: str) -> Fault:
    """The fault that a text describes. Raises UsageError, which says what it may be."""
    if len(text) > LONGEST:
        raise UsageError(
            f"a fault is written in at most {LONGEST:,} characters: use gdns.testing in a program"
        )
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        fault = _fault(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error) or "nested too deep"
        raise UsageError(f"fault {text!r}: {reason}; write it like `drop(0.05) | delay(0.1)`") from None
    return fault


def _fault(node: ast.expr) -> Fault:
    match node:
        case ast.BinOp(left, ast.BitOr(), right):
            return _fault(left) | _fault(right)
        case ast.Name(name) if name in kinds():
            return _made(name, [], {})
        case ast.Call(ast.Name(name), arguments, keywords):
            if name not in kinds():
                raise ValueError(f"there is no fault {name}; there are {', '.join(kinds())}")
            if any(keyword.arg is None for keyword in keywords):
                raise ValueError("** is not understood")
            values = {keyword.arg or "": _value(keyword.value) for keyword in keywords}
            return _made(name, [_value(argument) for argument in arguments], values)
        case ast.Name(name):
            raise ValueError(f"there is no fault {name}; there are {', '.join(kinds())}")
    raise ValueError(f"{ast.unparse(node)} is no fault")


def _value(node: ast.expr) -> object:
    match node:
        case ast.Constant(bool() | int() | float() | str() as value):
            return value
        case ast.UnaryOp(ast.USub(), ast.Constant(int() | float() as number)):
            return -number
        case ast.Name(name) if name not in kinds():
            return name
    return _fault(node)


def _made(name: str, arguments: list[object], keywords: dict[str, object]) -> Fault:
    kind = kinds()[name]
    try:
        fault = kind(*arguments, **keywords)
    except TypeError:
        raise ValueError(f"it is written {usage(name)}") from None
    for field in dataclasses.fields(fault):
        value = getattr(fault, field.name)
        wanted = _TYPES.get(str(field.type), (object,))
        if field.type == "Fault" and not isinstance(value, Fault):
            raise ValueError(f"{field.name} of {usage(name)} is a fault, which {value!r} is not")
        if str(field.type).startswith("tuple[Fault") and not all(isinstance(part, Fault) for part in value):
            raise ValueError(f"all of {usage(name)} are faults")
        if not isinstance(value, wanted) or (isinstance(value, bool) and not {bool, object} & set(wanted)):
            raise ValueError(f"{field.name} of {usage(name)} is {field.type}, which {value!r} is not")
    return fault
