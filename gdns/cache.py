"""Keeps outcomes until they expire, for all the stubs of a resolver.

What a server said of a name is kept as long as its TTL allows (RFC 1035, section 3.2.1; RFC 2308 for what
there is not), in a table that is bounded in entries and in octets and gives up what was used least recently.
That a name does not exist is kept for all its types, everything else for the type that was asked for.
"""

from __future__ import annotations

import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

try:
    import cython
except ImportError:  # compiled, it is not asked for
    from gdns import uncompiled as cython

from gdns._clock import now_by
from gdns._dicts import value_of
from gdns.outcome import ANSWER, FAILED, NODATA, NXDOMAIN, REFUSED, SERVFAIL, Outcome, Status
from gdns.threads import make_rlock

if TYPE_CHECKING:
    from gdns._wire import Question, Reply

FAILURE_TTL = 1.0  # seconds a server's failure is kept: RFC 9520 asks for one at least, we promise at most 5
BUSY = 2  # hits after which an entry is worth asking for anew before it expires
LATE = 0.1  # of an entry's time, when that is done
LENT = 4  # one part in so many of the octets may be used for what is made of entries

# The rest of what makes a question another one (the bits of `AresLane.ask`); the transport does not
_USE_TCP = 1
_TYPE_AND_CLASS = 4  # octets at the end of a question's key

# Where there is a GIL, compiled code that calls no Python holds it from end to end: a hit needs no lock
_NEEDS_LOCK = "t" in sys.abiflags  # a free-threaded CPython's (PEP 703)

# What an entry takes beside the octets of its message, as sys.getsizeof counts: the entry with its place in
# the table, outcome, reply and question, and for each text of a reply its head
_ENTRY_OCTETS = 900
_TEXT_OCTETS = 58


class Dumped(NamedTuple):
    """One entry of a cache, as `Resolver.dump` shows it."""

    qname: str
    rdtype: int
    """0 where it stands for all types of a name that does not exist."""
    rdclass: int
    status: str
    """"answer", "NODATA", "NXDOMAIN", "SERVFAIL", "REFUSED" or "failed"."""
    addresses: tuple[str, ...]
    """Those of an answer to A or AAAA."""
    server: str
    ttl: float
    """Seconds until it expires; below 0 for what is kept to be served stale."""
    age: float
    """Seconds since it was learnt."""
    hits: int


@cython.cclass
@cython.no_gc
class Entry:
    """An outcome with the times of its life, on the cache's clock."""

    __slots__ = (
        "outcome",
        "stored_at",
        "expires_at",
        "lasts_until",
        "hits",
        "octets",
        "is_refreshing",
        "is_denial",
        "lease",
    )

    outcome: Outcome
    stored_at: float
    expires_at: float
    lasts_until: float  # later than expires_at where it may be served stale
    hits: int
    octets: int
    is_refreshing: bool
    is_denial: bool  # of the name, whatever type is asked for
    lease: Lease | None


@cython.cclass
@cython.no_gc
class Lease:
    """What those hold who keep something made of an entry: until when it may be used.

    The entry itself is not held by it, and goes when the cache throws it out; then `expires_at` is in the
    past, as it is when the entry is replaced or flushed.
    """

    __slots__ = ("key", "expires_at", "hits")

    def __init__(self, key: object, expires_at: float) -> None:
        self.key = key
        self.expires_at = expires_at
        self.hits = 0  # beside those of the entry


class Cache:
    """Outcomes by question.

    At most `max_entries` and `max_octets` (estimated) are kept; `lend` gives some of the octets to others.
    TTLs are cut to `max_ttl` and raised to `min_ttl` seconds; a TTL of 0 keeps nothing. `stale_for` is for
    how many seconds after its time an entry may still be had by `stale` (RFC 8767). `clock` counts seconds.

    It may be used from all threads. `era` is counted up by `begin_era`, for those who ask for longer than
    what they learn is wanted.
    """

    def __init__(
        self,
        max_entries: int = 10_000,
        max_octets: int = 16 << 20,
        *,
        min_ttl: float = 0.0,
        max_ttl: float = 86_400.0,
        stale_for: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_entries = max_entries
        self.max_octets = max_octets
        self.min_ttl = min_ttl
        self.max_ttl = max_ttl
        self.stale_for = stale_for
        self.clock = clock
        self.octets = 0
        self.lent = 0  # octets, of `max_octets` too, that others use for what they make of entries
        self.hits = 0
        self.misses = 0
        self.stale_hits = 0
        self.evicted = 0  # before their time, for want of room
        self.era = 0
        self._entries: OrderedDict[object, Entry] = OrderedDict()  # least recently used first
        self._denials = 0  # how many of them say that a name does not exist, of whatever type
        self._make_lock()

    def __len__(self) -> int:
        return len(self._entries)

    # --- getting

    def get(self, question: Question, wishes: int) -> Entry | None:
        """The entry that answers a question asked with `wishes` (`AresLane.ask`), unless its time is up.

        Its use is noted. Nothing is kept of questions with EDNS options or a source address of their own.
        """
        if not question.is_plain:
            return None
        if _NEEDS_LOCK:
            with self._lock:
                return self._get(question, wishes)
        return self._get(question, wishes)

    def _get(self, question: Question, wishes: int) -> Entry | None:
        key = _key(question, wishes)
        entry = value_of(self._entries, key)
        now = now_by(self.clock)
        if entry is None or entry.expires_at <= now:
            entry = None
            if self._denials:
                key = _name_key(question, wishes)
                entry = value_of(self._entries, key)
            if entry is None or entry.expires_at <= now:
                self.misses += 1
                return None
        self._note_use(key, entry)
        self.hits += 1
        return entry

    def age(self, entry: Entry) -> float:
        """Seconds since an entry was learnt."""
        now = now_by(self.clock)
        return now - entry.stored_at

    def stale(self, question: Question, wishes: int) -> Outcome | None:
        """An answer, or a denial, whose time is up but which may still be used (RFC 8767, section 4)."""
        if not self.stale_for or not question.is_plain:
            return None
        if _NEEDS_LOCK:
            with self._lock:
                return self._stale(question, wishes)
        return self._stale(question, wishes)

    def _stale(self, question: Question, wishes: int) -> Outcome | None:
        now = now_by(self.clock)
        for key in (_key(question, wishes), _name_key(question, wishes)):
            entry = self._entries.get(key)
            if entry is not None and entry.expires_at <= now < entry.lasts_until:
                self._note_use(key, entry)
                self.stale_hits += 1
                return entry.outcome.recalled(question, now - entry.stored_at, True)
        return None

    def is_due(self, entry: Entry) -> bool:
        """Whether an entry in demand should be asked for anew now; said once of each entry."""
        if entry.is_refreshing or entry.hits < BUSY:
            return False
        if _NEEDS_LOCK:
            with self._lock:
                return self._is_due(entry)
        return self._is_due(entry)

    def _is_due(self, entry: Entry) -> bool:
        if entry.is_refreshing:
            return False
        now = now_by(self.clock)
        if entry.expires_at - now > LATE * (entry.expires_at - entry.stored_at):
            return False
        entry.is_refreshing = True
        return True

    def _note_use(self, key: object, entry: Entry) -> None:
        entry.hits += 1
        try:  # noqa: SIM105 - the hit path has no time for more
            self._entries.move_to_end(key)
        except KeyError:  # another thread has just thrown it out
            pass

    # --- what others make of it

    def find(self, question: Question, wishes: int) -> Entry | None:
        """As `get`, but that it counts as no use."""
        now = now_by(self.clock)
        for key in (_key(question, wishes), _name_key(question, wishes)):
            entry = self._entries.get(key)
            if entry is not None and entry.expires_at > now:
                return entry
        return None

    def lease(self, question: Question, wishes: int, entry: Entry) -> Lease | None:
        """The lease of an entry that `find` has found; None if it has been thrown out since."""
        with self._lock:
            for key in (_key(question, wishes), _name_key(question, wishes)):
                if self._entries.get(key) is entry:
                    if entry.lease is None:
                        entry.lease = Lease(key, entry.expires_at)
                    return entry.lease
        return None

    def note_uses(self, leases: tuple[Lease, ...]) -> None:
        """Something made of these entries was used: for them it is as if they had been asked for."""
        if _NEEDS_LOCK:
            with self._lock:
                self._note_uses(leases)
        else:
            self._note_uses(leases)

    def _note_uses(self, leases: tuple[Lease, ...]) -> None:
        for lease in leases:
            lease.hits += 1
            self.hits += 1
            try:  # noqa: SIM105 - as in _note_use
                self._entries.move_to_end(lease.key)
            except KeyError:
                pass

    def lend(self, octets: int) -> bool:
        """Give room to somebody who keeps what is made of entries; False if too much is lent already."""
        with self._lock:
            if self.lent + octets > self.max_octets // LENT:
                return False
            self.lent += octets
            self._make_room(now_by(self.clock))
        return True

    def take_back(self, octets: int) -> None:
        """The end of what `lend` has given."""
        with self._lock:
            self.lent -= octets

    # --- keeping

    def put(self, outcome: Outcome, wishes: int, era: int = -1) -> None:
        """Keep an outcome for as long as its reply allows; one without a reply is not kept.

        Nor is one that was asked for in another `era` than this.
        """
        reply = outcome.reply
        if reply is None or outcome.from_cache or not outcome.question.is_plain:
            return
        lifetime = self._lifetime(outcome, reply)
        if lifetime <= 0:
            return
        outcome.kept_for = lifetime
        stored_at = now_by(self.clock)
        expires_at = stored_at + lifetime
        status = outcome.status
        is_word_of_name = status is ANSWER or status is NXDOMAIN or status is NODATA
        lasts_until = expires_at + (self.stale_for if is_word_of_name else 0.0)
        entry = _new_entry(outcome, stored_at, expires_at, lasts_until, _size(reply))
        if entry.octets > self.max_octets:
            return
        self._acquire()  # `with` would look for its two methods at each answer
        try:
            if era in (-1, self.era):
                self._keep(entry, outcome.question, status, is_word_of_name, wishes)
        finally:
            self._release()

    def _keep(
        self, entry: Entry, question: Question, status: Status, is_word_of_name: bool, wishes: int
    ) -> None:
        key = self._key_for(entry.outcome, wishes)
        if not is_word_of_name:
            old = value_of(self._entries, key)
            if old is not None and old.lasts_until > entry.stored_at:
                return  # what was known of the name may still be wanted, and is better than a failure
        self._discard(key)
        if status is not NXDOMAIN:
            if self._denials:
                self._discard(_name_key(question, wishes))  # it exists, whatever was said of its other types
        else:
            entry.is_denial = key != _key(question, wishes)
        self._entries[key] = entry
        self.octets += entry.octets
        if entry.is_denial:
            self._denials += 1
        self._make_room(entry.stored_at)

    def _lifetime(self, outcome: Outcome, reply: Reply) -> float:
        status = outcome.status
        if status is not ANSWER and status in (SERVFAIL, REFUSED, FAILED):
            return FAILURE_TTL
        lifetime: float = reply.ttl
        if lifetime > self.max_ttl:
            lifetime = self.max_ttl
        if lifetime < self.min_ttl and reply.ttl:
            lifetime = self.min_ttl
        return lifetime

    def _key_for(self, outcome: Outcome, wishes: int) -> object:
        """Where an outcome is kept: NXDOMAIN stands for all types of the name (RFC 2308, section 5).

        Not so where a CNAME leads to the name that does not exist, for then the name asked for does; nor
        where a server has addresses for a name, but denies it when asked for another type.
        """
        question = outcome.question
        reply = outcome.reply
        assert reply is not None
        if outcome.status is NXDOMAIN and not reply.aliases:
            name = question.key[:-_TYPE_AND_CLASS]
            rdclass = question.key[-2:]
            for rdtype in (b"\0\x01", b"\0\x1c"):  # A, AAAA
                other = self._entries.get(_with_wishes(name + rdtype + rdclass, wishes))
                if other is not None and other.outcome.status is ANSWER:
                    return _key(question, wishes)
            return _name_key(question, wishes)
        return _key(question, wishes)

    def _discard(self, key: object) -> None:
        old = value_of(self._entries, key)
        if old is not None:  # nearly never, and `pop` costs more than all else here
            del self._entries[key]
            self._let_go(old)

    def _make_room(self, now: float) -> None:
        entries = self._entries
        while entries and (len(entries) > self.max_entries or self.octets + self.lent > self.max_octets):
            _, oldest = entries.popitem(False)
            self._let_go(oldest)
            if oldest.lasts_until > now:
                self.evicted += 1

    def _let_go(self, entry: Entry) -> None:
        """An entry is kept no longer."""
        self.octets -= entry.octets
        if entry.is_denial:
            self._denials -= 1
        if entry.lease is not None:
            entry.lease.expires_at = -inf

    # --- looking after it

    def after_fork(self) -> None:
        """In the child: a thread that held the lock is not there any more to give it back."""
        self._make_lock()

    def _make_lock(self) -> None:
        lock: Any = make_rlock()
        self._lock = lock
        self._acquire = lock.acquire
        self._release = lock.release

    def flush(self, question: Question | None = None) -> int:
        """Forget everything, or everything about the name of a question; how many entries that were."""
        with self._lock:
            if question is None:
                doomed = list(self._entries)
            else:
                name = question.key[:-_TYPE_AND_CLASS]
                doomed = [key for key in self._entries if _octets_of(key)[:-_TYPE_AND_CLASS] == name]
            for key in doomed:
                self._discard(key)
            return len(doomed)

    def begin_era(self) -> None:
        """Forget everything, and keep nothing of what is under way: who is asked now may say other things."""
        with self._lock:
            self.era += 1
            self.flush()

    def dump(self) -> list[Dumped]:
        """What is kept, least recently used first."""
        now = now_by(self.clock)
        with self._lock:
            entries = list(self._entries.items())
        dumped = []
        for key, entry in entries:
            outcome = entry.outcome
            octets = _octets_of(key)
            dumped.append(
                Dumped(
                    outcome.question.qname,
                    int.from_bytes(octets[-4:-2], "big"),
                    outcome.question.rdclass,
                    outcome.status.value,
                    outcome.addresses,
                    outcome.server,
                    entry.expires_at - now,
                    now - entry.stored_at,
                    entry.hits if entry.lease is None else entry.hits + entry.lease.hits,
                )
            )
        return dumped


def _new_entry(
    outcome: Outcome, stored_at: float, expires_at: float, lasts_until: float, octets: int
) -> Entry:
    """Made here, not by a constructor, which would cost three times as much."""
    entry = Entry.__new__(Entry)
    entry.outcome = outcome
    entry.stored_at = stored_at
    entry.expires_at = expires_at
    entry.lasts_until = lasts_until
    entry.octets = octets
    entry.hits = 0
    entry.is_refreshing = False
    entry.is_denial = False
    entry.lease = None
    return entry


def _key(question: Question, wishes: int) -> object:
    return _with_wishes(question.key, wishes)


def _name_key(question: Question, wishes: int) -> object:
    """The key of what is true of all types: a question's, with the type 0 that nobody can ask for."""
    return _with_wishes(question.name_key(), wishes)


def _with_wishes(key: bytes, wishes: int) -> object:
    wishes &= ~_USE_TCP
    return (key, wishes) if wishes else key


def _octets_of(key: object) -> bytes:
    octets = key[0] if isinstance(key, tuple) else key
    assert isinstance(octets, bytes)
    return octets


def _size(reply: Reply) -> int:
    """About how many octets of memory an entry takes."""
    texts = len(reply.addresses) + len(reply.targets) + len(reply.aliases)
    letters = len(reply.message)  # no text of it is longer than the message that spells it, once unpacked
    return _ENTRY_OCTETS + 2 * letters + _TEXT_OCTETS * texts
