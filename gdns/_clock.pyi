"""The clock of `time.monotonic`, for code that reads it several times in a look-up."""

from collections.abc import Callable

def monotonic() -> float:
    """Seconds, as `time.monotonic` counts them."""

def now_by(clock: Callable[[], float]) -> float:
    """Seconds, as `clock` counts them: whoever is given a clock is nearly always given `time.monotonic`."""
