# The types with which cache.py is compiled; what it does is in the .py alone.

import cython

from gdns._clock cimport now_by
from gdns._dicts cimport value_of
from gdns._wire cimport Question, Reply
from gdns.outcome cimport Outcome

cdef class Lease:
    cdef public object key
    cdef public double expires_at
    cdef public long hits

@cython.final
cdef class Entry:
    cdef public Outcome outcome
    cdef public double stored_at
    cdef public double expires_at
    cdef public double lasts_until
    cdef public long hits
    cdef public long octets
    cdef public bint is_refreshing
    cdef public bint is_denial
    cdef public Lease lease

cdef class Cache:
    cdef public long max_entries
    cdef public long max_octets
    cdef public double min_ttl
    cdef public double max_ttl
    cdef public double stale_for
    cdef public object clock
    cdef public long octets
    cdef public long lent
    cdef public long hits
    cdef public long misses
    cdef public long stale_hits
    cdef public long evicted
    cdef public long era
    cdef object _entries
    cdef long _denials
    cdef object _lock
    cdef object _acquire
    cdef object _release

    cpdef Entry get(self, Question question, int wishes)
    @cython.locals(entry=Entry, now=double)
    cdef Entry _get(self, Question question, int wishes)
    @cython.locals(now=double)
    cpdef double age(self, Entry entry) except? -1.0
    cpdef Outcome stale(self, Question question, int wishes)
    @cython.locals(entry=Entry, now=double)
    cdef Outcome _stale(self, Question question, int wishes)
    cpdef bint is_due(self, Entry entry) except -1
    @cython.locals(now=double)
    cdef bint _is_due(self, Entry entry) except -1
    cdef _note_use(self, key, Entry entry)
    @cython.locals(entry=Entry, now=double)
    cpdef Entry find(self, Question question, int wishes)
    cpdef Lease lease(self, Question question, int wishes, Entry entry)
    cpdef note_uses(self, tuple leases)
    @cython.locals(lease=Lease)
    cdef _note_uses(self, tuple leases)
    cpdef bint lend(self, long octets) except -1
    cpdef take_back(self, long octets)
    @cython.locals(reply=Reply, question=Question, entry=Entry, old=Entry)
    @cython.locals(lifetime=double, stored_at=double, expires_at=double, lasts_until=double, is_word_of_name=bint)
    cpdef put(self, Outcome outcome, int wishes, long era=*)
    @cython.locals(old=Entry)
    cdef _keep(self, Entry entry, Question question, status, bint is_word_of_name, int wishes)
    cdef _make_lock(self)
    @cython.locals(lifetime=double)
    cdef double _lifetime(self, Outcome outcome, Reply reply) except -1
    @cython.locals(question=Question, reply=Reply, other=Entry)
    cdef _key_for(self, Outcome outcome, int wishes)
    @cython.locals(old=Entry)
    @cython.locals(old=Entry)
    cdef _discard(self, key)
    @cython.locals(oldest=Entry)
    cdef _make_room(self, double now)
    cdef _let_go(self, Entry entry)
    cpdef after_fork(self)

cdef bint _NEEDS_LOCK
cdef int _USE_TCP
cdef long _ENTRY_OCTETS
cdef long _TEXT_OCTETS

@cython.locals(entry=Entry)
cdef Entry _new_entry(
    Outcome outcome, double stored_at, double expires_at, double lasts_until, long octets
)

cdef object _key(Question question, int wishes)
cdef object _name_key(Question question, int wishes)
cdef object _with_wishes(bytes key, int wishes)
@cython.locals(letters=long, texts=long)
cdef long _size(Reply reply) except -1
