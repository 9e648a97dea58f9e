import logging
import os
import resource

import pytest

from gdns.files import WatchedFile
from gdns.testing import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file.conf"
    path.write_text("one")
    return path


@pytest.fixture
def watched(path, clock):
    return WatchedFile(str(path), lambda content: [content.decode()], clock=clock, max_octets=1000)


def rewritten(path):
    path.write_text("two")


def rewritten_with_its_times(path):
    times = path.stat()
    path.write_text("two")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def renamed_over(path):
    new = path.with_name("new")
    new.write_text("two")
    new.rename(path)


def symlinked_elsewhere(path):
    new = path.with_name("new")
    new.write_text("two")
    path.unlink()
    path.symlink_to(new)


@pytest.mark.parametrize("change", [rewritten, rewritten_with_its_times, renamed_over, symlinked_elsewhere])
def test_a_change_is_seen_when_a_second_has_passed(watched, path, clock, change):
    assert watched.current() == ["one"]
    change(path)
    clock.advance(0.9)
    assert watched.current() == ["one"]
    clock.advance(0.2)
    assert watched.current() == ["two"]


def test_the_target_of_a_symlink_is_watched_too(path, clock):
    link = path.with_name("link")
    link.symlink_to(path)
    watched = WatchedFile(link, bytes, clock=clock)
    assert watched.current() == b"one"
    path.write_text("twice")
    clock.advance(1.1)
    assert watched.current() == b"twice"


def test_an_unchanged_file_stays_the_same_object(watched, path, clock):
    first = watched.current()
    for _ in range(3):
        clock.advance(1.1)
        path.write_text("one")
        assert watched.current() is first


def test_a_change_without_meaning_stays_the_same_object(path, clock):
    watched = WatchedFile(path, lambda content: content.strip().split(), clock=clock)
    first = watched.current()
    path.write_text("  one ")
    clock.advance(1.1)
    assert watched.current() is first


def test_a_file_may_come_and_go(watched, path, clock, caplog):
    path.unlink()
    assert watched.current() == [""]
    path.write_text("one")
    clock.advance(1.1)
    assert watched.current() == ["one"]
    path.unlink()
    clock.advance(1.1)
    assert watched.current() == [""]
    assert not caplog.records


def make_directory(path):
    path.unlink()
    path.mkdir()


def make_fifo(path):
    path.unlink()
    os.mkfifo(path)


def make_loop(path):
    path.unlink()
    path.symlink_to(path)


def make_large(path):
    path.write_bytes(bytes(1001))


@pytest.mark.parametrize("spoil", [make_directory, make_fifo, make_loop, make_large])
def test_a_useless_file_is_empty_with_one_warning(watched, path, clock, caplog, spoil):
    assert watched.current() == ["one"]
    spoil(path)
    with caplog.at_level(logging.WARNING, "gdns"):
        for _ in range(3):
            clock.advance(1.1)
            assert watched.current() == [""]
    [record] = caplog.records
    assert str(path) in record.getMessage()


def test_without_descriptors_the_file_stays_as_it_was(watched, path, clock):
    assert watched.current() == ["one"]
    path.write_text("two")
    clock.advance(1.1)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        assert watched.current() == ["one"]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    clock.advance(1.1)
    assert watched.current() == ["two"]


def test_a_signal_that_interrupts_the_reading_leaves_it_to_the_next(path, clock):
    is_interrupted = True

    def parse(content):
        if is_interrupted:
            raise KeyboardInterrupt
        return content

    watched = WatchedFile(path, parse, clock=clock)
    path.write_text("one")
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            watched.current()
    is_interrupted = False
    assert watched.current() == b"one"
    path.write_text("two")
    clock.advance(1.1)
    is_interrupted = True
    with pytest.raises(KeyboardInterrupt):
        watched.current()
    is_interrupted = False
    assert watched.current() == b"two"
