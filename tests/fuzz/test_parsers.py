"""Any octets are read or refused by every parser; nothing else comes out."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, WORDS, check_reply, seeds


@pytest.mark.parametrize("target", TARGETS)
def test_any_octets_are_read_or_refused(target: str) -> None:
    @settings(max_examples=150)
    @given(st.binary(max_size=600))
    def read(octets: bytes) -> None:
        TARGETS[target](octets)

    read()


@pytest.mark.parametrize("target", WORDS)
def test_lines_of_the_right_words_in_the_wrong_places_are_read(target: str) -> None:
    word = st.sampled_from([text.encode("latin-1") for text in WORDS[target]])
    filling = st.sampled_from([b" ", b"\n", b"\r\n", b"#", b";", b"\0", b"\xff", b""])

    @settings(max_examples=150)
    @given(st.lists(st.one_of(word, filling, st.binary(max_size=4)), max_size=40))
    def read(pieces: list[bytes]) -> None:
        TARGETS[target](b"".join(pieces))

    read()


def test_every_seed_is_read() -> None:
    found = seeds()
    assert len(found) > 50
    for octets in found:
        check_reply(octets)


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(seeds()), st.data())
def test_a_seed_with_some_octets_changed_is_read_or_refused(seed: bytes, data: st.DataObject) -> None:
    changed = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed)))
        changed[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    check_reply(bytes(changed))


@pytest.mark.parametrize("octets", range(0, 65_536, 4096))
def test_large_messages_of_one_octet_are_read_or_refused(octets: int) -> None:
    for octet in (b"\0", b"\x01", b"\x3f", b"\xc0", b"\xff"):
        check_reply(b"\0" + octet * octets)
