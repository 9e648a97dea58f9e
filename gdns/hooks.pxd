# The types with which hooks.py is compiled; what it does is in the .py alone.

cdef class Hooks:
    cdef public tuple on_query
    cdef public tuple on_outcome
