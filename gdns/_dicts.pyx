"""A dict, or a kind of dict, looked into without the way through its methods."""

from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport PyObject


cpdef object value_of(object mapping, object key):
    """What `dict.get(mapping, key)` gives: a subclass' own `get` and `__getitem__` are not asked."""
    cdef PyObject* value = PyDict_GetItemWithError(mapping, key)
    return None if value is NULL else <object>value
