# The types with which forward.py is compiled; what it does is in the .py alone.

from gdns.entries cimport Failure, Foreign, HostEntry
from gdns.nss cimport Nss

cpdef find(Nss nss, str name, int family, int flags, ends_at, int port=*)
cpdef first_address(Nss nss, str name, int family, ends_at, policy, kept_for=*)
cdef _address_itself(str name, int family, int flags)
cdef _find_as_told(Nss nss, str name, int family, int flags, ends_at, int port)
cdef _first_of(Nss nss, str name, int family, ends_at, policy, kept_for, found)
