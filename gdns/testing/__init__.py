"""A DNS server on loopback for tests, with faults on demand.

from gdns.testing import Server, delay, rcode

with Server({"www.example.": {"A": "192.0.2.1"}}) as server:
    server.fault("slow.example.", delay(0.3) | rcode("SERVFAIL"))
    ...  # point the program under test at server.address
    assert server.questions == [("www.example.", "A")]
"""

from gdns.testing.clock import FakeClock
from gdns.testing.contents import chain, padded, rcode, records, shuffled, ttl, wrong_class
from gdns.testing.edns import broken_edns, cookies
from gdns.testing.faults import (
    Fault,
    delay,
    drop,
    duplicate,
    from_address,
    from_port,
    gather,
    healthy,
    in_turn,
    junk,
    over_tcp,
    over_udp,
    silent,
    sometimes,
    then_answer,
    with_edns,
)
from gdns.testing.forms import MALFORMED, cut_at, malformed, marked_truncated, mutated, trailing, truncated
from gdns.testing.link import Link, Way
from gdns.testing.log import LoggedQuery
from gdns.testing.server import Server
from gdns.testing.spoofs import (
    no_question,
    not_a_reply,
    opcode,
    other_case,
    other_class,
    wrong_id,
    wrong_question,
    wrong_type,
)
from gdns.testing.streams import closing, cut, drip, wrong_length

__all__ = [
    "MALFORMED",
    "FakeClock",
    "Fault",
    "Link",
    "LoggedQuery",
    "Server",
    "Way",
    "broken_edns",
    "chain",
    "closing",
    "cookies",
    "cut",
    "cut_at",
    "delay",
    "drip",
    "drop",
    "duplicate",
    "from_address",
    "from_port",
    "gather",
    "healthy",
    "in_turn",
    "junk",
    "malformed",
    "marked_truncated",
    "mutated",
    "no_question",
    "not_a_reply",
    "opcode",
    "other_case",
    "other_class",
    "over_tcp",
    "over_udp",
    "padded",
    "rcode",
    "records",
    "shuffled",
    "silent",
    "sometimes",
    "then_answer",
    "trailing",
    "truncated",
    "ttl",
    "with_edns",
    "wrong_class",
    "wrong_id",
    "wrong_length",
    "wrong_question",
    "wrong_type",
]
