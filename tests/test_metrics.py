"""A resolver's numbers in Prometheus' text format."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from gdns import Resolver
from gdns.metrics import Collector
from gdns.testing import rcode


def samples(registry: CollectorRegistry) -> dict[str, float]:
    lines = generate_latest(registry).decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def test_the_numbers_are_those_of_stats(dns_server, runner):
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault("bad.example.", rcode("SERVFAIL"))
    registry = CollectorRegistry()
    with Resolver(nameservers=[dns_server.address], hub=runner.hub) as resolver:
        registry.register(Collector(resolver, {"resolver": "main"}))
        for name in ("www.example.", "www.example.", "bad.example."):
            try:
                resolver.lookup(name, 2)
            except OSError:
                assert name == "bad.example."
        found = samples(registry)
        stats = resolver.stats()
    assert found['gdns_sent_total{resolver="main"}'] == stats["sent"] == dns_server.query_count
    assert found['gdns_outcomes_total{resolver="main",status="SERVFAIL"}'] == 1
    assert found['gdns_cache_hits_total{resolver="main"}'] == 1
    assert found['gdns_cache_entries{resolver="main"}'] == 2
    server = f'{{resolver="main",server="{dns_server.address}",transport="udp"}}'
    assert 0 < found[f"gdns_server_rtt_seconds{server}"] < 1
    assert found[f"gdns_server_failing{server}"] == 0


def test_without_a_cache_there_is_nothing_to_say_of_it(dns_server, runner):
    registry = CollectorRegistry()
    with Resolver(nameservers=[dns_server.address], cache=False, hub=runner.hub) as resolver:
        registry.register(Collector(resolver))
        assert not any("cache" in name for name in samples(registry))
