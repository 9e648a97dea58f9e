"""Tells the program's log what it should know."""

from __future__ import annotations

import sys

WARNING = 30  # as in logging
ERROR = 40


def log(name: str, level: int, text: str, *arguments: object, error: BaseException | None = None) -> None:
    """Log `text % arguments` to the logger of that name, with the traceback of `error` if there is one.

    `logging` is loaded for the first message only, for it costs more than a third of what all of gdns does.
    Where that fails, as it does without a free descriptor, the message goes where logging would write
    it with nothing configured: to standard error.
    """
    try:
        from logging import getLogger
    except (ImportError, OSError):
        if sys.stderr is not None:
            print(text % arguments, file=sys.stderr)
            if error is not None:
                sys.__excepthook__(type(error), error, error.__traceback__)
        return
    getLogger(name).log(level, text, *arguments, exc_info=error, stacklevel=2)
