"""A few look-ups by an installed gdns, outside the source tree: exits with 0 if they are right."""

from __future__ import annotations

import sys

import gdns
from gdns.hubs import NativeHub
from gdns.testing import Server


def main() -> int:
    """Ask a server of our own, or the system where gdns stands without its extensions."""
    assert "site-packages" in gdns.__file__, gdns.__file__
    assert gdns.gethostbyname("localhost") == "127.0.0.1"
    if gdns.Resolver.__module__ == "gdns.alone":
        try:
            gdns.resolve("www.example.", "A")
        except NotImplementedError as error:
            print(f"gdns {gdns.__version__} on {sys.version.split()[0]}, without extensions: {error}")
            return 0
        return 1
    zone = {"www.example.": {"A": "192.0.2.7", "AAAA": "2001:db8::7", "TXT": '"text"'}}
    with Server(zone) as server, gdns.Resolver([server.address]) as resolver:
        hub = NativeHub.of_this_thread()
        tasks = [hub.spawn(resolver.lookup, "www.example") for _ in range(100)]
        hub.join(*tasks)
        assert {frozenset(task.get()) for task in tasks} == {frozenset(("192.0.2.7", "2001:db8::7"))}
        assert resolver.resolve("www.example", "TXT")[0].to_text() == '"text"'
        assert resolver.getaddrinfo("www.example", 443, proto=6)[0][4][1] == 443
        print(f"gdns {gdns.__version__} on {sys.version.split()[0]}: {server.query_count} queries")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
