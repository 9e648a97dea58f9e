"""Writes docs/performance.md: the prose of performance.md.in, with every figure from the driver's results.

    python -m benchmarks.page benchmarks/results.json docs/performance.md

In the template `{{table A/1000}}` is a table, and `{{ratio A/1000 | gdns on gevent | plain c-ares}}` is a
figure: a verb, the part that was measured, and labels of clients. `VERBS` has them all.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.figures import PORTS, REFERENCE, STOCK, Missing, Results, cost, costs, ratio, rounded
from benchmarks.goals import goals
from benchmarks.programs import HERE, ROOT

TEMPLATE = HERE / "performance.md.in"
NOTHING = "-"


def markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def by_cost(figures: Results) -> list[str]:
    measured = [label for label in figures if figures[label].get("cpu_us_per_lookup")]
    return sorted(measured, key=lambda label: cost(figures, label))


def rate(said: Results) -> str:
    """Look-ups a second by the clock; a run too short for the clock says nothing."""
    rates = [said["lookups"] / wall for wall in said["wall"] if wall]
    return f"{median(rates):,.0f}" if rates else NOTHING


def cost_table(figures: Results) -> str:
    """Who takes part, the cheapest first: microseconds, their range, the ratio to the reference, losses."""
    reference = next((name for name in (REFERENCE, PORTS, STOCK) if name in figures), None)
    rows = []
    for label in by_cost(figures):
        taken = costs(figures, label)
        said = figures[label]
        rows.append([
            f"**{label}**" if label.startswith("gdns") else label,
            rounded(median(taken)),
            f"{rounded(min(taken))} to {rounded(max(taken))}",
            rounded(ratio(figures, label, reference)) if reference else NOTHING,
            f"{said['lost']:,}" if said["lost"] else "",
            rate(said),
        ])  # fmt: skip
        if said["wrong"]:
            rows[-1][4] += f"{' and ' if said['lost'] else ''}{said['wrong']:,} wrong"
    for label, said in figures.items():
        if not said.get("cpu_us_per_lookup"):
            rows.append([label, NOTHING, said["complaint"], "", "", ""])
    head = ["", "us", "least to most", f"x {reference}" if reference else "", "lost", "per second"]
    return markdown(head, rows)


def sweep_table(results: Results, call: str) -> str:
    """Microseconds per look-up at each number in flight."""
    parts = {
        key.split("/")[1]: figures for key, figures in results["works"].items() if key.startswith(f"{call}/")
    }
    labels = next(iter(parts.values()))
    rows = [
        [
            f"**{label}**" if label.startswith("gdns") else label,
            *(_cell(figures, label) for figures in parts.values()),
        ]
        for label in labels
    ]
    return markdown(["in flight", *(f"{int(count):,}" for count in parts)], rows)


def growth_table(results: Results) -> str:
    parts = {
        key.split("/")[1]: figures for key, figures in results["works"].items() if key.startswith("growth/")
    }
    labels = next(iter(parts.values()))
    rows = [[label, *(_cell(figures, label) for figures in parts.values())] for label in labels]
    return markdown(["names", *(f"{int(count):,}" for count in parts)], rows)


def _cell(figures: Results, label: str) -> str:
    said = figures.get(label) or {}
    if not said.get("cpu_us_per_lookup"):
        return said.get("complaint", "") or NOTHING
    lost = said["lost"] / (said["lookups"] * len(said["cpu_us_per_lookup"]))
    return rounded(cost(figures, label)) + (f" ({max(lost, 1e-4):.2%} lost)" if lost else "")


def bulk_table(results: Results) -> str:
    """Cost and memory with each number of names."""
    figures = results["works"]["bulk"]
    labels = list(dict.fromkeys(key.rpartition("/")[0] for key in figures))
    counts = list(dict.fromkeys(key.rpartition("/")[2] for key in figures))
    rows = []
    for label in labels:
        said = [figures[f"{label}/{count}"] for count in counts]
        cells = [_cell(figures, f"{label}/{count}") for count in counts]
        cells += [f"{max(one['peak']) / 2**20:.0f} MiB" if one.get("peak") else "" for one in said]
        rows.append([label, *cells])
    head = [
        "names",
        *(f"{int(count):,}, us" for count in counts),
        *(f"{int(count):,}, peak" for count in counts),
    ]
    return markdown(head, rows)


def pending_table(results: Results) -> str:
    figures = results["works"]["pending"]
    rows = []
    for label, said in figures.items():
        if said.get("pending"):
            cells = [f"{median(said['pending']):,.0f}", f"{max(said['peak']) / 2**20:.0f} MiB"]
            cells += [rounded(cost(figures, label)), f"{said['lost']:,}" if said["lost"] else ""]
        else:
            cells = [NOTHING, "", said["complaint"], ""]
        rows.append([label, *cells])
    return markdown(["", "octets for each", "peak", "us for each", "lost"], rows)


def calls_table(results: Results) -> str:
    rows = []
    for label, said in sorted(results["works"]["one at a time"].items(), key=lambda item: item[1]["sum"]):
        calls = ", ".join(f"{name} {number:g}" for name, number in said["calls"].items())
        rows.append([label, f"{said['sum']:.1f}" if calls else NOTHING, calls or said["complaint"]])
    return "\n".join(
        "| " + " | ".join(cells) + " |" for cells in [["", "calls", "of them"], ["---", "---:", "---"], *rows]
    )


def import_table(results: Results) -> str:
    figures = results["works"]["import"]
    rows = [
        [f"`import {label.split()[0]}`" if label == "gdns" else label, f"{said['median']:.0f}"]
        for label, said in sorted(figures.items(), key=lambda item: item[1]["median"])
    ]
    return markdown(["", "ms of CPU"], rows)


def versions_table(results: Results) -> str:
    rows = [[name, str(value)] for name, value in (results["environment"] | results["versions"]).items()]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [["", ""], ["---", "---"], *rows])


def goals_table(results: Results) -> str:
    """What was to be reached, and what was; the last column is the figure's alone to say."""
    rows = []
    for work, goal, reached, bound, unit in goals(results["works"]):
        if reached is None:
            rows.append([work, goal, NOTHING, "not measured"])
        else:
            rows.append([work, goal, f"{rounded(reached)}{unit}", "yes" if reached <= bound else "**no**"])
    return "\n".join(
        "| " + " | ".join(cells) + " |"
        for cells in [["work", "goal", "reached", ""], ["---", "---", "---:", "---"], *rows]
    )


# --- the template

VERBS: dict[str, Callable[..., str]] = {
    "table": lambda results, part: cost_table(results["works"][part]),
    "sweep": sweep_table,
    "growth": lambda results: growth_table(results),
    "bulk": lambda results: bulk_table(results),
    "pending": lambda results: pending_table(results),
    "calls": lambda results: calls_table(results),
    "imports": lambda results: import_table(results),
    "versions": lambda results: versions_table(results),
    "goals": lambda results: goals_table(results),
    "ratio": lambda results, part, one, other: rounded(ratio(results["works"][part], one, other)),
    "cost": lambda results, part, label: rounded(cost(results["works"][part], label)),
    "env": lambda results, name: str(results["environment"][name]),
    "value": lambda results, name: str(results[name]),
}


def render(results: Results, template: str) -> str:
    """The page; a figure that was not measured is a dash."""

    def put(match: re.Match[str]) -> str:
        verb, _, rest = match[1].partition(" ")
        try:
            return VERBS[verb](results, *(word.strip() for word in rest.split("|") if word.strip()))
        except (Missing, KeyError) as error:
            if verb not in VERBS:
                raise ValueError(f"{TEMPLATE.name}: no verb {verb}") from error
            return NOTHING

    return re.sub(r"\{\{(.+?)\}\}", put, template)


def write(results: Path, target: Path) -> None:
    """Write the page from a file of results."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(render(json.loads(results.read_text()), TEMPLATE.read_text()))


if __name__ == "__main__":
    given = [Path(word) for word in sys.argv[1:]]
    write(*(given or [HERE / "results.json", ROOT / "docs" / "performance.md"]))
