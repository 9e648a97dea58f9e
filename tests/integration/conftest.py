"""What the tests of real tools share: served names, a web server behind them, programs with the plugin."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from gdns.testing import Server, delay

HERE = Path(__file__).parent
DELAY = 1.0  # seconds that the name server takes; a hub that waits for it stands still for at least that long
PATIENCE = 60.0  # seconds for one program


class Page(BaseHTTPRequestHandler):
    """Answers every GET with the host that was asked for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = (self.headers["Host"] or "").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class WebServer(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True


@pytest.fixture(scope="session")
def web() -> Iterator[int]:
    """The port of a web server on 127.0.0.1, which says what host it was asked for."""
    server = WebServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def names(dns_server: Server) -> Server:
    """A server, slow to answer, for which whatever ends in `web.example` is 127.0.0.1."""
    dns_server.add("*.web.example. 300 A 127.0.0.1")
    dns_server.fault(None, delay(DELAY))
    return dns_server


def environment(names: Server) -> dict[str, str]:
    """That of a program for which one line has made gdns gevent's resolver."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("GEVENT", "GDNS"))}
    return environ | {
        "GEVENT_RESOLVER": "gdns.gevent.Resolver",
        "GEVENT_RESOLVER_NAMESERVERS": names.address,
        "GEVENT_RESOLVER_TIMEOUT": "20",
        "PYTHONPATH": str(HERE),
    }


class Done(NamedTuple):
    """What a program came to: what it printed as JSON, and the longest gap between its hub's turns."""

    said: object
    longest_gap: float


RunApp = Callable[..., Done]


@pytest.fixture
def run_app(names: Server) -> RunApp:
    """Run a program, in which `beat` is a `Beat`; it leaves what it has to say in `said`."""

    def run(program: str, *arguments: object, **environ: str) -> Done:
        before, _, inside = program.partition("# measured\n")
        text = (
            "from gevent import monkey\nmonkey.patch_all()\n"
            "import gevent, json, sys\nfrom beat import Beat\n"
            f"{before}\nwith Beat() as beat:\n"
            + "".join(f"    {line}\n" for line in inside.splitlines())
            + "print(json.dumps([said, beat.longest]))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", text, *map(str, arguments)],
            env=environment(names) | environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        said, longest_gap = json.loads(done.stdout.splitlines()[-1])
        return Done(said, longest_gap)

    return run


def needs(module: str) -> pytest.MarkDecorator:
    """Skip the tests where a tool is not installed. It is not imported here: some patch what imports them."""
    return pytest.mark.skipif(
        importlib.util.find_spec(module) is None,
        reason=f"{module} is not installed: it is in the extra `integration`, which CI installs",
    )


def asked(names: Server, name: str) -> list[str]:
    """The types that were asked for of a name, sorted."""
    return sorted(rdtype for asked_name, rdtype in names.questions if asked_name == name)


def free_port() -> int:
    with socket.socket() as tcp:
        tcp.bind(("127.0.0.1", 0))
        port: int = tcp.getsockname()[1]
        return port


def debian_program(name: str, package: str, folders: str = "/usr/bin:/usr/sbin") -> str:
    """The path of a program of Debian's. The test is skipped where it is not installed; CI installs it."""
    found = shutil.which(name, path=folders)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: {package})")
    return found


def await_port(port: int, process: subprocess.Popen[str], patience: float = PATIENCE) -> None:
    """Wait until somebody listens there."""
    import time

    give_up_at = time.monotonic() + patience
    while True:
        assert process.poll() is None, "the server has ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < give_up_at, "the server did not come up"
            time.sleep(0.02)
