"""Draws which module of gdns imports which, for docs/explanation/architecture.md.

`python docs/draw_imports.py` writes the picture into that page; the tests hold it to the code. Only what is
needed is drawn: an import that a longer way implies is left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "explanation" / "architecture.md"
BEGIN = "```{graphviz}\n:class: wide\n"
END = "```\n"
WIDEST = 9  # modules in a row
NAMES = ("pure", "engine", "policy", "api", "edge")


def imports() -> dict[str, set[str]]:
    """What each module imports of the package, `__init__`, `__main__` and `_version` aside."""
    from tests.test_architecture import LAYER_OF, imports_of, modules

    left_out = {"__init__", "__main__", "_version"}
    found = {module: set().union(*map(imports_of, files)) for module, files in modules().items()}
    return {
        module: {name for name in imported if name in LAYER_OF and name != module} - left_out
        for module, imported in found.items()
        if module not in left_out
    }


def reduced(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The graph without edges that a longer way implies; edges of a cycle stay."""

    def reachable(start: str, without: str) -> set[str]:
        seen: set[str] = set()
        waiting = [name for name in graph.get(start, ()) if name != without]
        while waiting:
            name = waiting.pop()
            if name not in seen and name != start:
                seen.add(name)
                waiting += graph.get(name, ())
        return seen

    return {
        module: {name for name in imported if name not in reachable(module, name)}
        for module, imported in graph.items()
    }


def rows(members: set[str], graph: dict[str, set[str]]) -> list[list[str]]:
    """The modules of a layer from the top down, each below those that import it, few beside one another."""
    found: list[list[str]] = []
    remaining = set(members)
    while remaining:
        top = sorted(name for name in remaining if not any(name in graph[other] for other in remaining))
        top = top or sorted(remaining)  # a cycle
        found += [top[at : at + WIDEST] for at in range(0, len(top), WIDEST)]
        remaining -= set(top)
    return found


def picture() -> str:
    """The picture in Graphviz' language, a box for each layer."""
    from tests.test_architecture import LAYERS

    graph = imports()
    lines = [
        "digraph imports {",
        "  rankdir=TB; newrank=true; ranksep=0.45; nodesep=0.1; bgcolor=transparent; splines=true;",
        '  node [shape=box, style="rounded,filled", fillcolor=white, fontname="sans-serif", fontsize=11,'
        " height=0.3, margin=0.06];",
        '  edge [color="#5577aa88", arrowsize=0.5];',
    ]
    above = ""
    for number in reversed(range(len(LAYERS))):
        members = LAYERS[number] & set(graph)
        lines.append(f"  subgraph cluster_{NAMES[number]} {{")
        lines.append(f'    label="{NAMES[number]}"; labeljust=l; style="rounded,filled"; color="#eef2f8";')
        for row in rows(members, graph):
            lines.append("    {rank=same; " + " ".join(f'"{module}";' for module in row) + "}")
            if above:
                lines.append(f'    "{above}" -> "{row[0]}" [style=invis, weight=9];')
            above = row[0]
        lines.append("  }")
    for module, imported in sorted(reduced(graph).items()):
        lines += [f'  "{module}" -> "{name}" [constraint=false];' for name in sorted(imported)]
    return "\n".join([*lines, "}", ""])


def with_picture(page: str) -> str:
    """The page with the picture as it is now."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + picture() + END + rest.partition(END)[2]


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PAGE.write_text(with_picture(PAGE.read_text()))
