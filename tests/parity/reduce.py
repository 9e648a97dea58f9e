"""A smaller setting that still shows a difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace

from tests.parity.cases import Setting


def reduce(setting: Setting, still_differs: Callable[[Setting], bool]) -> Setting:
    """Take away from a setting what the difference does not need."""
    while True:
        smaller = next(filter(still_differs, _smaller(setting)), None)
        if smaller is None:
            return setting
        setting = smaller


def _smaller(setting: Setting) -> Iterator[Setting]:
    for field in fields(setting):
        value = getattr(setting, field.name)
        if value == field.default:
            continue
        yield replace(setting, **{field.name: field.default})
        if isinstance(value, tuple):
            for part in _parts(value):
                yield replace(setting, **{field.name: part})
        elif isinstance(value, str) and "\n" in value:
            for part in _parts(tuple(value.splitlines(keepends=True))):
                yield replace(setting, **{field.name: "".join(part)})


def _parts(items: tuple[object, ...]) -> Iterator[tuple[object, ...]]:
    """The items without one half, a quarter, ... one of them."""
    size = len(items) // 2
    while size:
        for start in range(0, len(items), size):
            yield items[:start] + items[start + size :]
        size //= 2
