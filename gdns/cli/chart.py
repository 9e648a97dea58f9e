"""Draws how a figure grows: bars for a terminal, or an SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

BLOCKS = " ▏▎▍▌▋▊▉█"
WIDTH = 40  # columns of the longest bar
_SIZE = (640, 320)  # of the SVG, with margins in it
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 50, 50


def bars(points: Sequence[tuple[str, float]], ascii_only: bool = False) -> list[str]:
    """A line with a bar for each label and figure.

    >>> bars([("1", 10.0), ("16", 35.0)], ascii_only=True)
    [' 1  ###########                               10', '16  ########################################  35']
    """
    most = max((figure for _, figure in points), default=0.0) or 1.0
    width = max((len(label) for label, _ in points), default=0)
    lines = []
    for label, figure in points:
        eighths = round(figure / most * WIDTH * 8)
        if ascii_only:
            bar = "#" * (eighths // 8)
        else:
            bar = BLOCKS[-1] * (eighths // 8) + (BLOCKS[eighths % 8] if eighths % 8 else "")
        lines.append(f"{label:>{width}}  {bar:<{WIDTH}}  {figure:,.0f}")
    return lines


def _tick(most: float) -> float:
    """A round step of which two to five make up the largest figure."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (0.2, 0.5, 1, 2) if most / (step * power) <= 5)


def svg(title: str, x_label: str, y_label: str, points: Sequence[tuple[str, float]]) -> str:
    """A line through the points, evenly spaced and with their labels, as a picture of its own."""
    width, height = _SIZE
    tick = _tick(max((figure for _, figure in points), default=0.0) or 1.0)
    ticks = math.ceil(max((figure for _, figure in points), default=0.0) / tick) or 1
    most = tick * ticks
    step = (width - _LEFT - _RIGHT) / max(1, len(points) - 1)
    floor = height - _BOTTOM

    def y_of(figure: float) -> float:
        return floor - figure / most * (floor - _TOP)

    places = [
        (_LEFT + index * step, y_of(figure), label, figure) for index, (label, figure) in enumerate(points)
    ]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{_LEFT}" y="20" font-size="14">{escape(title)}</text>',
        f'<text x="{width / 2:.0f}" y="{height - 10}" text-anchor="middle">{escape(x_label)}</text>',
        f'<text x="{_LEFT}" y="37" fill="#555">{escape(y_label)}</text>',
    ]
    for part in range(ticks + 1):
        figure = tick * part
        y = y_of(figure)
        lines.append(f'<path d="M{_LEFT} {y:.1f}H{width - _RIGHT}" stroke="#ddd"/>')
        lines.append(
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#555">{figure:,.0f}</text>'
        )
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in places)
    lines.append(f'<polyline points="{path}" fill="none" stroke="#2a6fb0" stroke-width="2"/>')
    for x, y, label, figure in places:
        lines.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#2a6fb0"><title>{figure:,.0f}</title></circle>'
        )
        lines.append(f'<text x="{x:.1f}" y="{floor + 18}" text-anchor="middle">{escape(label)}</text>')
    return "\n".join([*lines, "</svg>", ""])
