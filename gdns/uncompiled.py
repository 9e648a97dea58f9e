"""What modules take for `cython` where they run as they are: marks for the compiler."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def no_gc(class_: T) -> T:
    """A class whose objects lead back to nothing: the garbage collector need not know them."""
    return class_


def cclass(class_: T) -> T:
    """A class of C's, as its .pxd says; `no_gc` is for such alone."""
    return class_
