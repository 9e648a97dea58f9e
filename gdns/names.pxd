# The types with which names.py is compiled; what it does is in the .py alone.

import cython

cpdef str encode_idna(str host, bint is_idna2008=*)
cpdef object special_use(str name)
cpdef bint is_hostname(str name)
@cython.locals(length=int, last_length=int, character=cython.Py_UCS4)
cpdef bint is_ordinary(str name)
cpdef absolute(str name)
