"""Says when the next of many may go, at so many a second."""

from __future__ import annotations

BURST = 0.02  # seconds: what has not gone for so long is made up for at once, what is older is not


class Pace:
    """A token bucket (as GCRA: one moment instead of a bucket). Moments are seconds on the caller's clock.

    No more than `rate` times the seconds, and 1 or a fiftieth of `rate` over, go in any stretch of time.

    >>> pace = Pace(10.0)
    >>> pace.wait(5.0), pace.take(5.0), round(pace.wait(5.02), 3)
    (0.0, None, 0.08)
    """

    __slots__ = ("interval", "next_at")

    def __init__(self, rate: float) -> None:
        self.interval = 1.0 / rate
        self.next_at = 0.0  # when the next one is due; it may go up to BURST late without losing its place

    def wait(self, now: float) -> float:
        """Seconds until one may go; 0 if it may go now."""
        return max(0.0, self.next_at - now)

    def take(self, now: float) -> None:
        """One goes now."""
        self.next_at = max(self.next_at, now - BURST) + self.interval
