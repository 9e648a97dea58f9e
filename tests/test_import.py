"""What `import gdns` costs: few modules, little time."""

import os
import subprocess
import sys
from pathlib import Path

import dns as dnspython
import greenlet

import gdns

# each costs as much as a good part of gdns itself, and is needed by few programs or late
TOO_DEAR = (
    "ast",
    "ctypes",
    "dataclasses",
    "dns",
    "gevent",
    "inspect",
    "ipaddress",
    "logging",
    "pathlib",
    "pycares",
    "sysconfig",
    "threading",
    "tokenize",
    "traceback",
    "urllib",
)
PATH = [str(Path(module.__file__).parents[1]) for module in (greenlet, gdns)]
GOAL = 0.025  # seconds of CPU over Python with greenlet


def run(program: str) -> tuple[str, float]:
    """What a program prints, and the seconds of CPU it took; without `site`, which loads other modules."""
    program = f"import sys; sys.path[:0] = {PATH}; import greenlet\n{program}"
    with subprocess.Popen([sys.executable, "-S", "-c", program], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        printed = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return printed, usage.ru_utime + usage.ru_stime


def loaded_by(program: str) -> list[str]:
    printed, _ = run(f"{program}\nprint(*[name for name in {TOO_DEAR} if name in sys.modules])")
    return printed.split()


def test_importing_gdns_loads_no_module_that_costs_much():
    assert loaded_by("import gdns") == []


def test_the_first_lookup_loads_none_either(dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    settings = f"nameservers=[{dns_server.address!r}]"
    assert loaded_by(f"import gdns; gdns.Resolver({settings}).getaddrinfo('www.example', 80)") == []


def test_importing_gdns_compiles_no_regular_expression():
    printed, _ = run(
        "import socket, re, typing; before = len(re._cache); import gdns\nprint(len(re._cache) - before)"
    )
    assert printed.strip() == "0"


def test_importing_gdns_costs_little_cpu():
    costs = [run("import gdns")[1] - run("")[1] for _ in range(5)]
    assert min(costs) < 3 * GOAL, costs


def test_others_have_turns_while_the_first_resolve_loads_dnspython(dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    program = f"""
import gdns
from gdns.hubs import NativeHub
hub, resolver, turns = NativeHub.of_this_thread(), gdns.Resolver([{dns_server.address!r}]), 0
def beat():
    global turns
    while "gdns.records" not in sys.modules:
        hub.sleep(0)
        turns += 1
beating, *tasks = hub.spawn(beat), *(hub.spawn(resolver.resolve, "www.example") for _ in range(2))
hub.join(beating, *tasks)
print(turns >= 5, tasks[0].get()[0], tasks[1].get()[0])
"""
    printed, _ = run(f"sys.path.append({str(Path(dnspython.__file__).parents[1])!r})\n{program}")
    assert printed.split() == ["True", "192.0.2.7", "192.0.2.7"]
