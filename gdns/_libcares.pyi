"""Finds, checks and loads the c-ares that gdns drives; raises ImportError where there is none to use."""

from collections.abc import Mapping

SYSTEM_LIBRARY: str

def candidates(environ: Mapping[str, str] = ...) -> list[tuple[str, str]]:
    """The (file, where it comes from) of each c-ares to try; the first that loads is the one."""

def version() -> str:
    """The version of the c-ares in use, for instance "1.34.9"."""

def library_file() -> str:
    """The file that the c-ares in use was loaded from."""

def layout() -> dict[str, dict[str, int]]:
    """Sizes (key "") and offsets, in octets, of the structs that gdns mirrors."""
