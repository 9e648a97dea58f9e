"""Remembers for a while which addresses could not be connected to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from time import monotonic

from gdns.threads import QuietLock

KEEP_FOR = 30.0  # seconds
MOST = 1024  # addresses


class Refusals:
    """Addresses that failed in the last `keep_for` seconds, the latest `most` of them.

    `clock` gives seconds. May be used by any thread.
    """

    def __init__(
        self, *, keep_for: float = KEEP_FOR, most: int = MOST, clock: Callable[[], float] = monotonic
    ) -> None:
        self._keep_for = keep_for
        self._most = most
        self._clock = clock
        self._expires_at: OrderedDict[Hashable, float] = OrderedDict()  # the oldest first
        self._lock = QuietLock()

    def note(self, address: Hashable) -> None:
        """An address has failed."""
        with self._lock:
            self._expires_at.pop(address, None)
            self._expires_at[address] = self._clock() + self._keep_for
            while len(self._expires_at) > self._most:
                self._expires_at.popitem(last=False)

    def forget(self, address: Hashable) -> None:
        """An address has been connected to."""
        if self._expires_at:
            with self._lock:
                self._expires_at.pop(address, None)

    def have(self, address: Hashable) -> bool:
        """Whether an address failed a short while ago."""
        if not self._expires_at:
            return False
        expires_at = self._expires_at.get(address)
        return expires_at is not None and self._clock() < expires_at

    def clear(self) -> None:
        """Forget all addresses."""
        with self._lock:
            self._expires_at.clear()

    def __len__(self) -> int:
        return len(self._expires_at)
