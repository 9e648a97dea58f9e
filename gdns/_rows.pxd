# What gdns' other extension modules may cimport from gdns._rows; types for readers are in _rows.pyi.

cpdef list rows(tuple addresses, tuple ends)
