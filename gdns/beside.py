"""Runs a look-up beside the greenlet that wants its result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from greenlet import GreenletExit, greenlet

if TYPE_CHECKING:
    from gdns.approval import AddressPolicy
    from gdns.hubs.protocol import Hub
    from gdns.netdb import AddrInfo

Service = bytes | str | int | None


class Helper(greenlet):
    """Work done in a greenlet of its own, begun in the hub's next turn."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(parent=hub.greenlet)
        self._hub = hub
        self.has_ended = False
        self.failure: BaseException | None = None
        hub.call_soon(self._begin)

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # for those who wait for it
            self.failure = error
        self.has_ended = True
        self._on_end()

    def _work(self) -> None:
        raise NotImplementedError

    def _on_end(self) -> None:
        raise NotImplementedError

    def end(self) -> None:
        """Let it go in the hub's next turn, if it has not ended."""
        if not self.has_ended:
            self._hub.call_soon(self._throw)

    def _begin(self) -> None:
        if not self.dead:
            self.switch()

    def _throw(self) -> None:
        if not self.dead:
            self.throw(GreenletExit)


class Lookup(Helper):
    """A look-up of the endpoints of a TCP service, which no policy has seen.

    `on_news` is called when there is more to `take`, and at the end. What went wrong is the `failure`; it may
    come after endpoints. `is_in_parts` says that they are not in order as a whole.
    """

    def __init__(
        self, hub: Hub, look_up: Callable[[], Iterable[AddrInfo]], on_news: Callable[[], object]
    ) -> None:
        self._look_up = look_up
        self._on_news = on_news
        self._infos: list[AddrInfo] = []
        self.is_in_parts = False
        super().__init__(hub)

    @property
    def has_news(self) -> bool:
        """Whether something has come that was not taken."""
        return bool(self._infos)

    def take(self) -> list[AddrInfo]:
        """What has come since the last time, as getaddrinfo(3) would have it; at the end, all of it."""
        infos, self._infos = self._infos, []
        return infos

    def _work(self) -> None:
        self._infos += self._look_up()

    def _on_end(self) -> None:
        self._on_news()


class Finder(Protocol):
    """Where somebody who connects has the addresses from."""

    hub: Hub
    policy: AddressPolicy | None

    def begin(self, host: bytes | str | None, port: Service, on_news: Callable[[], object]) -> Lookup:
        """Begin to look up the endpoints of a TCP service."""

    def addresses(self, host: str, lifetime: float | None) -> tuple[str, ...]:
        """The addresses of a host of our own, in order; the calling greenlet waits. Raises GaiError."""

    def in_order(self, addresses: Sequence[str]) -> Sequence[str]:
        """The addresses, most promising first (RFC 6724)."""
