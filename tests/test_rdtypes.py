"""Numbers of record types, as they are elsewhere."""

from __future__ import annotations

import doctest

import dns.rdatatype

from gdns import rdtypes
from gdns._wire import Question
from gdns.outcome import TIMEOUT, Outcome


def test_the_numbers_are_those_of_the_registry():
    for name, number in rdtypes.NUMBERS.items():
        assert dns.rdatatype.from_text(name) == number
        assert dns.rdatatype.to_text(number) == name


def test_an_outcome_names_the_type_that_was_asked_for():
    shown = [repr(Outcome(Question("www.example.", rdtype), TIMEOUT)) for rdtype in (28, 65280)]
    assert shown == [
        "<Outcome www.example. AAAA: timeout after 0.000 s and 0 attempts>",
        "<Outcome www.example. TYPE65280: timeout after 0.000 s and 0 attempts>",
    ]


def test_the_example_in_the_docstring_is_right():
    assert doctest.testmod(rdtypes) == (0, 1)
