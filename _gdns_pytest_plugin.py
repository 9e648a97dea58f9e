"""Fixtures and an option for pytest, which loads this wherever gdns is installed.

So it lies outside of the package, and imports nothing of gdns before a test asks for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gdns import Resolver
    from gdns.overrides import Override
    from gdns.testing import Server


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("gdns").addoption(
        "--gdns-block-network",
        action="store_true",
        help="fail each test that asks a DNS server, or connects or sends, beyond the loopback interface",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "gdns_network: the test may reach the network in spite of --gdns-block-network"
    )
    if config.getoption("--gdns-block-network"):
        from gdns.testing.network import Guard

        config.pluginmanager.register(Guard(config.rootpath), "gdns-block-network")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Below a failed test stands what its servers were asked: a name outside their zones is easily missed."""
    report = yield
    if report.failed and "gdns.testing.server" in sys.modules:
        from gdns.testing.account import account_of

        error = None if call.excinfo is None else call.excinfo.value
        account = account_of(error, getattr(item, "funcargs", {}).values())
        if account:
            report.sections.append(("gdns: what was asked", account))
    return report


@pytest.fixture(scope="session")
def _gdns_server_process() -> Iterator[Server]:
    from gdns.testing import Server

    with Server() as server:
        yield server


@pytest.fixture
def dns_server(_gdns_server_process: Server) -> Server:
    """A `gdns.testing.Server` that has one zone, the empty `example.`, and has seen nothing.

    Its process serves all tests of the session, one after the other.
    """
    if not _gdns_server_process.is_running:  # a test has closed it
        _gdns_server_process.start()
    _gdns_server_process.reset({"example.": {}})
    return _gdns_server_process


@pytest.fixture
def gdns_resolver(dns_server: Server) -> Iterator[Resolver]:
    """A `gdns.Resolver` that asks `dns_server` alone, and knows nothing yet."""
    import gdns

    with gdns.Resolver([dns_server.address], timeout=0.5) as resolver:  # a test of a silent server ends soon
        yield resolver


@pytest.fixture
def gdns_override() -> Iterator[Callable[[Any], Override]]:
    """`gdns.override`, undone at the end of the test: `gdns_override({"api.example": "127.0.0.1"})`."""
    import gdns

    handles: list[Override] = []

    def override(addresses: Any) -> Override:
        handles.append(gdns.override(addresses))
        return handles[-1]

    yield override
    for handle in reversed(handles):
        handle.undo()
