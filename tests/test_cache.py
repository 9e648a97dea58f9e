"""What is kept, for how long, and what is given up first."""

from __future__ import annotations

import subprocess
import sys

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdns._ares import CHECKING_DISABLED, DNSSEC_OK, USE_TCP
from gdns._wire import Question, Reply, read
from gdns.cache import FAILURE_TTL, Cache
from gdns.outcome import TIMEOUT, Outcome, status_of
from gdns.testing import FakeClock

A, AAAA, TXT = 1, 28, 16
SOA = "ns.example. admin.example. 1 2 3 4 {minimum}"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def outcome_of(question: Question, *records: str, rcode: str = "NOERROR", soa: str = "") -> Outcome:
    """What a server's reply with these records brings; `soa` is TTL and minimum."""
    query = dns.message.make_query(question.qname, question.rdtype, question.rdclass)
    response = dns.message.make_response(query)
    response.set_rcode(dns.rcode.from_text(rcode))
    for record in records:
        name, ttl, rdtype, data = record.split(maxsplit=3)
        response.answer.append(dns.rrset.from_text(name, int(ttl), "IN", rdtype, data))
    if soa:
        ttl, minimum = soa.split()
        response.authority.append(
            dns.rrset.from_text("example.", int(ttl), "IN", "SOA", SOA.format(minimum=minimum))
        )
    reply = read(response.to_wire(), question)
    assert isinstance(reply, Reply)
    return Outcome(question, status_of(reply), reply, "192.0.2.53:53", 1, 0.01)


def keep(
    cache: Cache, name: str = "www.example.", rdtype: int = A, ttl: int = 60, wishes: int = 0
) -> Outcome:
    data = {A: "A 192.0.2.7", AAAA: "AAAA 2001:db8::7", TXT: "TXT text"}[rdtype]
    outcome = outcome_of(Question(name, rdtype), f"{name} {ttl} {data}")
    cache.put(outcome, wishes)
    return outcome


def knows(cache: Cache, name: str = "www.example.", rdtype: int = A, wishes: int = 0) -> bool:
    return cache.get(Question(name, rdtype), wishes) is not None


# How long


def test_an_answer_is_kept_until_its_ttl_has_passed(clock):
    cache = Cache(clock=clock)
    keep(cache, ttl=60)
    clock.advance(59.9)
    entry = cache.get(Question("www.example.", A), 0)
    recalled = entry.outcome.recalled(Question("www.example.", A), cache.age(entry))
    assert recalled.addresses == ("192.0.2.7",)
    assert (recalled.from_cache, recalled.is_stale) == (True, False)
    assert recalled.age == pytest.approx(59.9)
    assert recalled.ttl == pytest.approx(0.1)
    clock.advance(0.2)
    assert not knows(cache)


@pytest.mark.parametrize("ttl", [0, 0x80000000, 0xFFFFFFFF])
def test_a_ttl_of_0_or_with_the_top_bit_set_keeps_nothing_whatever_the_least_ttl(clock, ttl):
    cache = Cache(min_ttl=30, clock=clock)
    keep(cache, ttl=ttl)
    assert not knows(cache)
    assert len(cache) == 0


@pytest.mark.parametrize(("ttl", "kept_for"), [(5, 30), (60, 60), (9999, 600)])
def test_ttls_are_raised_and_cut_to_the_settings(clock, ttl, kept_for):
    cache = Cache(min_ttl=30, max_ttl=600, clock=clock)
    outcome = keep(cache, ttl=ttl)
    assert outcome.ttl == kept_for
    clock.advance(kept_for - 0.1)
    assert knows(cache)
    clock.advance(0.2)
    assert not knows(cache)


@pytest.mark.parametrize(
    ("soa", "kept_for"), [("60 300", 60), ("300 60", 60), ("0 60", 0), ("60 0", 0), ("", 0)]
)
@pytest.mark.parametrize("rcode", ["NXDOMAIN", "NOERROR"])
def test_what_there_is_not_is_kept_as_long_as_the_soa_allows(clock, soa, kept_for, rcode):
    cache = Cache(clock=clock)
    cache.put(outcome_of(Question("none.example.", A), rcode=rcode, soa=soa), 0)
    assert knows(cache, "none.example.") == bool(kept_for)
    clock.advance(kept_for + 0.1)
    assert not knows(cache, "none.example.")


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "FORMERR"])
def test_a_servers_failure_is_kept_for_a_second(clock, rcode):
    cache = Cache(clock=clock)
    cache.put(outcome_of(Question("www.example.", A), rcode=rcode), 0)
    assert knows(cache)
    assert FAILURE_TTL <= 5
    clock.advance(FAILURE_TTL + 0.01)
    assert not knows(cache)


def test_a_timeout_is_not_kept_for_the_server_may_be_back(clock):
    cache = Cache(clock=clock)
    cache.put(Outcome(Question("www.example.", A), TIMEOUT), 0)
    assert len(cache) == 0


def test_a_failure_does_not_take_the_place_of_what_may_still_be_served_stale(clock):
    cache = Cache(stale_for=600, clock=clock)
    keep(cache, ttl=60)
    clock.advance(61)
    cache.put(outcome_of(Question("www.example.", A), rcode="SERVFAIL"), 0)
    assert cache.stale(Question("www.example.", A), 0).addresses == ("192.0.2.7",)


# For whom


def test_the_case_of_a_name_makes_no_difference_and_everybody_gets_their_own(clock):
    cache = Cache(clock=clock)
    keep(cache, "WWW.Example.")
    question = Question("www.eXample.", A)
    entry = cache.get(question, 0)
    assert entry.outcome.recalled(question, 0.0).question.qname == "www.eXample."


def test_types_classes_and_wishes_are_kept_apart_but_not_transports(clock):
    cache = Cache(clock=clock)
    keep(cache)
    assert not knows(cache, rdtype=AAAA)
    assert not knows(cache, wishes=DNSSEC_OK)
    assert not knows(cache, wishes=CHECKING_DISABLED)
    assert cache.get(Question("www.example.", A, 3), 0) is None
    assert knows(cache, wishes=USE_TCP)


def test_nxdomain_is_kept_for_all_types_and_nodata_for_one(clock):
    cache = Cache(clock=clock)
    cache.put(outcome_of(Question("none.example.", A), rcode="NXDOMAIN", soa="60 60"), 0)
    cache.put(outcome_of(Question("some.example.", A), soa="60 60"), 0)
    assert knows(cache, "none.example.", TXT)
    assert cache.get(Question("none.example.", A, 3), 0) is None
    assert not knows(cache, "some.example.", TXT)
    assert not knows(cache, "x.none.example.", A)


def test_nxdomain_behind_a_cname_is_kept_for_its_type_alone(clock):
    cache = Cache(clock=clock)
    question = Question("www.example.", A)
    cache.put(outcome_of(question, "www.example. 60 CNAME none.example.", rcode="NXDOMAIN", soa="60 60"), 0)
    assert knows(cache)
    assert not knows(cache, rdtype=5)


@pytest.mark.parametrize("first", ["answer", "denial"])
def test_a_name_that_has_addresses_is_not_taken_for_missing_because_of_another_type(clock, first):
    cache = Cache(clock=clock)
    denial = outcome_of(Question("www.example.", AAAA), rcode="NXDOMAIN", soa="600 600")
    if first == "denial":
        cache.put(denial, 0)
    keep(cache, ttl=60)
    if first == "answer":
        cache.put(denial, 0)
    clock.advance(61)
    assert not knows(cache, rdtype=A), "the server is asked again for what it had"


# How much


def test_what_was_used_least_recently_goes_first(clock):
    cache = Cache(max_entries=3, clock=clock)
    for name in ("a.example.", "b.example.", "c.example."):
        keep(cache, name)
    assert knows(cache, "a.example.")
    keep(cache, "d.example.")
    assert [knows(cache, f"{letter}.example.") for letter in "abcd"] == [True, False, True, True]
    assert cache.evicted == 1


def test_octets_are_bounded_too(clock):
    cache = Cache(max_octets=20_000, clock=clock)
    for number in range(100):
        keep(cache, f"n{number}.example.")
    assert 0 < cache.octets <= 20_000
    assert 10 < len(cache) < 25
    assert knows(cache, "n99.example.")


def test_an_answer_that_would_throw_everything_else_out_is_not_kept(clock):
    cache = Cache(max_octets=2_000, clock=clock)
    keep(cache, "small.example.")
    question = Question("large.example.", TXT)
    cache.put(outcome_of(question, *[f"large.example. 60 TXT {'x' * 200}{n}" for n in range(20)]), 0)
    assert knows(cache, "small.example.")
    assert not knows(cache, "large.example.", TXT)


def test_a_hundred_thousand_names_take_the_memory_that_the_settings_allow():
    program = """if True:
        import tracemalloc, tests.test_cache as t
        from gdns.cache import Cache
        cache = Cache(max_entries=1000)
        messages = [t.outcome_of(t.Question(f"n{n}.example.", 1), f"n{n}.example. 60 A 192.0.2.7")
                    for n in range(1000)]
        cache.put(messages[0], 0)
        cache.flush()
        tracemalloc.start()
        def fill(count):
            for n in range(count):
                question = t.Question(f"n{n}.bench.example.", 1)
                wire = t.dns.message.make_response(t.dns.message.make_query(question.qname, "A"))
                wire.answer.append(t.dns.rrset.from_text(question.qname, 60, "IN", "A", "192.0.2.7"))
                reply = t.read(wire.to_wire(), question)
                cache.put(t.Outcome(question, t.status_of(reply), reply, "192.0.2.53:53", 1, 0.01), 0)
        fill(1000)
        first = tracemalloc.get_traced_memory()[0]
        fill(5000)
        last = tracemalloc.get_traced_memory()[0]
        print(len(cache), cache.octets, first, last)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    entries, estimated, first, last = map(int, done.stdout.split())
    assert entries == 1000
    assert last < 1.1 * first, "memory grows with the entries kept, not with the names seen"
    assert 0.5 < estimated / last < 2, "the estimate is near what is really taken"


# Stale answers, names in demand


def test_a_stale_answer_can_be_had_for_as_long_as_was_asked_for(clock):
    cache = Cache(stale_for=600, clock=clock)
    keep(cache, ttl=60)
    question = Question("www.example.", A)
    assert cache.stale(question, 0) is None, "it is not stale yet"
    clock.advance(61)
    assert not knows(cache)
    stale = cache.stale(question, 0)
    assert (stale.is_stale, stale.from_cache, stale.ttl) == (True, True, 30)
    assert stale.age == pytest.approx(61)
    clock.advance(600)
    assert cache.stale(question, 0) is None


def test_nothing_is_stale_unless_asked_for(clock):
    cache = Cache(clock=clock)
    keep(cache, ttl=60)
    clock.advance(61)
    assert cache.stale(Question("www.example.", A), 0) is None


def test_an_entry_in_demand_is_due_once_near_its_end(clock):
    cache = Cache(clock=clock)
    keep(cache, ttl=100)
    entry = cache.get(Question("www.example.", A), 0)
    clock.advance(95)
    assert not cache.is_due(entry), "asked for once"
    entry = cache.get(Question("www.example.", A), 0)
    assert cache.is_due(entry)
    assert not cache.is_due(entry), "once is enough"


def test_an_entry_in_demand_is_not_due_before_its_last_tenth(clock):
    cache = Cache(clock=clock)
    keep(cache, ttl=100)
    for _ in range(5):
        entry = cache.get(Question("www.example.", A), 0)
    clock.advance(89)
    assert not cache.is_due(entry)


# Looking after it


def test_flush_forgets_a_name_in_all_its_types_or_everything(clock):
    cache = Cache(clock=clock)
    keep(cache, rdtype=A)
    keep(cache, rdtype=TXT, wishes=DNSSEC_OK)
    keep(cache, "x.www.example.")
    cache.put(outcome_of(Question("none.example.", A), rcode="NXDOMAIN", soa="60 60"), 0)
    assert cache.flush(Question("WWW.example.", 1)) == 2
    assert not knows(cache)
    assert knows(cache, "x.www.example.")
    assert cache.flush(Question("none.example.", 1)) == 1
    assert cache.flush() == 1
    assert (len(cache), cache.octets) == (0, 0)


def test_dump_shows_what_is_kept(clock):
    cache = Cache(clock=clock)
    keep(cache, ttl=60)
    knows(cache)
    cache.put(outcome_of(Question("none.example.", A), rcode="NXDOMAIN", soa="60 60"), 0)
    clock.advance(10)
    answer, denial = cache.dump()
    assert (answer.qname, answer.rdtype, answer.status) == ("www.example.", A, "answer")
    assert answer.addresses == ("192.0.2.7",)
    assert (answer.ttl, answer.age, answer.hits) == (pytest.approx(50), pytest.approx(10), 1)
    assert (denial.rdtype, denial.status) == (0, "NXDOMAIN")


# Whatever happens

NAMES = st.sampled_from(["a.example.", "B.example.", "b.Example.", "c.example."])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("keep"), NAMES, st.sampled_from([A, AAAA]), st.integers(0, 50)),
        st.tuples(st.just("get"), NAMES, st.sampled_from([A, AAAA]), st.just(0)),
        st.tuples(st.just("pass"), st.just(""), st.just(0), st.integers(0, 30)),
    ),
    max_size=40,
)


@given(STEPS)
def test_it_never_gives_what_has_expired_and_forgets_nothing_early(steps):
    clock = FakeClock()
    cache = Cache(clock=clock)
    expected: dict[tuple[str, int], float] = {}
    for what, name, rdtype, seconds in steps:
        if what == "pass":
            clock.advance(seconds)
        elif what == "keep":
            keep(cache, name, rdtype, seconds)
            if seconds:
                expected[name.lower(), rdtype] = clock() + seconds
        else:
            assert knows(cache, name, rdtype) == (expected.get((name.lower(), rdtype), 0.0) > clock())


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=60), st.integers(1, 6))
def test_it_holds_no_more_than_it_may_and_counts_what_it_holds(uses, most):
    cache = Cache(max_entries=most, clock=FakeClock())
    order: list[int] = []  # least recently used first
    for number, is_kept in uses:
        name = f"n{number}.example."
        if is_kept:
            keep(cache, name)
            order = [*[n for n in order if n != number], number][-most:]
        else:
            assert knows(cache, name) == (number in order)
            if number in order:
                order = [*[n for n in order if n != number], number]
    assert [entry.qname for entry in cache.dump()] == [f"n{number}.example." for number in order]
    cache.flush()
    assert cache.octets == 0


def test_a_lease_of_what_was_thrown_out_since_counts_and_harms_nothing(clock):
    cache = Cache(clock=clock)
    keep(cache)
    question = Question("www.example.", A)
    entry = cache.find(question, 0)
    lease = cache.lease(question, 0, entry)
    cache.note_uses((lease,))
    assert (cache.hits, cache.dump()[0].hits) == (1, 1)
    cache.flush()
    cache.note_uses((lease,))
    assert (cache.hits, len(cache)) == (2, 0)
    assert cache.lease(question, 0, entry) is None
