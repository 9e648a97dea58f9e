"""Exports a resolver's numbers to Prometheus.

Needs the package prometheus-client (the extra "metrics")::

    from prometheus_client import REGISTRY
    from gdns.metrics import Collector

    REGISTRY.register(Collector())

Nothing is counted twice: the numbers are those of `Resolver.stats`, read whenever they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from gdns.resolver import default_resolver

try:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
except ModuleNotFoundError as _error:
    from gdns.extras import missing

    raise missing(_error, "metrics") from None

if TYPE_CHECKING:
    from gdns.resolver import Resolver

Samples = Mapping[tuple[str, ...], float]  # values of labels, and the number

_COUNTERS = {
    "questions": "Questions asked of the resolver, whoever answered them",
    "joined": "Questions that joined one under way",
    "sent": "Questions sent to servers",
    "resent": "Questions sent to servers again",
    "prefetched": "Questions asked again before the cache gave up their answer",
    "over_tcp": "Answers that came over TCP",
    "unneeded": "Answers that nobody waited for any longer",
    "in_vain": "Questions about names of the search list that were not the one",
}
_CACHE_COUNTERS = {
    "hits": "Questions that the cache answered",
    "misses": "Questions that it could not answer",
    "stale_hits": "Questions for which it had a stale answer ready",
    "evicted": "Answers given up for want of room",
}


class Collector:
    """A collector of prometheus-client for one resolver; the default one unless told otherwise.

    `labels` are put on every sample, so that several resolvers can be told apart.
    """

    def __init__(self, resolver: Resolver | None = None, labels: dict[str, str] | None = None) -> None:
        self._resolver = resolver or default_resolver()
        self._names = list(labels or {})
        self._values = list((labels or {}).values())

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now; called by the registry."""
        stats = self._resolver.stats()
        for name, text in _COUNTERS.items():
            yield self._counter(name, text, {(): stats[name]})
        outcomes: Samples = {(status,): count for status, count in stats["outcomes"].items()}
        yield self._counter("outcomes", "Questions sent to servers, by how they ended", outcomes, "status")
        dropped: Samples = {(reason,): count for reason, count in stats["dropped"].items()}
        yield self._counter("dropped", "Messages that were no replies to what was asked", dropped, "reason")
        yield self._gauge("pending", "Questions under way", {(): stats["pending"]})
        cache = stats["cache"]
        if cache is not None:
            for name, text in _CACHE_COUNTERS.items():
                yield self._counter(f"cache_{name}", text, {(): cache[name]})
            yield self._gauge("cache_entries", "Answers kept", {(): cache["entries"]})
            yield self._gauge("cache_octets", "Octets they take, about", {(): cache["octets"]})
        servers = stats["servers"]  # one for each hub that asks it
        failing: dict[tuple[str, ...], float] = {}
        rtt: dict[tuple[str, ...], float] = {}
        in_flight: dict[tuple[str, ...], float] = {}
        for server in servers:
            key = (server["address"], server["transport"])
            failing[key] = max(failing.get(key, 0), server["is_failing"])
            rtt[key] = max(rtt.get(key, 0), server["rtt"])
            in_flight[key] = in_flight.get(key, 0) + server["in_flight"]
        labels = ("server", "transport")
        yield self._gauge("server_failing", "Whether a server failed when last asked", failing, *labels)
        yield self._gauge("server_rtt_seconds", "From question to reply, lately", rtt, *labels)
        yield self._gauge(
            "server_in_flight", "Questions sent to a server and not answered", in_flight, *labels
        )

    def _counter(self, name: str, text: str, samples: Samples, *labels: str) -> Metric:
        return self._filled(
            CounterMetricFamily(f"gdns_{name}", text, labels=[*self._names, *labels]), samples
        )

    def _gauge(self, name: str, text: str, samples: Samples, *labels: str) -> Metric:
        return self._filled(GaugeMetricFamily(f"gdns_{name}", text, labels=[*self._names, *labels]), samples)

    def _filled(self, family: CounterMetricFamily | GaugeMetricFamily, samples: Samples) -> Metric:
        for values, value in samples.items():
            family.add_metric([*self._values, *values], value)
        return family
