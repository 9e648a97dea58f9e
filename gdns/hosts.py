"""The hosts file, exactly as glibc 2.36 reads it (nss_files)."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from itertools import islice
from math import inf
from socket import AF_INET, AF_INET6, AF_UNSPEC, inet_ntop, inet_pton
from typing import NamedTuple

from gdns.files import WatchedFile
from gdns.names import LOOPBACK_IPV4, LOOPBACK_IPV6

MAX_OCTETS = 64 << 20
_SLICE = 1 << 16  # octets indexed in one call, some 3 ms
_MEMO = 1024  # answers kept ready made
_BIT = 1  # of 64: compiled, a number that is written out has only 32

_MAPPED = bytes(10) + b"\xff\xff"
_LOOPBACK4 = inet_pton(AF_INET, LOOPBACK_IPV4)
_LOOPBACK6 = inet_pton(AF_INET6, LOOPBACK_IPV6)


class Hit:
    """What the hosts file says about a name or an address; glibc keeps what is said twice, so it is kept."""

    __slots__ = ("canonical_name", "aliases", "addresses", "_offsets", "_content")

    def __init__(
        self,
        canonical_name: str,
        aliases: tuple[str, ...],
        addresses: tuple[str, ...],
        offsets: tuple[int, ...],
        content: bytes,
    ) -> None:
        self.canonical_name = canonical_name
        self.aliases = aliases
        self.addresses = addresses
        self._offsets = offsets
        self._content = content

    @property
    def lines(self) -> tuple[int, ...]:
        """The numbers of the lines that say so."""
        return tuple(self._content.count(b"\n", 0, offset) + 1 for offset in self._offsets)


class HostsFile:
    """The hosts file, read again when it changes; for the use of one thread.

    `multi` is host.conf's word: whether all the lines of a name count, or only the first that fits the
    family. However long the file, no call stands still for it: it is indexed slice by slice, one with each
    call, and what has no index yet is searched.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] = "/etc/hosts",
        *,
        multi: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.multi = multi
        self.clock = clock
        self.is_missing = False  # when it was last looked for
        self.look_at = -inf  # the moment of the clock from which on the file is looked at again
        self._file = WatchedFile(path, _Table, clock=clock, max_octets=MAX_OCTETS)
        self._table: _Table

    @property
    def path(self) -> str:
        """Where the file is."""
        return self._file.path

    def look(self) -> object:
        """What the file says, at most a second old by the clock: another object when that has changed."""
        return self._current()

    def _current(self) -> _Table:
        now: float = self.clock()
        if now >= self.look_at:
            self._table = self._file.current()
            self.is_missing = self._file.is_missing
            self.look_at = self._file.look_at
        return self._table

    def addresses(self, name: str | bytes, family: int = AF_UNSPEC) -> Hit | None:
        """The addresses of a name in the order of the lines, with what gethostbyname calls it.

        Names are compared without regard to ASCII case; a final dot is literal. For AF_INET, a mapped address
        counts as the IPv4 address, ::1 as 127.0.0.1.
        """
        table = self._current()
        if not isinstance(name, str):
            octets = name
        else:
            text: str = name
            if not text.isascii():
                octets = text.encode("utf-8", "surrogateescape")
            elif table.lacks_length(len(text)):
                return None
            else:
                octets = text.encode("ascii")
        return table.addresses(octets.lower(), family, self.multi)

    def names(self, packed: bytes) -> Hit | None:
        """What the first line with this address, 4 or 16 octets, calls it.

        For IPv4, a line with the mapped address counts; for 127.0.0.1 so does one with ::1.
        """
        return self._current().names(packed)


class _Table:
    """What one version of the file says."""

    def __init__(self, content: bytes) -> None:
        if b"\0" in content:  # to glibc, a NUL ends its line
            content = re.sub(rb"\0[^\n]*", b"", content)
        self._content = content
        self._index = _Index(content.lower())
        self._memo: dict[tuple[bytes, int, bool], Hit] = {}

    def lacks_length(self, length: int) -> bool:
        """Whether it is certain that no name has so many octets: most that are looked up are longer."""
        return self._index.lacks_length(length)

    def addresses(self, name: bytes, family: int, multi: bool) -> Hit | None:
        if self._index.lacks(name):
            return None
        memo_key = (name, family, multi)
        hit = self._memo.get(memo_key)
        if hit is None:
            hit = self._find(name, family, multi)
            if hit is not None:
                if len(self._memo) >= _MEMO:
                    self._memo.clear()
                self._memo[memo_key] = hit
        return hit

    def _find(self, name: bytes, family: int, multi: bool) -> Hit | None:
        lines = map(self._line, self._index.find_name(name))
        fitting = (line for line in lines if line and line.fits(family) and line.calls(name))
        return self._hit(list(fitting if multi else islice(fitting, 1)), family)

    def names(self, packed: bytes) -> Hit | None:
        family = AF_INET if len(packed) == 4 else AF_INET6
        spellings = [packed]
        if family == AF_INET:
            spellings.append(_MAPPED + packed)
        if packed == _LOOPBACK4:
            spellings.append(_LOOPBACK6)
        for line in map(self._line, self._index.find_address(spellings)):
            if line and line.fits(family) and line.packed_as(family) == packed:
                return self._hit([line], family)
        return None

    def _line(self, offset: int) -> _Line | None:
        end = self._content.find(b"\n", offset)
        line = self._content[offset:] if end < 0 else self._content[offset:end]
        words = line.partition(b"#")[0].split()
        packed = _pton(words[0]) if words else None
        if packed is None:
            return None
        name, *aliases = words[1:] or [b""]
        return _Line(offset, packed, name, aliases)

    def _hit(self, lines: list[_Line], family: int) -> Hit | None:
        if not lines:
            return None
        canonical_name = lines[0].name
        aliases = list(lines[0].aliases)
        for line in lines[1:]:
            aliases += line.aliases
            if line.name != canonical_name:
                aliases.append(line.name)
        packed = [line.packed_as(family) for line in lines]
        return Hit(
            os.fsdecode(canonical_name),
            tuple(map(os.fsdecode, aliases)),
            tuple(inet_ntop(AF_INET if len(octets) == 4 else AF_INET6, octets) for octets in packed),
            tuple(line.offset for line in lines),
            self._content,
        )


class _Line(NamedTuple):
    offset: int
    packed: bytes
    name: bytes
    aliases: list[bytes]

    def calls(self, name: bytes) -> bool:
        return self.name.lower() == name or any(alias.lower() == name for alias in self.aliases)

    def fits(self, family: int) -> bool:
        return family == AF_UNSPEC or len(self.packed_as(family)) == (4 if family == AF_INET else 16)

    def packed_as(self, family: int) -> bytes:
        """The address as a caller sees who wants this family."""
        if family != AF_INET or len(self.packed) == 4:
            return self.packed
        if self.packed.startswith(_MAPPED):
            return self.packed[12:]
        return _LOOPBACK4 if self.packed == _LOOPBACK6 else self.packed


def _pton(address: bytes) -> bytes | None:
    try:
        return inet_pton(AF_INET6 if b":" in address else AF_INET, address.decode("ascii"))
    except (OSError, ValueError):
        return None


def _last_words(packed: bytes) -> list[bytes]:
    """Patterns for the ways an address ends in, however it is abbreviated."""
    dotted = re.escape(inet_ntop(AF_INET, packed[-4:]).encode("ascii"))
    if len(packed) == 4:
        return [dotted]
    group = b"%x" % int.from_bytes(packed[-2:], "big")
    return [dotted, rb"%b(?<=[:0]%b)" % (group, group), *([b":"] if group == b"0" else [])]


class _Index:
    """Where in the lower-cased content a name or an address may be spoken of: more lines, but never fewer."""

    def __init__(self, lowered: bytes) -> None:
        self._lowered = lowered
        self._end = len(lowered)
        self._indexed_to = 0
        # few names have more than one line: a list for each would cost more than all the rest
        self._first: dict[bytes, int] = {}
        self._others: dict[bytes, list[int]] = {}
        self._lengths = 0  # a bit for each length of what is in `_first`, modulo 63

    def lacks_length(self, length: int) -> bool:
        return self._indexed_to >= self._end and not self._lengths >> length % 63 & 1

    def lacks(self, name: bytes) -> bool:
        """Whether it is certain that no line calls something so."""
        return name not in self._first and self._indexed_to >= self._end

    def find_name(self, name: bytes) -> Iterator[int]:
        """The offsets of the lines that may call something so, in order."""
        self._index_slice()
        yield from self._indexed(name)
        if name:
            literal = re.escape(name)
            yield from self._search(
                rb"%b(?<=\s%b)" % (literal, literal)
            )  # a literal first is searched fastest
        else:  # an address alone on its line
            yield from self._search(rb"\n[^\S\n]*+[0-9a-f.:]++[^\S\n]*+")

    def find_address(self, spellings: list[bytes]) -> list[int]:
        """The offsets of the lines that may have one of these packed addresses, in order."""
        self._index_slice()
        offsets = {offset for packed in spellings for offset in self._indexed(packed)}
        for pattern in {pattern for packed in spellings for pattern in _last_words(packed)}:
            offsets.update(self._search(pattern))
        return sorted(offsets)

    def _indexed(self, key: bytes) -> list[int]:
        first = self._first.get(key)
        return [] if first is None else [first, *self._others.get(key, ())]

    def _search(self, pattern: bytes) -> Iterator[int]:
        """Search what is not indexed yet for a word that ends so."""
        if self._indexed_to >= self._end:
            return
        last = -1
        for found in re.compile(pattern + rb"(?=[\s#]|\Z)").finditer(self._lowered, self._indexed_to - 1):
            offset = self._lowered.rfind(b"\n", 0, found.end()) + 1
            if offset != last:
                yield offset
            last = offset

    def _index_slice(self) -> None:
        offset = self._indexed_to
        if offset >= self._end:
            return
        end = self._lowered.find(b"\n", offset + _SLICE) + 1 or self._end
        for line in self._lowered[offset:end].split(b"\n"):
            words = line.partition(b"#")[0].split()
            packed = _pton(words[0]) if words else None
            if packed is not None:
                for key in {packed, *(words[1:] or (b"",))}:
                    self._lengths |= _BIT << len(key) % 63
                    if self._first.setdefault(key, offset) != offset:
                        self._others.setdefault(key, []).append(offset)
            offset += len(line) + 1
        self._indexed_to = end
        if end >= self._end:
            self._lowered = b""  # nothing is left to search
