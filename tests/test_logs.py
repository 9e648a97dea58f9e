"""What is said in the program's log, also when little else works."""

import logging
import subprocess
import sys

from gdns.logs import ERROR, WARNING, log


def test_a_message_reaches_the_logger_it_is_for_and_names_its_place(caplog):
    log("gdns.hubs", WARNING, "%s: %d", "spoilt", 7)
    [record] = caplog.records
    assert (record.name, record.levelno, record.getMessage()) == ("gdns.hubs", logging.WARNING, "spoilt: 7")
    assert record.filename == "test_logs.py"


def test_an_error_comes_with_its_traceback(caplog):
    error = ZeroDivisionError("of nothing")
    log("gdns", ERROR, "%r failed", len, error=error)
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info[1] is error


def test_without_a_free_descriptor_for_logging_a_warning_goes_to_standard_error(tmp_path):
    program = f"""if True:
        import os, resource, sys
        from gdns.files import WatchedFile
        assert "logging" not in sys.modules
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
        taken = []
        while len(taken) < 32:
            try:
                taken.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                break
        print(WatchedFile({str(tmp_path)!r}, lambda content: content).look())
        from gdns.logs import ERROR, log
        log("gdns", ERROR, "%r failed", len, error=ZeroDivisionError("of nothing"))
        os.close(taken.pop())
        log("gdns", ERROR, "all is well")
        assert "logging" in sys.modules
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("b''\n", 0), done.stderr
    assert done.stderr.splitlines() == [
        f"{tmp_path}: cannot be opened (Too many open files)",
        "<built-in function len> failed",
        "ZeroDivisionError: of nothing",
        "all is well",
    ]
