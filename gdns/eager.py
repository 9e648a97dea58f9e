"""Looks a host up for those who can begin with half of the answer."""

from __future__ import annotations

from collections.abc import Callable
from socket import AF_INET, AF_INET6, SOCK_STREAM
from typing import TYPE_CHECKING, Any, cast

from greenlet import GreenletExit, getcurrent, greenlet

from gdns import netdb
from gdns.endpoints import endpoints
from gdns.hubs.waiter import Waiter
from gdns.netdb import AddrInfo
from gdns.nss import Files, Nss
from gdns.outcome import ANSWER

if TYPE_CHECKING:
    from gdns._wire import Question
    from gdns.hubs.protocol import Hub
    from gdns.outcome import Outcome
    from gdns.stub import Stub

Service = bytes | str | int | None


class _Helper(greenlet):
    """A function call in a greenlet of its own, begun in the hub's next turn."""

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


class Lookup(_Helper):
    """Looks up the endpoints of a TCP service, and has those of one family when that has answered.

    `on_news` is called when there is more to `take`, and at the end. No policy is asked. What went wrong is
    the `failure`; it may come after addresses.
    """

    def __init__(
        self, nss: Nss, host: bytes | str | None, port: Service, on_news: Callable[[], object]
    ) -> None:
        self._nss = relayed(nss)
        self._host = host
        self._port = port
        self._on_news = on_news
        self._infos: list[AddrInfo] = []
        self.is_in_parts = False
        super().__init__(nss.stub.hub)

    @property
    def has_news(self) -> bool:
        return bool(self._infos)

    def take(self) -> list[AddrInfo]:
        """What has come since the last time, as getaddrinfo(3) would have it; at the end, all of it."""
        infos, self._infos = self._infos, []
        return infos

    def tell(self, outcome: Outcome) -> None:
        """One family has answered, while the other has not."""
        ends = endpoints(self._port, SOCK_STREAM, 0, False, self._nss.services)
        if outcome.status is not ANSWER or isinstance(ends, int):
            return
        self.is_in_parts = True
        for address in outcome.addresses:
            for kind, protocol, number in ends:
                if ":" in address:
                    self._infos.append((AF_INET6, kind, protocol, "", (address, number, 0, 0)))
                else:
                    self._infos.append((AF_INET, kind, protocol, "", (address, number)))
        self._on_news()

    def _work(self) -> None:
        self._infos += netdb.getaddrinfo(self._nss, self._host, self._port, 0, SOCK_STREAM)

    def _on_end(self) -> None:
        self._on_news()


class _Other(_Helper):
    """The second of two questions."""

    def __init__(
        self, stub: Stub, question: Question, wishes: int, lifetime: float | None, lookup: Lookup
    ) -> None:
        self._stub = stub
        self._question = question
        self._wishes = wishes
        self._lifetime = lifetime
        self._lookup = lookup
        self._waiter: Waiter | None = None
        self.outcome: Outcome | None = None
        super().__init__(stub.hub)

    def wait(self) -> Outcome:
        if not self.has_ended:
            self._waiter = Waiter(self._hub)
            self._waiter.park()
        if self.failure is not None:
            raise self.failure
        assert self.outcome is not None
        return self.outcome

    def _work(self) -> None:
        self.outcome = self._stub.query(self._question, self._wishes, self._lifetime)

    def _on_end(self) -> None:
        if self._waiter is not None:
            self._waiter.wake()
        elif self.outcome is not None:
            self._lookup.tell(self.outcome)


class _Relay:
    """A stub that tells the look-up that asks of the answer to one question while it waits for the other."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stub, name)

    def query(self, question: Question, wishes: int = 0, lifetime: float | None = None) -> Outcome:
        return self._stub.query(question, wishes, lifetime)

    def query_both(
        self, first: Question, second: Question, wishes: int = 0, lifetime: float | None = None
    ) -> tuple[Outcome, Outcome]:
        lookup = getcurrent()
        if not isinstance(lookup, Lookup):
            return self._stub.query_both(first, second, wishes, lifetime)
        other = _Other(self._stub, second, wishes, lifetime, lookup)
        try:
            outcome = self._stub.query(first, wishes, lifetime)
            if not other.has_ended:
                lookup.tell(outcome)
            return outcome, other.wait()
        finally:
            other.end()


def relayed(nss: Nss) -> Nss:
    """The same sources, with a relay before the stub, and no policy."""
    if nss.eager is None:
        nss.eager = Nss(
            cast("Stub", _Relay(nss.stub)),
            nss.settings,
            nss.lifetime,
            Files(nss._hosts, nss.services, nss.sources),
            nss.is_idna2008,
            nss.overrides,
        )
    return nss.eager
