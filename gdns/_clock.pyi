"""The clock of `time.monotonic`, for code that reads it several times in a look-up."""

def monotonic() -> float:
    """Seconds, as `time.monotonic` counts them."""
