"""Faults, one line each: what must come out of a look-up that meets them, and how soon."""
