"""Says which extra of the distribution brings a package that is missing."""

from __future__ import annotations


def missing(error: ModuleNotFoundError, extra: str) -> ModuleNotFoundError:
    """The error to raise in place of `error`, which says what to install.

    >>> print(missing(ModuleNotFoundError("No module named 'idna'", name="idna"), "idna"))
    No module named 'idna': pip install 'gdns-resolver[idna]'
    """
    return ModuleNotFoundError(
        f"{error.msg}: pip install 'gdns-resolver[{extra}]'", name=error.name, path=error.path
    )
