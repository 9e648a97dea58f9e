"""Asks the same of gdns and of its peers, each as it is installed, with nothing set but where to ask.

To be run where /etc/resolv.conf and port 53 may be had: `tests/test_comparison.py` sees to that. Prints JSON:
for each resolver what came of each question.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from gdns.testing import Server, delay, malformed, rcode, silent, then_answer

GEVENT = """
from gevent import monkey; monkey.patch_all()
import gevent, socket
def lookup(name): return socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]
def together(names):
    jobs = [gevent.spawn(attempt, name) for name in names]
    gevent.joinall(jobs)
    return [job.value for job in jobs]
def beside(names, name):
    for other in names: gevent.spawn(attempt, other)
    gevent.sleep(0.02)
    return attempt(name)
"""
EVENTLET = """
import warnings; warnings.simplefilter("ignore")
import eventlet; eventlet.monkey_patch()
import socket
def lookup(name): return socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]
def together(names): return [job.wait() for job in [eventlet.spawn(attempt, name) for name in names]]
def beside(names, name):
    for other in names: eventlet.spawn(attempt, other)
    eventlet.sleep(0.02)
    return attempt(name)
"""
ASYNC = """
import asyncio
async def one(name):
    try:
        value = await alookup(name)
    except Exception as error:
        value = told(error)
    done.append(name)
    return value
def together(names):
    async def all_of_them(): return await asyncio.gather(*[one(name) for name in names])
    return loop.run_until_complete(all_of_them())
def beside(names, name):
    async def among_them():
        others = [asyncio.create_task(one(other)) for other in names]
        await asyncio.sleep(0.02)
        return await one(name)
    return loop.run_until_complete(among_them())
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
def attempt(name): return together([name])[0]
"""
DNSPYTHON = (
    ASYNC
    + """
import dns.asyncresolver
async def alookup(name): return (await dns.asyncresolver.resolve(name, "A"))[0].to_text()
"""
)
AIODNS = (
    ASYNC
    + """
import aiodns, socket
async def make(): return aiodns.DNSResolver()
resolver = loop.run_until_complete(make())
async def alookup(name):
    found = await resolver.getaddrinfo(name, family=socket.AF_INET)
    return found.nodes[0].addr[0].decode()
"""
)
COMMON = """
import json, os
done = []
def told(error):
    number = error.args[0] if error.args and isinstance(error.args[0], int) else None
    return type(error).__name__ + (f" {number}" if number is not None else "")
def attempt(name):
    try:
        value = lookup(name)
    except Exception as error:
        value = told(error)
    done.append(name)
    return value
"""
QUESTIONS = """
answers = {}
answers["together"] = sorted(set(together(["together.example"] * 30)))
answers["again"] = attempt("again.example"), attempt("again.example")
answers["hosts"] = attempt("inhosts.example")
answers["missing"] = attempt("missing.example")
answers["failing"] = attempt("failing.example")
answers["garbled"] = attempt("garbled.example")
done.clear()
answers["alive"] = beside([f"dead{number}.example" for number in range(20)], "alive.example")
answers["before"] = len(done) - 1
print(json.dumps(answers), flush=True)
os._exit(0)  # nobody waits for the dead
"""
RESOLVERS = {
    "gdns": ({"GEVENT_RESOLVER": "gdns.gevent.Resolver"}, GEVENT),
    "gevent thread": ({"GEVENT_RESOLVER": "thread"}, GEVENT),
    "gevent ares": ({"GEVENT_RESOLVER": "ares"}, GEVENT),
    "gevent dnspython": ({"GEVENT_RESOLVER": "dnspython"}, GEVENT),
    "eventlet greendns": ({}, EVENTLET),
    "dnspython": ({}, DNSPYTHON),
    "aiodns": ({}, AIODNS),
}
NAMES = ("together", "again", "garbled", "alive", "failing")
ZONE = {f"{name}.example.": {"A": (300, "192.0.2.7")} for name in NAMES}


def compare() -> dict[str, dict[str, object]]:
    """What came of it, by resolver and question."""
    found: dict[str, dict[str, object]] = {}
    for name, (environ, program) in RESOLVERS.items():  # one after the other, so that none waits for another
        with Server(ZONE | {"example.": {}}, host="127.0.0.53", port=53) as server:
            server.fault("together.example.", delay(0.1))  # longer than it takes to ask thirty times
            server.fault("failing.example.", rcode("SERVFAIL"))
            server.fault("garbled.example.", malformed() | then_answer(0.01))
            for dead in range(20):
                server.fault(f"dead{dead}.example.", silent())
            command = server.command(
                [sys.executable, "-c", COMMON + program + QUESTIONS], options=["timeout:2", "attempts:1"]
            )
            clean = {
                key: value for key, value in os.environ.items() if not key.startswith(("GEVENT", "GDNS"))
            }
            done = subprocess.run(command, env=clean | environ, capture_output=True, text=True, timeout=60)
            try:
                found[name] = json.loads(done.stdout.splitlines()[-1])
            except (IndexError, ValueError):
                found[name] = {"error": (done.stdout + done.stderr)[-2000:]}
            asked = [asked for asked, _ in server.questions]
            found[name]["queries"] = [asked.count("together.example."), asked.count("again.example.")]
    return found


if __name__ == "__main__":
    print(json.dumps(compare(), indent=1))
