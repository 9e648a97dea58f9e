"""Puts other values into the attributes of modules, until they are taken out again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Self

_MISSING = object()


class Place(NamedTuple):
    """An attribute of a module, class or other object, with the value that it is to have."""

    owner: object
    name: str
    value: object


class Switch:
    """What was put in place, and how to take it out again: `undo()`, or leaving a `with` statement.

    Values are put in in the order given and taken out in the reverse order. An attribute that somebody else
    has changed since then is left as they want it. An attribute that was not there is removed again, also
    where the owner's class, or a class's base, has one of that name.
    """

    def __init__(self, places: Iterable[Place]) -> None:
        """Put the values in. If one cannot be, those before it are taken out and AttributeError is raised."""
        self._done: list[tuple[Place, object]] = []
        try:
            self._put(places)
        except BaseException:
            self.undo()
            raise

    def _put(self, places: Iterable[Place]) -> None:
        """Put in more values, to be taken out with the others."""
        for place in places:
            before = _own(place.owner, place.name)
            setattr(place.owner, place.name, place.value)
            self._done.append((place, before))

    @property
    def is_on(self) -> bool:
        """Whether the values are in place, as far as this switch is concerned."""
        return bool(self._done)

    def undo(self) -> None:
        """Take the values out again; safe to call twice."""
        while self._done:
            (owner, name, value), before = self._done.pop()
            if _own(owner, name) is not value:
                continue
            if before is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, before)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.undo()


def _own(owner: object, name: str) -> object:
    """The attribute of the owner itself, as it is kept there; `_MISSING` if it has none."""
    try:
        return vars(owner).get(name, _MISSING)
    except TypeError:  # it keeps its attributes in slots
        return getattr(owner, name, _MISSING)
