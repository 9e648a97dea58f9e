"""The test server as a test sees it."""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, cast, get_args

from gdns.resolvconf import DNS_PORT
from gdns.testing.clock import FakeClock
from gdns.testing.faults import Fault, as_json, check_seconds
from gdns.testing.link import Link
from gdns.testing.listeners import TcpManners
from gdns.testing.log import LoggedQuery
from gdns.testing.process import Process
from gdns.testing.sources import Records, ZoneSource, read_source, record_lines
from gdns.testing.wholesystem import resolv_conf, run_with

if TYPE_CHECKING:
    from gdns.hubs import Hub
    from gdns.testing.handlers import Handler
    from gdns.testing.inside import InHub, InThread

POLL = 0.001  # seconds between two looks at the log

Mode = Literal["process", "thread", "hub"]


class Server:
    """A DNS server over UDP and TCP on loopback: in a process of its own, a thread, or the caller's hub.

    It answers like a resolver that knows nothing but its zones: with AA and RA, through CNAMEs and wildcards,
    with the SOA where there is nothing, and REFUSED outside. TCP serves several queries on a connection; UDP
    honours the size given with EDNS.

    >>> with Server({"www.example.": {"A": "192.0.2.1"}}) as server:
    ...     server.address.startswith("127.0.0.1:"), server.questions
    (True, [])
    """

    def __init__(
        self,
        zones: ZoneSource | Handler | None = None,
        *,
        handler: Handler | None = None,
        mode: Mode | None = None,
        hub: Hub | None = None,
        clock: FakeClock | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        tcp_idle: float = 5.0,
        receive_buffer: int | None = None,
        link: Link | None = None,
        seed: int = 1,
    ) -> None:
        """Prepare a server; `start` or `with` starts it.

        `zones` is a zone file, a folder of `*.zone` files, a dict such as
        `{"www.example.": {"A": ["192.0.2.1"], "MX": (60, "10 mail.example.")}}`, or lines such as
        `"www.example. 60 A 192.0.2.1"`. Names are absolute, with or without the final dot; data is written as
        in a master file; the TTL is 300 seconds where none is given. A name with an empty dict is an empty
        zone; a file without $ORIGIN is called after its zone. `host` is an IPv4 or IPv6 address; `port` 0 is
        any free one; `tcp_idle` is the seconds after which an idle connection is closed. `receive_buffer` is
        SO_RCVBUF of its UDP socket, in octets (socket(7)), by default as large as can be had; `link` is what
        datagrams travel over; `seed` begins the chances of faults, which are the same for the same seed,
        question, and number of times it was asked.

        `handler` is a function that is given each query, a `LoggedQuery`, and returns what is sent: records
        (a dict of types and data, or lines in which `@` is the name asked for), a fault, bytes, or None for
        what the zones say. It may stand in place of `zones`: None is NXDOMAIN then. If it raises something,
        SERVFAIL is sent, and the end of the `with` statement raises it again.

        `mode` is where the server runs: in a "process" of its own; in a "thread", the default with a handler;
        or in the caller's "hub" (gevent's, eventlet's or gdns' own), where one thread does everything, in an
        order that is always the same. There it serves while its thread's greenlets wait on the hub, so that
        nothing that stops the hub can be its client; a handler there may not wait. `hub` is only needed to
        choose one where several could be meant; `clock` is the clock of what is delayed there.

        Raises ValueError, TypeError or FileNotFoundError.
        """
        if callable(zones):
            if handler is not None:
                raise TypeError("there are two handlers, one of them in place of zones")
            zones, handler = None, zones
        if handler is not None and not callable(handler):
            raise TypeError(f"a handler is a function of a query, which {handler!r} is not")
        if mode not in (None, *get_args(Mode)):
            raise ValueError(f"a server runs in a {', '.join(get_args(Mode))}, not in {mode!r}")
        if handler is not None and mode == "process":
            raise ValueError("a handler cannot be taken to another process: the mode is thread or hub")
        if hub is not None:
            if mode not in (None, "hub"):
                raise ValueError(f"with a hub, the mode is hub, not {mode}")
            mode = "hub"
        if clock is not None and mode != "hub":
            raise ValueError("a clock needs the mode hub")
        if clock is not None and not isinstance(clock, FakeClock):
            raise TypeError(f"a clock is a gdns.testing.FakeClock, which {clock!r} is not")
        if not 0 <= port <= 65535:
            raise ValueError(f"a port is between 0 and 65535, which {port} is not")
        if not tcp_idle > 0:
            raise ValueError(f"tcp_idle is a positive number of seconds, not {tcp_idle!r}")
        if receive_buffer is not None and not 0 < receive_buffer < 1 << 30:
            raise ValueError(f"receive_buffer is a positive number of octets, not {receive_buffer!r}")
        if link is not None and not isinstance(link, Link):
            raise TypeError(f"a link is a gdns.testing.Link, which {link!r} is not")
        self._receive_buffer = receive_buffer
        self._link = link
        self._seed = int(seed)
        self._host = str(ipaddress.ip_address(host))
        self._wanted_port = port
        self._tcp_idle = tcp_idle
        self._handler = handler
        self._mode: Mode = mode or ("thread" if handler else "process")
        self._hub = hub
        self._clock = clock
        self._records = self._read(zones)
        self._runs: Process | InThread | InHub | None = None
        self._port = 0

    def __repr__(self) -> str:
        return f"<Server {self.address}>" if self._runs else "<Server, not running>"

    def __enter__(self) -> Self:
        return self if self._runs else self.start()

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        raised = self.handler_error
        self.close()
        if raised is not None and error is None:
            raise raised

    # -- where it runs

    def start(self) -> Self:
        """Start serving.

        Raises ValueError for records that cannot be read, OSError for a port not to be had.
        """
        if self._runs:
            raise RuntimeError("the server is running already")
        self._runs = self._run()
        try:
            self._ask("reset", **self._records._asdict())
            self._port = cast(
                int,
                self._ask(
                    "listen",
                    host=self._host,
                    port=self._wanted_port,
                    tcp_idle=self._tcp_idle,
                    receive_buffer=self._receive_buffer,
                    seed=self._seed,
                ),
            )
            if self._link is not None:
                self.link(self._link)
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Stop serving, and end the process or thread. Safe to call twice; `start` makes a new one."""
        if self._runs:
            self._runs.close()
            self._runs = None

    def stop_listening(self) -> None:
        """Close the port: queries over UDP and connections are refused. What is pending is dropped."""
        self._ask("stop")

    def resume(self) -> None:
        """Open the port again, the same one; the end of `flap`, too."""
        self._ask("resume")

    def flap(self, up: float, down: float) -> None:
        """Be there for `up` seconds, stop listening for `down`, and so on until `resume` or `reset`.

        Raises ValueError for what is no number of seconds above 0.
        """
        for seconds in (up, down):
            check_seconds("a time to be there or away", seconds)
            if not seconds:
                raise ValueError("a server flaps in steps of more than 0 seconds")
        self._ask("flap", up=up, down=down)

    def tcp(self, manners: TcpManners) -> None:
        """How it treats TCP from now on, while UDP is served: connections that are open are closed.

        It can "serve", "refuse" connections, "close" them at once, or let them "hang", accepted by the
        kernel and never read. Raises ValueError for anything else.
        """
        if manners not in get_args(TcpManners):
            raise ValueError(f"TCP can be {', '.join(get_args(TcpManners))}, not {manners!r}")
        self._ask("tcp", manners=manners)

    def link(self, link: Link | None) -> None:
        """Let datagrams travel over a link from now on, to the server and back; None takes it away."""
        if link is not None and not isinstance(link, Link):
            raise TypeError(f"a link is a gdns.testing.Link, which {link!r} is not")
        self._ask("link", link=None if link is None else link.as_json())

    @property
    def is_running(self) -> bool:
        """Whether it has been started, and not closed; `stop_listening` is not its end."""
        return self._runs is not None

    @property
    def host(self) -> str:
        """The address it listens on."""
        return self._host

    @property
    def port(self) -> int:
        """The port, the same for UDP and TCP. Raises RuntimeError until started."""
        if not self._runs:
            raise RuntimeError("the server is not running")
        return self._port

    @property
    def address(self) -> str:
        """Host and port, as in "127.0.0.1:5300" and "[::1]:5300"."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def mode(self) -> Mode:
        """Where it runs: "process", "thread" or "hub"."""
        return self._mode

    def resolv_conf(
        self, path: str | os.PathLike[str], *, search: Iterable[str] = (), options: Iterable[str] = ()
    ) -> Path:
        """Write a resolv.conf(5) that names this server, for programs that have never heard of gdns.

        `search` are domains, `options` words such as "timeout:1". That file has no place for a port: raises
        ValueError unless the server's is 53, as with `Server(host="127.0.0.53", port=53)`, which a port
        below 1024 allows to root, and to anybody in `unshare --map-root-user --net`.
        """
        path = Path(path)
        self._check_port()
        path.write_text(resolv_conf(self.host, search, options))
        return path.absolute()

    def command(
        self, argv: Sequence[str], *, search: Iterable[str] = (), options: Iterable[str] = ()
    ) -> list[str]:
        """The command that runs a program as if this server were the system's: for `subprocess.run`.

        In a mount namespace of the program's own (unshare(1)), /etc/resolv.conf is what `resolv_conf` writes,
        and /etc/nsswitch.conf says `hosts: files dns`. It needs root, or leave for users to make namespaces.
        Raises ValueError as `resolv_conf` does.
        """
        self._check_port()
        return run_with(resolv_conf(self.host, search, options), argv)

    def _check_port(self) -> None:
        if self.port != DNS_PORT:
            raise ValueError(
                f"resolv.conf(5) has no place for a port, and this server's is {self.port}: "
                'start it with host="127.0.0.53", port=53, as root or in `unshare -rn`'
            )

    # -- what it knows

    @property
    def rrsets(self) -> list[tuple[str, str, int]]:
        """Name, in lower case, type and number of its records, in order: [("www.example.", "A", 1)]."""
        rrsets = cast(list[tuple[str, str, int]], self._ask("rrsets"))
        return [(name, rdtype, size) for name, rdtype, size in rrsets]

    def add(self, *records: str) -> None:
        """Add records, each a line such as "www.example. 60 A 192.0.2.7".

        A record in no zone founds one at its top label. Raises ValueError for a record that cannot be
        read, with the part of it that is wrong; none is added then.
        """
        self._ask("add", lines=record_lines(records))

    def remove(self, name: str, rdtype: str | None = None) -> None:
        """Remove the records of a name, or those of one type. Raises ValueError if there are none."""
        self._ask("remove", name=name, rdtype=rdtype)

    def reset(self, zones: ZoneSource | None = None) -> None:
        """Begin anew on the same port: these zones, no faults, no link, an empty log and nothing pending.

        A handler stays.
        """
        self._ask("reset", **self._read(zones)._asdict())

    # -- what it saw

    @property
    def questions(self) -> list[tuple[str, str]]:
        """Name, in lower case, and type of the queries seen: [("www.example.", "A")]."""
        return [(query.name, query.rdtype) for query in self.queries]

    @property
    def queries(self) -> list[LoggedQuery]:
        """The queries seen, oldest first; the last million of them."""
        return self.queries_after(0)

    def queries_after(self, seen: int) -> list[LoggedQuery]:
        """The queries that came after so many had come: what is new to whoever has seen those."""
        fields_of_all = cast(list[list[object]], self._ask("log", seen=seen))
        return [LoggedQuery._make(fields) for fields in fields_of_all]

    @property
    def query_count(self) -> int:
        """How many queries were seen."""
        return cast(int, self._ask("count", name=None))

    def wait_for_query(
        self,
        name: str | None = None,
        *,
        count: int = 1,
        timeout: float = 5.0,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        """Wait until so many queries (for that name) were seen in all.

        `sleep` lets others run meanwhile, as `gevent.sleep` does; if it is not given, it is `time.sleep`, or
        the hub's for a server there. Raises TimeoutError after `timeout` seconds.
        """
        rest = sleep or getattr(self._runs, "sleep", None)
        deadline = time.monotonic() + timeout
        while (seen := cast(int, self._ask("count", name=name))) < count:
            if time.monotonic() >= deadline:
                raise TimeoutError(f"saw {seen} of {count} queries for {name or 'any name'} in {timeout:g} s")
            (rest or time.sleep)(POLL)  # looked up each time: it may get patched

    def clear(self) -> None:
        """Forget the queries seen and the faults."""
        self._ask("clear")

    # -- what goes wrong

    def fault(
        self, name: str | None, fault: Fault, *, rdtype: str | None = None, times: int | None = None
    ) -> None:
        """Let queries for a name and type (None: any) meet a fault, so many times (None: always).

        `*.example.` stands for all names below `example.`. The fault set most narrowly counts, name before
        type; a new one takes the place of one set for the same.
        """
        if not isinstance(fault, Fault):
            raise TypeError(f"a fault is made by a call such as silent(), which {fault!r} is not")
        if times is not None and times < 1:
            raise ValueError(f"a fault happens at least once, not {times} times")
        self._ask("fault", name=name, rdtype=rdtype, fault=as_json(fault), times=times)

    def heal(self, name: str | None = None) -> None:
        """Take back the faults set for a name; None: all faults."""
        self._ask("heal", name=name)

    # -- how

    @property
    def handler_error(self) -> BaseException | None:
        """The first exception that the handler has raised since the last `clear` or `reset`, if any."""
        return getattr(self._runs, "handler_error", None)

    def _read(self, zones: ZoneSource | None) -> Records:
        if zones is None and self._handler is not None:
            return Records([], ["."], [])  # so that what the handler does not know has a proper denial
        return read_source(zones)

    def _run(self) -> Process | InThread | InHub:
        if self._mode == "process":
            return Process("gdns.testing.child")
        from gdns import hubs
        from gdns.testing.inside import InHub, InThread

        if self._mode == "thread":
            return InThread(self._handler)
        return InHub(hubs.current(self._hub), self._handler, self._clock)

    def _ask(self, command: str, **arguments: object) -> object:
        if not self._runs:
            raise RuntimeError("the server is not running")
        return self._runs.ask(command, **arguments)
