# The types with which names.py is compiled; what it does is in the .py alone.

import cython

cpdef str encode_idna(str host)
cpdef object special_use(str name)
cpdef bint is_hostname(str name)
cdef _absolute(str name)
