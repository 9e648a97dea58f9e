# The types with which arguments.py is compiled; what it does is in the .py alone.

from gdns.names cimport encode_idna

cpdef str text_of(str function, host, bint is_idna2008=*)
