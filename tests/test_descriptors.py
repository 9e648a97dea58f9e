"""Sets of descriptors, and the systems that keep none."""

from __future__ import annotations

import os
import select
from contextlib import suppress

import pytest

from gdns.descriptors import READABLE, WRITABLE, DescriptorSet, PolledSet, make_set


@pytest.fixture(params=[make_set, PolledSet])
def descriptors(request):
    made = request.param()
    yield made
    made.close()


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for end in ends:
        with suppress(OSError):  # closed by the test
            os.close(end)


def test_here_the_kernel_keeps_the_set() -> None:
    made = make_set()
    assert isinstance(made, select.epoll)
    made.close()


def test_a_set_tells_what_is_ready_and_only_that(descriptors: DescriptorSet, pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    descriptors.register(reading, READABLE)
    assert descriptors.poll(0) == []
    descriptors.register(writing, WRITABLE)
    assert descriptors.poll(0) == [(writing, WRITABLE)]
    os.write(writing, b"x")
    assert sorted(descriptors.poll(None)) == sorted([(reading, READABLE), (writing, WRITABLE)])
    descriptors.unregister(writing)
    assert descriptors.poll(0.001) == [(reading, READABLE)]


def test_a_set_has_each_descriptor_once(descriptors: DescriptorSet, pipe: tuple[int, int]) -> None:
    descriptors.register(pipe[0], READABLE)
    with pytest.raises(FileExistsError):
        descriptors.register(pipe[0], READABLE)
    descriptors.unregister(pipe[0])
    with pytest.raises(FileNotFoundError):
        descriptors.unregister(pipe[0])


def test_a_descriptor_that_was_closed_is_not_ready(descriptors: DescriptorSet, pipe: tuple[int, int]) -> None:
    descriptors.register(pipe[0], READABLE)
    os.write(pipe[1], b"x")
    os.close(pipe[0])
    assert descriptors.poll(0) == []
    assert descriptors.poll(0) == []


def test_a_polled_set_lets_go_of_what_it_had_when_it_is_closed(pipe: tuple[int, int]) -> None:
    made = PolledSet()
    made.register(pipe[0], READABLE)
    os.write(pipe[1], b"x")
    made.close()
    assert made.poll(0) == []
