"""One resolver is used from many threads at once, each with its hub, while others change what they share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gdns.counters import Tally
from gdns.hooks import Hook, Hooks
from gdns.libc import MOST_THREADS, Job, Pool
from gdns.resolver import Resolver
from gdns.testing import Server, delay
from gdns.threads import QuietLock, original

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.threads.storm import together  # noqa: E402


@pytest.fixture
def many_switches():
    """Let threads take turns as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("kind", ["native", "gevent"])
def test_eight_threads_look_up_while_others_change_everything(kind):
    """flush, set_servers, hooks, overrides, stats, dump and forks; then resolvers closed while in use."""
    command = [sys.executable, "-W", "error", "-m", "tests.threads", "--rounds", "40", kind]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "all is well" in done.stdout


def test_no_hook_is_lost_or_left_by_threads_that_add_and_undo(many_switches):
    hooks = Hooks()

    def add_and_undo() -> None:
        for _ in range(300):
            first, second = Hook(hooks, "on_query", len), Hook(hooks, "on_outcome", len)
            second.undo(), first.undo(), first.undo()

    kept = Hook(hooks, "on_query", print)
    assert together(*[add_and_undo] * 8) == []
    assert (hooks.on_query, hooks.on_outcome) == ((print,), ())
    kept.undo()
    assert hooks.on_query == ()


def test_what_threads_count_adds_up_also_when_they_have_ended(many_switches):
    tally = Tally()

    class Owner:
        pass

    def count() -> None:
        owner = Owner()
        counters = tally.open(owner)
        for _ in range(1000):
            counters.sent += 1
            counters.answers += 1
            if not counters.sent % 100:
                assert tally.total().sent >= counters.sent

    for _ in range(3):
        assert together(*[count] * 8) == []
    total = tally.total()
    assert (total.sent, total.ended) == (24_000, {"answer": 24_000})
    assert tally.total().sent == 24_000


def test_a_lock_keeps_threads_apart_and_may_be_taken_twice(many_switches):
    lock, numbers = QuietLock(), [0]

    def add() -> None:
        for _ in range(500):
            with lock, lock:
                numbers[0] = int(f"{numbers[0]}") + 1

    assert together(*[add] * 8) == []
    assert numbers == [4000]


def test_locks_are_free_in_the_child_of_a_fork_whoever_held_them(dns_server):
    program = f"""if True:
        import os, gdns, gdns.overrides, gdns.patch, gdns.libc
        from gdns.threads import original
        dns_server = {dns_server.address!r}
        resolver = gdns.Resolver([dns_server])
        resolver.gethostbyname("www.example")
        locks = [resolver._shared.lock, resolver._system._lock, resolver._shared.tally._lock,
                 gdns.overrides._lock, gdns.patch.lock, gdns.libc._pool._lock]
        gate, done = original("_thread", "allocate_lock")(), original("_thread", "allocate_lock")()
        gate.acquire(), done.acquire()
        def hold():
            for lock in locks:
                lock.__enter__()
            gate.release(), done.acquire()
        original("_thread", "start_new_thread")(hold, ())
        gate.acquire()
        child = os.fork()
        if not child:
            resolver.set_servers([dns_server]), resolver.stats()
            with gdns.override({{"other.example": "192.0.2.9"}}), gdns.patch_socket():
                good = resolver.gethostbyname("other.example") == "192.0.2.9"
                good = good and resolver.gethostbyname("www.example") == "192.0.2.7"
            os._exit(0 if good else 1)
        print(os.waitpid(child, 0)[1])
        done.release()
    """
    dns_server.add("www.example. 60 A 192.0.2.7")
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("0", "")


def test_no_more_than_four_threads_ask_the_system_however_many_have_jobs(many_switches):
    pool, ended, gate = Pool(), [], original("_thread", "allocate_lock")()

    def submit() -> None:
        for _ in range(50):
            pool.submit(Job(ended.append, (1,), lambda: None))

    assert together(*[submit] * 8) == []
    assert 1 <= pool._threads <= MOST_THREADS
    gate.acquire()
    while len(ended) < 400:
        pool.submit(Job(gate.release, (), lambda: None))  # behind all those in the queue
        gate.acquire()
    assert len(ended) == 400


def test_what_former_servers_say_after_a_change_is_not_kept(dns_server, runner, run_all):
    with Server({"www.example.": {"A": "192.0.2.99"}}) as other:
        dns_server.add("www.example. 300 A 192.0.2.7")
        dns_server.fault("www.example", delay(0.1))
        resolver = Resolver([dns_server.address], hub=runner.hub)

        def change() -> None:
            dns_server.wait_for_query("www.example", sleep=runner.sleep)
            resolver.set_servers([other.address])
            assert resolver.gethostbyname("www.example") == "192.0.2.99"
            resolver.flush()

        def ask() -> str:
            return resolver.gethostbyname("www.example")

        assert run_all([ask, change])[0] == "192.0.2.7", "it goes on with the servers that it began with"
        assert run_all([ask]) == ["192.0.2.99"]
        resolver.close()


def test_all_threads_have_the_same_default_resolver(many_switches):
    program = """if True:
        import sys
        sys.setswitchinterval(1e-6)
        import gdns.alone, gdns.resolver
        from tests.threads.storm import together
        for module in (gdns.resolver, gdns.alone):
            made = []
            assert together(*[lambda: made.append(module.default_resolver())] * 16) == []
            print(len(made), len({id(resolver) for resolver in made}))
    """
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout.split(), done.stderr) == (["16", "1"] * 2, "")
