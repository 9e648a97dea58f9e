"""Looks a host up for those who can begin with half of the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from socket import AF_INET, AF_INET6, SOCK_STREAM
from typing import TYPE_CHECKING, Any, cast

from greenlet import getcurrent

from gdns import netdb
from gdns.beside import Helper, Lookup, Service
from gdns.endpoints import endpoints
from gdns.hubs.waiter import Waiter
from gdns.nss import Nss
from gdns.outcome import ANSWER

if TYPE_CHECKING:
    from gdns._wire import Question
    from gdns.approval import AddressPolicy
    from gdns.hubs.protocol import Hub
    from gdns.outcome import Outcome
    from gdns.stub import Stub


class NssFinder:
    """The sources of names of the system, for somebody who connects (`gdns.beside.Finder`)."""

    def __init__(self, nss: Nss) -> None:
        self.hub: Hub = nss.stub.hub
        self.policy: AddressPolicy | None = nss.policy
        self.in_order: Callable[[Sequence[str]], tuple[str, ...]] = nss.in_order
        self._nss = _relayed(nss)

    def begin(self, host: bytes | str | None, port: Service, on_news: Callable[[], object]) -> Lookup:
        return EagerLookup(self.hub, self._nss, host, port, on_news)

    def addresses(self, host: str, lifetime: float | None) -> tuple[str, ...]:
        return netdb.lookup(self._nss, host, 0, lifetime)


class EagerLookup(Lookup):
    """A look-up that has the addresses of one family when that has answered."""

    def __init__(
        self, hub: Hub, nss: Nss, host: bytes | str | None, port: Service, on_news: Callable[[], object]
    ) -> None:
        self._services = nss.services
        self._port = port
        super().__init__(hub, lambda: netdb.getaddrinfo(nss, host, port, 0, SOCK_STREAM), on_news)

    def tell(self, outcome: Outcome) -> None:
        """One family has answered, while the other has not."""
        ends = endpoints(self._port, SOCK_STREAM, 0, False, self._services)
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


class Other(Helper):
    """The second of two questions."""

    def __init__(
        self, stub: Stub, question: Question, wishes: int, lifetime: float | None, lookup: EagerLookup
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
        """Park until it is answered."""
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
        outcome = self._stub.query(question, wishes, lifetime)
        lookup = getcurrent()
        if isinstance(lookup, EagerLookup):
            lookup.tell(outcome)  # resolv.conf's single-request: the other question is yet to be asked
        return outcome

    def query_both(
        self, first: Question, second: Question, wishes: int = 0, lifetime: float | None = None
    ) -> tuple[Outcome, Outcome]:
        lookup = getcurrent()
        if not isinstance(lookup, EagerLookup):
            return self._stub.query_both(first, second, wishes, lifetime)
        other = Other(self._stub, second, wishes, lifetime, lookup)
        try:
            outcome = self._stub.query(first, wishes, lifetime)
            if not other.has_ended:
                lookup.tell(outcome)
            return outcome, other.wait()
        finally:
            other.end()


def _relayed(nss: Nss) -> Nss:
    """The same sources, with a relay before the stub, and no policy."""
    if nss.eager is None:
        nss.eager = nss.over(cast("Stub", _Relay(nss.stub)), None)
    return nss.eager
