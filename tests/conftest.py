"""What the tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gdns.testing import Server

FIXTURES = Path(__file__).parent.parent / "fixtures"


@pytest.fixture(scope="session")
def _dns_server_process() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def dns_server(_dns_server_process: Server) -> Server:
    """A server that has one zone, the empty `example.`, and has seen nothing; its process serves all."""
    _dns_server_process.reset({"example.": {}})
    return _dns_server_process


@pytest.fixture(scope="session")
def zone_server() -> Iterator[Server]:
    """A server with the zones of fixtures/zones, to be asked but not changed."""
    with Server(FIXTURES / "zones") as server:
        yield server
