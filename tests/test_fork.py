"""Forks with look-ups pending: parent and child both go on, and neither hears the other's replies."""

from __future__ import annotations

import pytest

from gdns.testing import delay, silent
from tests.test_lifetimes import kinds, run

# Both processes finish 20 look-ups begun before the fork, and make 20 more.
FORK = """
    runner = Runner()
    resolver = make_resolver(runner.hub, timeout=1.0, attempts=2)
    ends = []
    tasks = [
        runner.spawn(lambda number=number: ends.append(resolver.lookup(f"n{number}.example.")))
        for number in range(20)
    ]
    runner.sleep(0.05)

    def finish():
        runner.join(tasks, 5.0)
        more = [
            runner.spawn(lambda number=number: ends.append(resolver.lookup(f"m{number}.example.")))
            for number in range(20)
        ]
        runner.join(more, 5.0)
        return len(ends), set(ends)
"""


@kinds
def test_whoever_a_look_up_woke_may_fork_and_the_child_asks_at_once(dns_server, kind):
    dns_server.add("*.example. 60 A 192.0.2.7")
    program = """
    runner = Runner()
    resolver = make_resolver(runner.hub, timeout=5.0)
    def work():
        for number in range(12):
            resolver.lookup(f"a{number}.example.")
            child = os.fork()
            if child == 0:
                if kind == "gevent":
                    gevent.reinit()
                began = time.monotonic()
                resolver.lookup(f"b{number}.example.")
                os._exit(time.monotonic() - began > 2.5)  # it would be all of 5 s
            statuses.append(os.waitpid(child, 0)[1])
    statuses = []
    runner.join([runner.spawn(work)], 60.0)
    print(set(statuses), len(statuses))
    """
    assert run(program, dns_server.address, kind) == "{0} 12"


@kinds
@pytest.mark.parametrize("way", ["os.fork", "gevent.os.fork", "multiprocessing"])
def test_parent_and_child_both_finish_what_was_pending(dns_server, kind, way):
    dns_server.add("*.example. 60 A 192.0.2.7")
    dns_server.fault(None, delay(0.2))
    program = (
        FORK
        + """
    way = sys.argv[3]
    if way == "multiprocessing":
        import multiprocessing
        context = multiprocessing.get_context("fork")
        reader, writer = context.Pipe(False)
        def in_child():
            writer.send(repr(finish()))
            resolver.close()
        process = context.Process(target=in_child)
        process.start()
        print(finish())
        print(reader.recv())
        process.join()
        print(process.exitcode)
    else:
        if way == "gevent.os.fork":
            import gevent.os
            fork = gevent.os.fork
        else:
            fork = os.fork
        from_child, to_parent = os.pipe()
        pid = fork()
        if not pid:
            if kind == "gevent":
                gevent.reinit()
            os.write(to_parent, repr(finish()).encode())
            resolver.close()
            os._exit(0)
        print(finish())
        print(os.read(from_child, 1000).decode())
        print(os.waitpid(pid, 0)[1])
    """
    )
    if kind == "gevent" and way == "multiprocessing":
        program = program.replace("writer.send", "gevent.reinit(); writer.send")
    lines = run(program, dns_server.address, kind, way).splitlines()
    assert lines == ["(40, {('192.0.2.7',)})"] * 2 + ["0"]


@kinds
def test_a_child_that_closes_or_exits_leaves_its_parent_listening(dns_server, kind):
    """The sets of descriptors are shared after a fork: a child that takes one out silences its parent."""
    dns_server.add("*.example. 60 A 192.0.2.7")
    dns_server.fault(None, delay(0.3))
    program = """
    runner = Runner()
    stub = make_stub(runner.hub)  # of no resolver: nobody tells it of the fork
    resolver = make_resolver(runner.hub)
    ends = []
    tasks = [
        runner.spawn(lambda number=number: ends.append(resolver.lookup(f"n{number}.example.")))
        for number in range(5)
    ] + [
        runner.spawn(lambda question=question: ends.append(stub.query(question).addresses))
        for question in [Question(f"s{number}.example.", 1) for number in range(5)]
    ]
    runner.sleep(0.05)
    for ending in ("close", "collect", "exit"):
        pid = os.fork()
        if not pid:
            if ending == "close":
                resolver.close()
                stub._lane.close()
                stub._sockets.close()
            elif ending == "collect":
                del resolver, stub
                gc.collect()
            if ending == "exit":
                sys.exit(0)
            os._exit(0)
        os.waitpid(pid, 0)
    runner.join(tasks, 1.5)
    print(len(ends), set(ends))
    """
    assert run(program, dns_server.address, kind) == "10 {('192.0.2.7',)}"


@kinds
def test_a_fork_beside_another_threads_look_ups_leaves_those_to_the_parent(dns_server, kind):
    dns_server.add("*.example. 60 A 192.0.2.7")
    dns_server.fault(None, delay(0.3))
    program = """
    resolver = make_resolver()
    others, mine, ready = [], [], threading.Event()
    def begin(ends, prefix):
        runner = Runner()
        return runner, [
            runner.spawn(lambda name=name: ends.append(resolver.lookup(name)))
            for name in [f"{prefix}{number}.example." for number in range(5)]
        ]
    def in_thread():
        runner, tasks = begin(others, "other")
        runner.sleep(0.05)
        ready.set()
        runner.join(tasks, 3.0)
    thread = threading.Thread(target=in_thread)
    thread.start()
    ready.wait()
    runner, tasks = begin(mine, "mine")
    runner.sleep(0.05)
    pid = os.fork()
    if not pid and kind == "gevent":
        gevent.reinit()
    runner.join(tasks, 3.0)
    print(len(mine), set(mine), flush=True)
    if not pid:
        resolver.close()
        os._exit(len(others))
    thread.join()
    print(len(others), os.waitpid(pid, 0)[1])
    """
    lines = run(program, dns_server.address, kind).splitlines()
    assert lines == ["5 {('192.0.2.7',)}"] * 2 + ["5 0"]


@kinds
def test_a_child_draws_its_own_ids_and_ports(dns_server, kind):
    dns_server.fault(None, silent())
    program = """
    runner = Runner()
    resolver = make_resolver(runner.hub, timeout=5.0)
    begin = lambda prefix: [runner.spawn(resolver.gethostbyname, f"{prefix}{n}.example.") for n in range(30)]
    begin("before")
    runner.sleep(0.05)
    pid = os.fork()
    if not pid and kind == "gevent":
        gevent.reinit()
    begin("parent" if pid else "child")
    runner.sleep(0.1)
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    os._exit(0)
    """
    run(program, dns_server.address, kind)
    ids: dict[str, list[int]] = {}
    ports: dict[str, set[int]] = {}
    for query in dns_server.queries:
        who = query.name.split(".")[0].rstrip("0123456789")
        ids.setdefault(who, []).append(query.id)
        ports.setdefault(who, set()).add(query.port)
    assert len(ids["parent"]) == len(ids["child"]) == 30
    assert not ports["parent"] & ports["child"]
    assert len(set(ids["parent"]) & set(ids["child"])) <= 2  # by chance: 0.01 on average


@kinds
def test_the_pool_of_the_systems_resolver_works_on_both_sides(dns_server, kind):
    program = """
    runner = Runner()
    resolver = Resolver(backend="libc", hub=runner.hub)
    print(resolver.gethostbyname("localhost"), flush=True)
    pid = os.fork()
    if not pid and kind == "gevent":
        gevent.reinit()
    found = resolver.gethostbyname("localhost")
    os.write(1, f"{found}\\n".encode())  # in one piece: the other writes there, too
    if not pid:
        os._exit(0)
    print(os.waitpid(pid, 0)[1])
    """
    if not _has_backend():
        program = program.replace('Resolver(backend="libc", hub=runner.hub)', "Foreign(runner.hub)").replace(
            "    runner = Runner()\n",
            """
    from gdns import libc
    import socket
    class Foreign:
        def __init__(self, hub):
            self.stub = make_stub(hub)
            os.register_at_fork(after_in_child=self.stub.after_fork)
        def gethostbyname(self, name):
            return libc.call(self.stub, 5.0, socket.gethostbyname, name)
    runner = Runner()
""",
            1,
        )
    assert run(program, dns_server.address, kind).splitlines() == ["127.0.0.1"] * 3 + ["0"]


def _has_backend() -> bool:
    from inspect import signature

    from gdns import Resolver

    return "backend" in signature(Resolver).parameters


def test_workers_forked_by_a_server_that_preloads_resolve(dns_server):
    """As gunicorn's prefork model with gevent workers does: patched, resolver made and used, then forked."""
    dns_server.add("*.example. 60 A 192.0.2.7")
    program = """
    from gevent import monkey
    monkey.patch_all()
    import gevent.os
    resolver = make_resolver()
    assert resolver.lookup("www.example.") == ("192.0.2.7",)
    pids = []
    for worker in range(4):
        pid = os.fork()
        if not pid:
            gevent.reinit()
            jobs = [gevent.spawn(resolver.lookup, f"w{worker}-{number}.example.") for number in range(50)]
            gevent.joinall(jobs, timeout=5)
            os._exit(0 if all(job.value == ("192.0.2.7",) for job in jobs) else 1)
        pids.append(pid)
    jobs = [gevent.spawn(resolver.lookup, f"m{number}.example.") for number in range(50)]
    gevent.joinall(jobs, timeout=5)
    print([os.waitpid(pid, 0)[1] for pid in pids], all(job.value == ("192.0.2.7",) for job in jobs))
    """
    assert run(program, dns_server.address, "gevent") == "[0, 0, 0, 0] True"
