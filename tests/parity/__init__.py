"""The same look-ups made by CPython over glibc and by gdns, in a world made for them.

    python -m tests.parity --seed 7 --cases 10000

Each case is a system's files, a zone and its server's faults, the host's addresses and one call. It is made
twice in a network and mount namespace: by `socket`, in a process that has looked nothing up before, and by
gdns. Results, exceptions and the questions that the server saw have to be the same, or the difference has to
be one that `differences` knows the reason for.
"""
