"""Draws the pictures of docs/performance.md: small SVG files that are the same for the same figures.

build/peers/bin/python -m benchmarks.plots benchmarks/results.json docs/_static
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

from benchmarks.figures import cost
from benchmarks.page import by_cost

matplotlib.rcParams.update({
    "svg.hashsalt": "gdns",
    "svg.fonttype": "none",  # letters stay letters: a tenth of the size
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "axes.axisbelow": True,
    "legend.frameon": False,
})  # fmt: skip
GDNS, OTHERS, FLOOR = "#2a6ebb", "#aaaaaa", "#e0a030"
COLOURS = {
    "gdns on gevent": GDNS,
    "gdns on its own hub": "#7db0e8",
    "bare packets": FLOOR,
    "plain c-ares": "#333333",
    "plain c-ares, its defaults": "#999999",
    "gevent ares": "#c0504d",
    "aiodns on uvloop": "#8064a2",
    "node resolve": "#5a9a4a",
}
WIDE, TALL = (6.4, 3.4), (6.4, 4.2)
Results = dict[str, Any]


def colour(label: str) -> str:
    return (
        GDNS
        if label.startswith(("gdns", "resolve_many"))
        else FLOOR
        if "bare" in label or label == "a dict"
        else OTHERS
    )


def lines(results: Results, prefix: str, across: str) -> None:
    """Cost against a number, both on logarithmic axes, a line for each client."""
    parts = {
        int(key.split("/")[1]): part for key, part in results["works"].items() if key.startswith(prefix + "/")
    }
    figure, axes = pyplot.subplots(figsize=WIDE)
    for label in COLOURS:
        points = [
            (x, cost(part, label))
            for x, part in parts.items()
            if part.get(label, {}).get("cpu_us_per_lookup")
        ]
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", markersize=3, color=COLOURS[label], label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_yticks([5, 10, 20, 50, 100, 200, 500])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")
    axes.set_xticks(list(parts), [f"{x:,}" for x in parts])
    axes.minorticks_off()
    axes.set_xlabel(across)
    axes.set_ylabel("us of CPU per look-up")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", fontsize=8)


def bars(values: dict[str, float], what: str, is_log: bool = False) -> None:
    """A bar for each client, the least first."""
    _, axes = pyplot.subplots(figsize=(TALL[0], 0.6 + 0.24 * max(3, len(values))))
    labels = sorted(values, key=lambda label: -values[label])
    drawn = axes.barh(labels, [values[label] for label in labels], color=[colour(label) for label in labels])
    axes.bar_label(
        drawn,
        [f"{values[label]:,.3g}" if values[label] < 100 else f"{values[label]:,.0f}" for label in labels],
        padding=2,
        fontsize=8,
    )
    if is_log:
        axes.set_xscale("log")
        axes.minorticks_off()
    axes.margins(x=0.12)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(what)


def concurrency(results: Results) -> None:
    lines(results, "A", "look-ups in flight")


def concurrency_getaddrinfo(results: Results) -> None:
    lines(results, "getaddrinfo", "look-ups in flight")


def growth(results: Results) -> None:
    lines(results, "growth", "names looked up")


def cached(results: Results) -> None:
    part = results["works"]["cached getaddrinfo"]
    bars(
        {label: cost(part, label) for label in by_cost(part)},
        "us of CPU per look-up of a known name",
        is_log=True,
    )


def memory(results: Results) -> None:
    part = results["works"]["pending"]
    bars(
        {label: median(said["pending"]) for label, said in part.items() if said.get("pending")},
        "octets for each pending look-up",
    )


def imports(results: Results) -> None:
    bars(
        {label: said["median"] for label, said in results["works"]["import"].items()},
        "ms of CPU, beyond Python with greenlet",
    )


PICTURES: list[Callable[[Results], None]] = [
    concurrency,
    concurrency_getaddrinfo,
    growth,
    cached,
    memory,
    imports,
]


def main(figures: Path, folder: Path) -> None:
    results = json.loads(figures.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    for picture in PICTURES:
        picture(results)
        name = "performance-" + picture.__name__.replace("_", "-") + ".svg"
        pyplot.gcf().set_layout_engine("constrained")
        pyplot.savefig(folder / name, metadata={"Date": None, "Creator": None})
        pyplot.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
