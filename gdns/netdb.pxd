# The types with which netdb.py is compiled; what it does is in the .py alone.

from gdns._rows cimport rows
from gdns.arguments cimport text_of
from gdns.entries cimport Failure, Foreign, HostEntry, Miss
from gdns.forward cimport find
from gdns.nss cimport Nss
from gdns.ready cimport hints_key, lookup_key
