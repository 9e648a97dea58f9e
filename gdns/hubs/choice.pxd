# The types with which choice.py is compiled; what it does is in the .py alone.

cdef dict _modules

cpdef current(explicit=*)
