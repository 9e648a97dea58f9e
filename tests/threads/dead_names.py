"""How long live names take among dead ones, with a resolver of gevent's or ours, on a system of its own.

python -m tests.threads.dead_names gdns.gevent.Resolver
python -m tests.threads.dead_names thread

Prints the 99th percentile in seconds: of 200 live names, and of 200 others while 20 dead ones, each of which
takes a second, are looked up.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests.parity import world
from tests.parity.cases import Fault, Setting

LIVE = 200
DEAD = 20
PROGRAM = f"""
import time, gevent, gevent.socket as gs
from gevent.pool import Pool
def look(name):
    began = time.monotonic()
    try:
        gs.getaddrinfo(name, 80)
    except gs.gaierror:
        pass
    return time.monotonic() - began
def p99(prefix):
    seconds = Pool(100).imap_unordered(look, [prefix + str(n) + ".live.example" for n in range({LIVE})])
    return sorted(seconds)[{LIVE * 99 // 100}]
without = p99("a")
dead = [gevent.spawn(look, "n%d.dead.example" % n) for n in range({DEAD})]
gevent.sleep(0.01)
print(without, p99("b"))
gevent.joinall(dead)
"""


def main(resolver: str) -> int:
    if not world.is_inside():
        return world.reenter("tests.threads.dead_names", [resolver])
    with world.World() as here:
        here.become(
            Setting(
                resolv_conf="nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
                records=("*.live.example. 300 A 192.0.2.50", "*.live.example. 300 AAAA 2001:db8::50"),
                faults=tuple(Fault("silent", f"n{number}.dead.example.") for number in range(DEAD)),
            )
        )
        environ = os.environ | {"GEVENT_RESOLVER": resolver}
        return subprocess.run([sys.executable, "-c", PROGRAM], env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
