"""Sets up what the demo looks up: zones, a DNS server for them, names that take their time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gdns.testing import Server, delay

CHECKOUT_ZONES = Path(__file__).parents[2] / "fixtures" / "zones"

BUILT_IN_ZONES: Mapping[str, Mapping[str, str | list[str]]] = {
    "example.": {
        "SOA": "ns1.example. hostmaster.example. 1 7200 900 1209600 300",
        "NS": "ns1.example.",
        "A": "192.0.2.1",
        "AAAA": "2001:db8::1",
        "MX": ["10 mail.example.", "20 mail2.example."],
        "TXT": '"v=spf1 mx -all"',
    },
    "ns1.example.": {"A": "192.0.2.2", "AAAA": "2001:db8::2"},
    "www.example.": {"A": "192.0.2.80", "AAAA": "2001:db8::80"},
    "alias.example.": {"CNAME": "www.example."},
    "both.example.": {"A": ["192.0.2.5", "198.51.100.5"], "AAAA": "2001:db8::5"},
    "mail.example.": {"A": "192.0.2.25", "AAAA": "2001:db8::25"},
    "mail2.example.": {"A": "198.51.100.25"},
    "v6only.example.": {"AAAA": "2001:db8::6"},
    "_imaps._tcp.example.": {"SRV": "0 1 993 mail.example."},
    "*.wild.example.": {"A": "192.0.2.50", "AAAA": "2001:db8::50"},
}
"""For where gdns is installed without the zones of its source tree."""

SLOW_NAMES = tuple(f"slow{number}.demo.test." for number in range(1, 9))
DELAY = 0.3  # seconds that the server takes to answer for each of them

ZoneSource = str | Mapping[str, Mapping[str, str | list[str]]]
"""A folder of zone files, or names with their records by type."""


def zones_at_hand() -> ZoneSource:
    """Those of the source tree, else the built-in ones."""
    return str(CHECKOUT_ZONES) if CHECKOUT_ZONES.is_dir() else BUILT_IN_ZONES


def serve(zones: ZoneSource, port: int = 0) -> Server:
    """Start a server for some zones and the slow names.

    Raises FileNotFoundError or ValueError for zones that are not there or cannot be read, OSError for a port
    not to be had.
    """
    server = Server(zones, port=port).start()
    try:
        for number, name in enumerate(SLOW_NAMES, 1):
            server.add(f"{name} 60 A 192.0.2.{100 + number}", f"{name} 60 AAAA 2001:db8::{100 + number:x}")
            server.fault(name, delay(DELAY))
    except BaseException:
        server.close()
        raise
    return server
