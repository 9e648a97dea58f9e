"""A host's addresses, an address's name, asked of DNS as glibc's nss_dns asks."""

from __future__ import annotations

from collections.abc import Iterable
from socket import AF_INET6, AF_UNSPEC
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from gdns._wire import Question
from gdns.entries import HostEntry, Miss
from gdns.errors import HOST_NOT_FOUND, NO_DATA, NO_RECOVERY, TRY_AGAIN
from gdns.names import absolute, candidates, is_hostname, reverse_name, special_use
from gdns.nsswitch import Status
from gdns.ordering import apply_sortlist
from gdns.outcome import ANSWER, CLOSED, FAILED, LIFETIME_ENDED, NODATA, NXDOMAIN, SERVFAIL, TIMEOUT, Outcome
from gdns.rdtypes import AAAA, PTR, A
from gdns.stub import Stub

if TYPE_CHECKING:
    from gdns.cache import Cache, Lease
    from gdns.resolvconf import ResolvConf

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
            found = self._addresses_of_type(name, A, A, ends_at)
            if isinstance(found, Miss) and not found.herrno:
                return Miss(Status.NOTFOUND, HOST_NOT_FOUND, found.outcome)
            return found
        stub = self._stub
        own = self._own
        search: _Search | None = None
        in_vain: list[Outcome] = []
        for qname in self._qnames(name):
            if self._keeps(qname, name) or (search is not None and not search.asks(qname)):
                continue
            lifetime = None
            if ends_at is not None and (lifetime := ends_at - monotonic()) <= 0:
                return _late(qname)
            if self._one_by_one:
                first, second = self._one_after_the_other(qname, lifetime)
            else:
                one = Question(qname, A)
                two = one.with_type(AAAA)
                if own is not None:
                    first, second = own.query_both(one, two, 0, lifetime)
                else:
                    first, second = stub.query_both(one, two, 0, lifetime)
            if first.status is ANSWER:
                if in_vain:
                    _count(stub, in_vain)
                return HostEntry(first.addresses + second.addresses, first)
            if second.status is ANSWER and first.reply is not None:
                if in_vain:
                    _count(stub, in_vain)
                return HostEntry(second.addresses, second)
            in_vain += (first, second)
            if first.status is CLOSED:
                return Miss(Status.UNAVAIL, NO_RECOVERY, first, is_certain=False)
            verdict = self._verdict_on_both(first, second)
            if not verdict.herrno:
                return Miss(Status.NOTFOUND, HOST_NOT_FOUND, *_certainty(first, second))
            search = search or _Search(name, self._ndots)
            search.note(verdict, *_certainty(first, second))
        return search.give_up() if search is not None else Miss(Status.NOTFOUND, NO_RECOVERY)

    def addresses_of_family(self, name: str, is_ipv6: bool, ends_at: float | None = None) -> HostEntry | Miss:
        """The addresses of one family (gethostbyname3_r); else as `addresses`."""
        rdtype = AAAA if is_ipv6 else A
        found = self._addresses_of_type(name, rdtype, A if self._no_aaaa else rdtype, ends_at)
        if isinstance(found, Miss):
            return found if found.herrno else Miss(Status.TRYAGAIN, NO_RECOVERY, found.outcome)
        if self._sortlist and not is_ipv6:
            found.addresses = tuple(apply_sortlist(found.addresses, self._sortlist))
        return found

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
        rdtypes = (A, AAAA) if family == AF_UNSPEC else (AAAA if family == AF_INET6 else A,)
        if self._no_aaaa:
            rdtypes = (A,)
        leases: list[Lease] = []
        for qname in self._qnames(name):
            if self._keeps(qname, name):
                continue
            is_answer = qname == answer.question.qname
            found: list[str] = []
            for rdtype in rdtypes:
                question = Question(qname, rdtype)
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

    def _addresses_of_type(
        self, name: str, rdtype: int, asked: int, ends_at: float | None
    ) -> HostEntry | Miss:
        """Ask for records of the type `asked`, of which those of type `rdtype` are wanted.

        The herrno of a Miss is 0 where the name has records, but none of these.
        """
        own = self._own
        search: _Search | None = None
        in_vain: list[Outcome] = []
        for qname in self._qnames(name):
            if self._keeps(qname, name) or (search is not None and not search.asks(qname)):
                continue
            lifetime = None
            if ends_at is not None and (lifetime := ends_at - monotonic()) <= 0:
                return _late(qname)
            question = Question(qname, asked)
            if own is not None:
                outcome = own.query(question, 0, lifetime)
            else:
                outcome = self._stub.query(question, 0, lifetime)
            if outcome.status is ANSWER and asked == rdtype:
                if in_vain:
                    _count(self._stub, in_vain)
                return HostEntry(outcome.addresses, outcome)
            if outcome.status is CLOSED:
                return Miss(Status.UNAVAIL, NO_RECOVERY, outcome, is_certain=False)
            in_vain.append(outcome)
            verdict = self._verdict_on(outcome)
            if asked != rdtype and not verdict.herrno:
                verdict = _NODATA
            if not verdict.herrno:
                return Miss(Status.NOTFOUND, 0, outcome)
            search = search or _Search(name, self._ndots)
            search.note(verdict, outcome, outcome.is_negative or outcome.status is ANSWER)
        return search.give_up() if search is not None else Miss(Status.NOTFOUND, NO_RECOVERY)

    def name(self, address: str, ends_at: float | None = None) -> HostEntry | Miss:
        """The name of an address (gethostbyaddr2_r): `outcome.reply.targets[0]` of the Answer."""
        qname = reverse_name(address)
        lifetime = None
        if ends_at is not None and (lifetime := ends_at - monotonic()) <= 0:
            return _late(qname)
        outcome = self._stub.query(Question(qname, PTR), 0, lifetime)
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
        first = self._stub.query(Question(qname, A), 0, lifetime)
        if self._verdict_on(first).is_unanswered:
            return first, first
        return first, self._stub.query(Question(qname, AAAA), 0, lifetime)

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


def _count(stub: Stub, in_vain: list[Outcome]) -> None:
    """Another name was the one: count the queries that were spent on those before it, each of them once."""
    for outcome in in_vain:
        if not (outcome.from_cache or outcome.is_counted):
            outcome.is_counted = True
            stub.counters.in_vain += 1


def _certainty(first: Outcome, second: Outcome) -> tuple[Outcome, bool]:
    """The outcome to report, and whether the network said of both that there is nothing."""
    if not first.is_negative:
        return first, False
    if not second.is_negative:
        return second, False
    return first, True


def _late(qname: str) -> Miss:
    outcome = Outcome(Question(qname, A), TIMEOUT, detail=LIFETIME_ENDED)
    return Miss(Status.UNAVAIL, TRY_AGAIN, outcome, is_certain=False)
