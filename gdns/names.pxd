# The types with which names.py is compiled; what it does is in the .py alone.

import cython

cpdef str encode_idna(str host, bint is_idna2008=*)
@cython.locals(before=cython.Py_UCS4, letter=cython.Py_UCS4)
cdef bint _has_empty_label(str name) except -1
cpdef object special_use(str name)
cpdef bint is_hostname(str name)
@cython.locals(length=int, last_length=int, letter=cython.Py_UCS4, first=cython.Py_UCS4, begins_with=cython.Py_UCS4)
cpdef bint is_ordinary(str name)
@cython.locals(length=int, letter=cython.Py_UCS4)
cpdef absolute(str name)

cdef int _MAX_LABEL
cdef int _MAX_NAME
cdef int _ONION
cdef int _INVALID
cdef int _LOCALHOST
