"""Opens, uses, kills and closes stubs so many times, for a leak checker to look at what is left."""

from __future__ import annotations

import gc
import os
import sys

from gdns._ares import USE_0X20, USE_EDNS, USE_TCP
from gdns._wire import Question
from gdns.hubs import NativeHub
from gdns.servers import ServerAddress, Servers
from gdns.stub import Stub
from gdns.testing import Server, silent, truncated

os.environ["ASAN_OPTIONS"] = "detect_leaks=0"  # of the server's process
WISHES = (0, USE_TCP, USE_EDNS, USE_0X20, USE_EDNS | USE_TCP)


def main(rounds: int) -> None:
    """Ask four questions a round: one is answered, one killed, one closed upon, one dropped with its stub."""
    hub = NativeHub.of_this_thread()
    with Server({"www.example.": {"A": "192.0.2.7"}, "long.example.": {"A": "192.0.2.8"}}) as server:
        server.fault("silent.example.", silent())
        server.fault("long.example.", truncated())
        address = ServerAddress.parse(server.address)
        for number in range(rounds):
            wishes = WISHES[number % len(WISHES)]
            stub = Stub(hub, Servers([address]), timeout=5.0, attempts=1, wishes=wishes)
            name = "long.example." if number % 2 else "www.example."
            assert stub.query(Question(name, 1)).addresses
            killed = hub.spawn(stub.query, Question("silent.example.", 1))
            pending = hub.spawn(stub.query, Question("silent.example.", 28))
            hub.sleep(0)
            killed.kill()
            hub.join(killed)
            if number % 3:
                stub.close()
                hub.join(pending)
            else:
                pending.kill()
                hub.join(pending)
                stub._lane.close()
            del stub, killed, pending
        gc.collect()


if __name__ == "__main__":
    main(int(sys.argv[1]))
