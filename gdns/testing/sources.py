"""Where a test server's records come from, in the forms people write them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

DEFAULT_TTL = 300
EXAMPLE = "www.example. 60 A 192.0.2.7"  # of a record, for messages

Values = str | Iterable[str] | tuple[int, str | Iterable[str]]
"""Data in master file form: one, several, or either after a TTL in seconds."""

ZoneSource = str | os.PathLike[str] | Mapping[str, Mapping[str, Values]] | Iterable[str]
"""A zone file or a folder of `*.zone` files; a dict of names, types and data; lines of a master file."""


class Records(NamedTuple):
    """What a server is to hold."""

    files: list[str]
    origins: list[str]
    """Zones that have nothing in them but an SOA."""
    lines: list[str]


def read_source(source: ZoneSource | None) -> Records:
    """Sort out what the user gave; nothing is parsed yet.

    Raises ValueError or TypeError for what is no source, FileNotFoundError for a path to nowhere.
    """
    if source is None:
        return Records([], [], [])
    if isinstance(source, (str, os.PathLike)):
        return Records(_zone_files(Path(source)), [], [])
    if isinstance(source, Mapping):
        origins = [name for name, rrsets in source.items() if not rrsets]
        return Records([], origins, list(_dict_lines(source)))
    if isinstance(source, bytes) or not isinstance(source, Iterable):
        raise TypeError(f"zones are a path, a dict or lines, not {type(source).__name__}")
    return Records([], [], record_lines(source))


def record_lines(lines: Iterable[str]) -> list[str]:
    """The lines as a list; TypeError or ValueError if they are no lines."""
    lines = list(lines)
    for line in lines:
        if not isinstance(line, str):
            raise TypeError(f"a record is a str such as {EXAMPLE!r}, not {line!r}")
        if "\n" in line:
            raise ValueError(f"a record is one line, which {line!r} is not")
    return lines


def _zone_files(path: Path) -> list[str]:
    # The server's process need not be in our folder any more when it reads them.
    path = path.absolute()
    if not path.exists():
        raise FileNotFoundError(f"no zone file or folder at {path}")
    if not path.is_dir():
        return [str(path)]
    files = sorted(str(file) for file in path.glob("*.zone"))
    if not files:
        raise ValueError(f"no *.zone file in {path}")
    return files


def _dict_lines(zones: Mapping[str, Mapping[str, Values]]) -> Iterator[str]:
    for name, rrsets in zones.items():
        if not isinstance(rrsets, Mapping):
            raise TypeError(f"{name!r} needs a dict of types and data, not {rrsets!r}")
        for rdtype, values in rrsets.items():
            ttl, data = data_of(values)
            for value in data:
                yield from record_lines([f"{name} {ttl} IN {rdtype} {value}"])


def data_of(values: Values) -> tuple[int, list[str]]:
    """The TTL and the data, however they were written. Raises TypeError for what is neither."""
    match values:
        case (int(ttl), data):
            pass
        case _:
            ttl, data = DEFAULT_TTL, values
    return ttl, [data] if isinstance(data, str) else record_lines(data)
