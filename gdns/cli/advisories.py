"""Knows the published advisories against c-ares, by the versions that they concern."""

from __future__ import annotations

from typing import NamedTuple

KNOWN_TO = "1.34.9"  # the newest c-ares whose release notes this table was made from


class Advisory(NamedTuple):
    """One flaw: its name, the versions from `since` (empty: whichever came first) to before `fixed_in`."""

    name: str
    since: str
    fixed_in: str
    text: str


# From c-ares' release notes and vulnerability page (c-ares.org/vulns.html), and its posts to oss-security
ADVISORIES = (
    Advisory("CVE-2007-3153", "", "1.4.0", "query ids that can be guessed"),
    Advisory("CVE-2016-5180", "", "1.12.0", "ares_create_query() writes an octet out of bounds"),
    Advisory("CVE-2017-1000381", "1.8.0", "1.13.0", "NAPTR replies are read out of bounds"),
    Advisory("CVE-2020-14354", "", "1.16.1", "use after free in ares_getaddrinfo() when destroyed"),
    Advisory("CVE-2020-8277", "", "1.17.0", "replies with many records overrun the caller's array"),
    Advisory("CVE-2021-3672", "1.0.0", "1.17.2", "host names from servers are not checked"),
    Advisory("CVE-2022-4904", "", "1.19.0", "stack overflow in ares_set_sortlist()"),
    Advisory("CVE-2023-31124", "", "1.19.1", "weak random numbers when built by a cross compiler"),
    Advisory("CVE-2023-31130", "", "1.19.1", "buffer underwrite in ares_inet_net_pton()"),
    Advisory("CVE-2023-31147", "", "1.19.1", "query ids that are not random enough"),
    Advisory("CVE-2023-32067", "", "1.19.1", "an empty datagram ends the queries of a socket"),
    Advisory("CVE-2024-25629", "", "1.27.0", "a malformed resolv.conf or nsswitch.conf crashes it"),
    Advisory("CVE-2025-31498", "1.32.3", "1.34.5", "use after free in read_answers()"),
    Advisory("CVE-2025-62408", "1.32.3", "1.34.6", "use after free in read_answers(), another one"),
    Advisory("CVE-2026-33630", "", "1.34.7", "double free when a query ends, reachable by servers over TCP"),
    Advisory("CVE-2026-69184", "", "1.34.7", "chains of compression pointers take seconds to read"),
    Advisory("CVE-2026-69186", "", "1.34.7", "record counts that lie take megabytes"),
    Advisory(
        "GHSA-wpr3-8q3r-4q8c", "", "1.34.9", "memory corruption when cancelled after a failed connection"
    ),
    Advisory(
        "GHSA-fqh5-3x7m-wp44", "", "1.34.9", "a reply from another server than was asked may be accepted"
    ),
    Advisory("GHSA-97vq-4mxv-7vhm", "", "1.34.9", "use after free after a failed connection is shut down"),
    Advisory("GHSA-rf6g-ww74-97qh", "", "1.34.9", "use after free when cancelled from a callback"),
    Advisory("GHSA-mw23-pfg6-2x9r", "", "1.34.9", "use after free of a connection after the socket callback"),
    Advisory("GHSA-v33j-65h4-4ch8", "", "1.34.9", "use after free when cancelled from the server callback"),
    Advisory("GHSA-pj7p-v3cw-hq66", "", "1.34.9", "use after free when servers change in a callback"),
    Advisory("GHSA-grv7-fq5q-9vfc", "", "1.34.9", "use after free of a cached answer"),
)


def against(version: str) -> list[Advisory]:
    """The advisories that concern a version of c-ares, oldest first.

    >>> [advisory.name for advisory in against("1.34.5") if advisory.fixed_in == "1.34.6"]
    ['CVE-2025-62408']
    >>> against(KNOWN_TO)
    []
    """
    number = _number(version)
    return [
        advisory for advisory in ADVISORIES if _number(advisory.since) <= number < _number(advisory.fixed_in)
    ]


def is_newer_than_known(version: str) -> bool:
    """Whether a version came out after the table was made, so that nothing is known about it."""
    return _number(version) > _number(KNOWN_TO)


def _number(version: str) -> tuple[int, ...]:
    """A version to compare: "1.34.9" and "1.34.9-DEV" alike; empty is before all."""
    numeric = version.partition("-")[0]
    return tuple(int(part) for part in numeric.split(".") if part.isdigit())
