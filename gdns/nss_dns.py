"""A host's addresses, an address's name, asked of DNS as glibc's nss_dns asks."""

from __future__ import annotations

from collections.abc import Iterable
from socket import AF_INET, AF_INET6
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from gdns._wire import new_question
from gdns.entries import HostEntry, Miss, host_entry
from gdns.errors import HOST_NOT_FOUND, NO_DATA, NO_RECOVERY, TRY_AGAIN
from gdns.names import absolute, candidates, is_hostname, reverse_name, special_use
from gdns.nsswitch import Status
from gdns.ordering import apply_sortlist
from gdns.outcome import (
    ANSWER,
    CLOSED,
    FAILED,
    LIFETIME_ENDED,
    NODATA,
    NXDOMAIN,
    SERVFAIL,
    TIMEOUT,
    Outcome,
    addresses_in,
)
from gdns.rdtypes import AAAA, PTR, A
from gdns.stub import Stub

if TYPE_CHECKING:
    from gdns.cache import Cache, Lease
    from gdns.resolvconf import ResolvConf

_A = A  # numbers of C
_PTR = PTR
_AAAA = AAAA
NOTIMP = 4  # rcode


class _Verdict(NamedTuple):
    """What glibc makes of what came back for one name."""

    herrno: int  # 0: the name has records, of whatever type
    is_unanswered: bool = False  # no server had a word about the name
    goes_on: bool = False  # so the next suffix is tried all the same


_POSITIVE = _Verdict(0)
_NXDOMAIN = _Verdict(HOST_NOT_FOUND)
_NODATA = _Verdict(NO_DATA)
_UNUSABLE = _Verdict(NO_RECOVERY)
_LAME = _Verdict(TRY_AGAIN, is_unanswered=True)
_SERVFAIL = _Verdict(TRY_AGAIN, is_unanswered=True, goes_on=True)
_SERVFAIL_ANSWER = _Verdict(TRY_AGAIN, goes_on=True)


class Dns:
    """The source `dns` of nsswitch.conf(5): search list, families, and what counts as an answer."""

    __slots__ = (
        "_stub",
        "_own",
        "_search",
        "_ndots",
        "_no_tld_query",
        "_no_aaaa",
        "_is_stream",
        "_one_by_one",
        "_sortlist",
        "_search_is_special",
    )

    def __init__(self, stub: Stub, resolv_conf: ResolvConf) -> None:
        self._stub = stub
        # to be called directly, as one that records, or relays, cannot be
        self._own = stub if isinstance(stub, Stub) else None
        self._search = resolv_conf.search
        self._ndots = resolv_conf.ndots
        self._no_tld_query = resolv_conf.no_tld_query
        self._sortlist = resolv_conf.sortlist
        self._no_aaaa = resolv_conf.no_aaaa
        # over TCP, glibc sends both questions at once, and takes any rcode for an answer
        self._is_stream = resolv_conf.use_vc
        self._one_by_one = not self._is_stream and (
            resolv_conf.single_request or resolv_conf.single_request_reopen
        )
        # such a suffix, or a name without dots, can make a name that must not leave this host
        self._search_is_special = any(special_use(f"x.{suffix}") for suffix in self._search)

    def addresses(self, name: str, ends_at: float | None = None) -> HostEntry | Miss:
        """The addresses of both families (gethostbyname4_r), IPv4 first.

        The wait ends at `ends_at`, a moment of `time.monotonic`.
        """
        if self._no_aaaa:
            return self._ipv4_alone(name, ends_at)
        search: _Search | None = None
        for qname in self._qnames(name):
            if self._keeps(qname, name) or (search is not None and not search.asks(qname)):
                continue
            lifetime = None
            if ends_at is not None and (lifetime := ends_at - monotonic()) <= 0:
                return _late(qname)
            if self._one_by_one:
                first, second = self._one_after_the_other(qname, lifetime)
            else:
                one = new_question(qname, _A)
                two = one.with_type(_AAAA)
                if self._own is not None:
                    first, second = self._own.query_both(one, two, 0, lifetime)
                else:
                    first, second = self._stub.query_both(one, two, 0, lifetime)
            if first.status is ANSWER or (second.status is ANSWER and first.reply is not None):
                if search is not None:
                    search.count(self._stub)
                if first.status is ANSWER:
                    return host_entry(addresses_in(first) + addresses_in(second), first)
                return host_entry(addresses_in(second), second)
            search = search or _Search(name, self._ndots)
            miss = self._miss_of_both(first, second, search)
            if miss is not None:
                return miss
        return search.give_up() if search is not None else Miss(Status.NOTFOUND, NO_RECOVERY)

    def _ipv4_alone(self, name: str, ends_at: float | None) -> HostEntry | Miss:
        """As `addresses` where nobody is asked for AAAA (resolv.conf(5), no-aaaa)."""
        found = self.addresses_of_family(name, False, ends_at)
        if isinstance(found, HostEntry):
            assert isinstance(found.origin, Outcome)
            return HostEntry(found.origin.addresses, found.origin)  # no sortlist
        if found.status is Status.TRYAGAIN:
            return Miss(Status.NOTFOUND, HOST_NOT_FOUND, found.outcome)
        return found

    def _miss_of_both(self, first: Outcome, second: Outcome, search: _Search) -> Miss | None:
        """What is to be said of a name without addresses, if nothing else is to be asked for."""
        if first.status is CLOSED:
            return Miss(Status.UNAVAIL, NO_RECOVERY, first, is_certain=False)
        verdict = self._verdict_on_both(first, second)
        outcome, is_certain = _certainty(first, second)
        if not verdict.herrno:
            return Miss(Status.NOTFOUND, HOST_NOT_FOUND, outcome, is_certain)
        search.in_vain += (first, second)
        search.note(verdict, outcome, is_certain)
        return None

    def addresses_of_family(self, name: str, is_ipv6: bool, ends_at: float | None = None) -> HostEntry | Miss:
        """The addresses of one family (gethostbyname3_r); else as `addresses`.

        With the status TRYAGAIN, a name has no records of the type asked for, but of another.
        """
        rdtype = _AAAA if is_ipv6 else _A
        asked = _A if self._no_aaaa else rdtype
        search: _Search | None = None
        for qname in self._qnames(name):
            if self._keeps(qname, name) or (search is not None and not search.asks(qname)):
                continue
            lifetime = None
            if ends_at is not None and (lifetime := ends_at - monotonic()) <= 0:
                return _late(qname)
            question = new_question(qname, asked)
            if self._own is not None:
                outcome = self._own.query(question, 0, lifetime)
            else:
                outcome = self._stub.query(question, 0, lifetime)
            if outcome.status is ANSWER and asked == rdtype:
                if search is not None:
                    search.count(self._stub)
                if self._sortlist and not is_ipv6:
                    return HostEntry(tuple(apply_sortlist(outcome.addresses, self._sortlist)), outcome)
                return host_entry(addresses_in(outcome), outcome)
            search = search or _Search(name, self._ndots)
            miss = self._miss_of(outcome, asked == rdtype, search)
            if miss is not None:
                return miss
        return search.give_up() if search is not None else Miss(Status.NOTFOUND, NO_RECOVERY)

    def _miss_of(self, outcome: Outcome, is_type_wanted: bool, search: _Search) -> Miss | None:
        """As `_miss_of_both` of one outcome; `is_type_wanted` says that it was asked for what is wanted."""
        if outcome.status is CLOSED:
            return Miss(Status.UNAVAIL, NO_RECOVERY, outcome, is_certain=False)
        verdict = self._verdict_on(outcome)
        if not is_type_wanted and not verdict.herrno:
            verdict = _NODATA
        if not verdict.herrno:
            return Miss(Status.TRYAGAIN, NO_RECOVERY, outcome)
        search.in_vain.append(outcome)
        search.note(verdict, outcome, outcome.is_negative or outcome.status is ANSWER)
        return None

    def leases(
        self, name: str, family: int, answer: Outcome, addresses: tuple[str, ...]
    ) -> tuple[Lease, ...] | None:
        """What the cache holds of all that was asked for a host's addresses: how long the answer is good.

        `answer` is the outcome that the addresses are from. None if not everything is kept.
        """
        cache: Cache | None = self._stub.cache
        if cache is None:
            return None
        wishes = self._stub.wishes
        rdtypes = [_A, _AAAA]
        if self._no_aaaa or family == AF_INET:
            rdtypes = [_A]
        elif family == AF_INET6:
            rdtypes = [_AAAA]
        leases: list[Lease] = []
        for qname in self._qnames(name):
            if self._keeps(qname, name):
                continue
            is_answer = qname == answer.question.qname
            found: list[str] = []
            for rdtype in rdtypes:
                question = new_question(qname, rdtype)
                entry = cache.find(question, wishes)
                lease = None if entry is None else cache.lease(question, wishes, entry)
                if entry is None or lease is None:
                    return None
                leases.append(lease)
                found += entry.outcome.addresses
                if not is_answer and entry.outcome.status is ANSWER:
                    return None  # it would be another's
            if is_answer:
                # else somebody has put in another answer since then
                return tuple(leases) if sorted(found) == sorted(addresses) else None
        return None

    def name(self, address: str, ends_at: float | None = None) -> HostEntry | Miss:
        """The name of an address (gethostbyaddr2_r): `outcome.reply.targets[0]` of the Answer."""
        qname = reverse_name(address)
        lifetime = None
        if ends_at is not None and (lifetime := ends_at - monotonic()) <= 0:
            return _late(qname)
        outcome = self._stub.query(new_question(qname, _PTR), 0, lifetime)
        reply = outcome.reply
        if outcome.status is ANSWER and reply is not None:
            if is_hostname(reply.targets[0]):
                return HostEntry((address,), outcome)
            return Miss(Status.UNAVAIL, HOST_NOT_FOUND, outcome)
        verdict = self._verdict_on(outcome)
        if not verdict.herrno:
            return Miss(Status.TRYAGAIN, HOST_NOT_FOUND, outcome)
        return Miss(Status.NOTFOUND, verdict.herrno, outcome, outcome.is_negative)

    def _qnames(self, name: str) -> Iterable[str]:
        """The names to ask for, most likely first."""
        if self._search:
            return candidates(name, self._search, self._ndots, self._no_tld_query)
        as_is = absolute(name)
        return () if as_is is None else (as_is,)

    def _keeps(self, qname: str, name: str) -> bool:
        """Whether the search list made a special-use name, which must not leave this host, out of `name`."""
        return (self._search_is_special or "." not in name) and special_use(qname) is not None

    def _one_after_the_other(self, qname: str, lifetime: float | None) -> tuple[Outcome, Outcome]:
        """For servers that lose the second of two questions (resolv.conf(5), single-request)."""
        first = self._stub.query(new_question(qname, _A), 0, lifetime)
        if self._verdict_on(first).is_unanswered:
            return first, first
        return first, self._stub.query(new_question(qname, _AAAA), 0, lifetime)

    def _verdict_on(self, outcome: Outcome) -> _Verdict:
        """What glibc makes of the reply, or of none."""
        status = outcome.status
        if status is NXDOMAIN:
            return _NXDOMAIN
        if status is NODATA:
            assert outcome.reply is not None
            return _POSITIVE if outcome.reply.message[6:8] != b"\0\0" else _NODATA  # ANCOUNT
        if status is ANSWER:
            return _POSITIVE
        if status is SERVFAIL:
            return _SERVFAIL_ANSWER if self._is_stream else _SERVFAIL
        if status is FAILED and outcome.rcode != NOTIMP:
            return _UNUSABLE
        return _UNUSABLE if self._is_stream and outcome.reply is not None else _LAME

    def _verdict_on_both(self, first: Outcome, second: Outcome) -> _Verdict:
        """What glibc makes of the replies to A and AAAA where they come in this order."""
        one = self._verdict_on(first)
        two = self._verdict_on(second)
        if one.is_unanswered:
            if two.is_unanswered:
                return one if first.reply is not None else two
            # without a reply to A, that to AAAA is lost in the attempts to get one
            return two if first.reply is not None else _LAME
        if two.is_unanswered:
            return one
        if not one.herrno or not two.herrno:
            return _POSITIVE
        return two if one is _NODATA else one


class _Search:
    """How a walk along the search list has gone so far (glibc's res_search)."""

    __slots__ = (
        "_as_is",
        "_as_is_first",
        "_first",
        "_last",
        "_got_nodata",
        "_got_servfail",
        "_is_over",
        "_doubt",
        "_outcome",
        "in_vain",
    )

    def __init__(self, name: str, ndots: int) -> None:
        self._as_is = next(candidates(name.removesuffix(".") + ".", (), 0), name)
        self._as_is_first = name.count(".") >= ndots
        self._first: _Verdict | None = None  # on the name as it is, if that came first
        self._last: _Verdict | None = None
        self._got_nodata = False
        self._got_servfail = False
        self._is_over = False  # with the suffixes; the name as it is may still come
        self._doubt: Outcome | None = None
        self._outcome: Outcome | None = None
        self.in_vain: list[Outcome] = []  # of the names before the one that exists, if any does

    def count(self, stub: Stub) -> None:
        """Another name was the one: count the queries that were spent on those before it, each once."""
        for outcome in self.in_vain:
            if not (outcome.from_cache or outcome.is_counted):
                outcome.is_counted = True
                stub.counters.in_vain += 1

    def asks(self, qname: str) -> bool:
        """Whether this candidate is still asked for."""
        return not self._is_over or (not self._as_is_first and qname == self._as_is)

    def note(self, verdict: _Verdict, outcome: Outcome, is_certain: bool) -> None:
        """A candidate was asked for in vain."""
        self._last = verdict
        if not is_certain and self._doubt is None:
            self._doubt = outcome
        if self._outcome is None:
            self._outcome = outcome
            if self._as_is_first:
                self._first = verdict
                return
        if verdict.herrno == NO_DATA:
            self._got_nodata = True
        elif verdict.goes_on:
            self._got_servfail = True
        elif verdict.herrno != HOST_NOT_FOUND:
            self._is_over = True

    def give_up(self) -> Miss:
        """What glibc reports; a doubt about any of the names asked for goes with it."""
        assert self._last is not None
        assert self._outcome is not None
        if self._first is not None:
            herrno = self._first.herrno
        elif self._got_nodata:
            herrno = NO_DATA
        elif self._got_servfail:
            herrno = TRY_AGAIN
        else:
            herrno = self._last.herrno
        status = Status.UNAVAIL if self._last.is_unanswered else Status.NOTFOUND
        return Miss(status, herrno, self._doubt or self._outcome, self._doubt is None)


def _certainty(first: Outcome, second: Outcome) -> tuple[Outcome, bool]:
    """The outcome to report, and whether the network said of both that there is nothing."""
    if not first.is_negative:
        return first, False
    if not second.is_negative:
        return second, False
    return first, True


def _late(qname: str) -> Miss:
    outcome = Outcome(new_question(qname, _A), TIMEOUT, detail=LIFETIME_ENDED)
    return Miss(Status.UNAVAIL, TRY_AGAIN, outcome, is_certain=False)
