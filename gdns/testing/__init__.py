"""A DNS server on loopback for tests, with faults on demand.

from gdns.testing import Server, delay, rcode

with Server({"www.example.": {"A": "192.0.2.1"}}) as server:
    server.fault("slow.example.", delay(0.3) | rcode("SERVFAIL"))
    ...  # point the program under test at server.address
    assert server.questions == [("www.example.", "A")]
"""

from gdns.testing.faults import (
    Fault,
    delay,
    malformed,
    rcode,
    silent,
    then_answer,
    truncated,
    wrong_id,
)
from gdns.testing.log import LoggedQuery
from gdns.testing.server import Server

__all__ = [
    "Fault",
    "LoggedQuery",
    "Server",
    "delay",
    "malformed",
    "rcode",
    "silent",
    "then_answer",
    "truncated",
    "wrong_id",
]
