"""dnspython's own tests of its resolver pass with gdns in its place.

They are in its source distribution, of the version that is installed, and are fetched from the package index.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import dns.rdatatype
import dns.zone
import pytest

import gdns
from gdns.testing import Server

ROOT = Path(__file__).parent.parent
VERSION = importlib.metadata.version("dnspython")
FILES = ("test_resolver.py", "test_resolver_override.py", "test_resolution.py", "test_exceptions.py")

LIVE = "asks servers on the Internet for names that are there"
COMPARES = "compares with what the system's resolver says of a name on the Internet"
NOT_APPLICABLE = {
    "test_resolver.py::LiveResolverTests": LIVE,
    "test_resolver_override.py::OverrideSystemResolverTestCase::test_basic_getaddrinfo": COMPARES,
    "test_resolver_override.py::OverrideSystemResolverTestCase::test_getaddrinfo_service": COMPARES,
    "test_resolver_override.py::OverrideSystemResolverTestCase::test_gethostbyaddr": COMPARES,
    "test_resolver_override.py::OverrideSystemResolverTestCase::test_getnameinfo_tcp": COMPARES,
    "test_resolver_override.py::OverrideSystemResolverTestCase::test_getnameinfo_udp": COMPARES,
    "test_resolver_override.py::OverrideSystemResolverTestCase::test_override": LIVE,
}
# those that ask a server, of its own on loopback, through what gdns has put in place
ASKING = {
    "test_resolver.py::NanoTests::testE164Query",
    "test_resolver.py::NanoTests::testNXDOMAINWithoutSOACachedBriefly",
    "test_resolver.py::ZoneForNameTests::testHelpfulNXDOMAIN",
    "test_resolver.py::ZoneForNameTests::testHelpfulNoErrorNoData",
    "test_resolver.py::ZoneForNameTests::testNoRootSOA",
    "test_resolver.py::testResolverTimeout",
    "test_resolver.py::testResolverNoNameservers",
    "test_resolver.py::testZoneForNameLifetimeTimeout",
}
AT_LEAST = 80  # of 2.8 and later

IN_PLACE = """
import gdns

def pytest_configure(config):
    import tests.util

    tests.util.is_internet_reachable = lambda: True  # asked for by tests of servers on loopback, too
    gdns.patch_dnspython()
"""


def sources() -> Path:
    """The unpacked source distribution, fetched unless that was done before."""
    folder = ROOT / "build" / "dnspython"
    unpacked = folder / f"dnspython-{VERSION}"
    if not unpacked.is_dir():
        words = ["download", "--quiet", "--no-binary", "dnspython", "--no-deps", "--dest", str(folder)]
        fetched = subprocess.run(
            [sys.executable, "-m", "pip", *words, f"dnspython=={VERSION}"],
            capture_output=True,
            text=True,
            timeout=300,
        )
        if fetched.returncode and "CI" not in os.environ:
            pytest.skip(f"the package index gives no sources of dnspython {VERSION}: {fetched.stderr[-200:]}")
        assert fetched.returncode == 0, fetched.stderr
        with tarfile.open(folder / f"dnspython-{VERSION}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
    return unpacked


def test_dnspythons_own_tests_pass_with_gdns_in_place(tmp_path):
    (tmp_path / "tests").symlink_to(sources() / "tests")  # without dnspython itself, which is installed
    (tmp_path / "gdns_in_place.py").write_text(IN_PLACE)
    words = ["-p", "gdns_in_place", "-p", "no:cacheprovider", "-rA", "-q"]
    for name in NOT_APPLICABLE:
        words += ["--deselect", f"tests/{name}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, *(f"tests/{file}" for file in FILES)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    results = re.findall(
        r"^(PASSED|FAILED|ERROR|SKIPPED|XFAIL) (?:\[\d+\] )?tests/(\S+)", done.stdout, re.MULTILINE
    )
    passed = {name for result, name in results if result == "PASSED"}
    others = [(result, name) for result, name in results if result != "PASSED"]
    assert others == [], done.stdout[-5000:]
    assert passed >= ASKING, done.stdout[-5000:]
    assert len(passed) >= AT_LEAST


def test_every_type_that_dnspython_reads_is_answered():
    """Its example zone has records of all types, an unknown one among them."""
    file = str(sources() / "tests" / "example")
    zone = dns.zone.from_file(file, "example.", relativize=False)
    types = set()
    with Server() as server, gdns.Resolver(nameservers=[server.address], timeout=10.0) as resolver:
        server.add(*zone.to_text(relativize=False).splitlines())
        for name, rdataset in zone.iterate_rdatasets():
            # dnspython has no `rrset` for signatures that are asked for as such
            answer = resolver.resolve(name, rdataset.rdtype, raise_on_no_answer=False)
            (rrset,) = answer.response.answer
            assert (rrset.name, rrset.ttl, set(rrset)) == (name, rdataset.ttl, set(rdataset))
            assert answer.rrset == (None if rdataset.rdtype == dns.rdatatype.RRSIG else rrset)
            types.add(dns.rdatatype.to_text(rdataset.rdtype))
    assert len(types) >= 55
    assert types >= {"MX", "HTTPS", "TLSA", "LOC", "RRSIG", "APL", "HIP", "DNAME", "TYPE999"}


def test_what_cannot_apply_is_there_by_these_names():
    text = {file: (sources() / "tests" / file).read_text() for file in FILES}
    for name in NOT_APPLICABLE:
        file, *parts = name.split("::")
        assert all(re.search(rf"\b(?:class|def) {part}\b", text[file]) for part in parts), name
