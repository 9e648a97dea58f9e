# The types with which nss_modules.py is compiled; what it does is in the .py alone.

cdef class Step:
    cdef public object source
    cdef public str name
    cdef public tuple actions
    cdef public bint is_dns
