"""Which lines of gdns the tests run: `make coverage` writes docs/coverage.md with it.

It is not called `coverage`: pytest puts the folder above in front of the search path, so of coverage.py, too.
"""
