"""Bare packets under gevent's hub, one at a time: send, wait for the descriptor, receive."""

import socket

import gevent
from workers import V4, argument_parser, expected_addresses, measure, run_on_gevent


def main() -> None:
    arguments = argument_parser().parse_args()
    address, _, port = arguments.server.rpartition(":")
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    sock.connect((address, int(port)))
    hub = gevent.get_hub()
    readable = hub.loop.io(sock.fileno(), 1)
    number = 0

    def lookup(name: str) -> bytes:
        nonlocal number
        number = (number + 1) & 0xFFFF
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        sock.send(number.to_bytes(2, "big") + bytes([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + labels + b"\0\0\1\0\1")
        hub.wait(readable)
        return sock.recv(512)

    arguments.in_flight = 1
    assert lookup("n0.bench.example")[-4:] == socket.inet_aton(*expected_addresses("n0.bench.example", V4))
    measure(
        "bare packets on gevent",
        arguments,
        run_on_gevent,
        lookup,
        lambda reply: {socket.inet_ntoa(reply[-4:])},
        V4,
    )


if __name__ == "__main__":
    main()
