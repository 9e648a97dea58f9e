# The types with which config.py is compiled; what it does is in the .py alone.

cdef class System:
    cdef object _resolv_conf
    cdef object _nsswitch
    cdef object _host_conf
    cdef object _gai_conf
    cdef readonly object _lock
    cdef public object clock
    cdef public double look_at
    cdef public object settings

    cpdef current(self)
    cpdef _look(self, double now)
