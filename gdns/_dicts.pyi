"""A dict, or a kind of dict, looked into without the way through its methods."""

from collections.abc import Mapping
from typing import TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")

def value_of(mapping: Mapping[_K, _V], key: _K) -> _V | None:
    """What `dict.get(mapping, key)` gives: a subclass' own `get` and `__getitem__` are not asked."""
