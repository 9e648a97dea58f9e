"""Figures out of the driver's results: medians, ratios, and how they are written."""

from __future__ import annotations

from statistics import median
from typing import Any

REFERENCE = "plain c-ares"
STOCK = "plain c-ares, its defaults"
PORTS = "plain c-ares, a port per query"
Results = dict[str, Any]


class Missing(KeyError):
    """A figure that was not measured."""


def costs(figures: Results, label: str) -> list[float]:
    """Microseconds of CPU per look-up, one for each repetition."""
    try:
        found: list[float] = figures[label]["cpu_us_per_lookup"]
    except KeyError:
        raise Missing(label) from None
    return found


def cost(figures: Results, label: str) -> float:
    return median(costs(figures, label))


def ratio(figures: Results, one: str, other: str) -> float:
    """The median of the ratios within each repetition: noise that lasts seconds falls on both."""
    return median(a / b for a, b in zip(costs(figures, one), costs(figures, other), strict=False))


def rounded(value: float) -> str:
    """A figure with as many digits as it deserves."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
