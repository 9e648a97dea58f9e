"""Measures pycares with a loop of its own, as its documentation draws it: epoll, and nothing around it."""

import select
import socket

import pycares
from workers import BOTH, V4, Tally, argument_parser, now

READ, WRITE = select.EPOLLIN, select.EPOLLOUT


class Loop:
    """The channel and its sockets."""

    def __init__(self, server: str) -> None:
        self.epoll = select.epoll()
        self.fds: set[int] = set()
        self.channel = pycares.Channel(servers=[server], sock_state_cb=self.watch)

    def watch(self, fd: int, readable: bool, writable: bool) -> None:
        events = (READ if readable else 0) | (WRITE if writable else 0)
        if not events:
            self.fds.discard(fd)
            self.epoll.unregister(fd)
        elif fd in self.fds:
            self.epoll.modify(fd, events)
        else:
            self.fds.add(fd)
            self.epoll.register(fd, events)

    def turn(self) -> None:
        ready = self.epoll.poll(self.channel.timeout(1.0))
        for fd, events in ready:
            self.channel.process_fd(
                fd if events & ~WRITE else pycares.ARES_SOCKET_BAD,
                fd if events & WRITE else pycares.ARES_SOCKET_BAD,
            )
        if not ready:
            self.channel.process_fd(pycares.ARES_SOCKET_BAD, pycares.ARES_SOCKET_BAD)


def main() -> None:
    arguments = argument_parser().parse_args()
    tally: Tally[object] = Tally(arguments)
    loop = Loop(arguments.server)
    asks_records = arguments.call == "A"
    ended = 0

    def ask(index: int, name: str) -> None:
        def on_end(found: object, errno: int | None) -> None:
            nonlocal ended
            ended += 1
            if errno is not None:
                tally.failed(pycares.AresError(errno, pycares.errno.strerror(errno)))
            else:
                tally.answers[index] = found

        if asks_records:
            loop.channel.query(name, pycares.QUERY_TYPE_A, callback=on_end)
        else:
            loop.channel.getaddrinfo(name, 80, type=socket.SOCK_STREAM, callback=on_end)

    def look_up(names: list[str], in_flight: int) -> None:
        nonlocal ended
        asked = ended = 0
        while ended < len(names):
            while asked < len(names) and asked - ended < in_flight:
                ask(asked % len(tally.different), names[asked])
                asked += 1
            if ended < len(names):
                loop.turn()

    look_up(tally.different if tally.is_cached else ["warm-up.bench.example"], 1)
    start = now()
    look_up(tally.names, arguments.in_flight)
    end = now()
    if asks_records:
        tally.report("pycares A", start, end, lambda found: {record.data.addr for record in found.answer}, V4)
    else:
        tally.report(
            "pycares getaddrinfo",
            start,
            end,
            lambda found: {node.addr[0].decode() for node in found.nodes},
            BOTH,
        )


if __name__ == "__main__":
    main()
