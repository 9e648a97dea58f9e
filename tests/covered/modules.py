"""Names the modules of gdns: which are compiled, and which are not."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def compiled(tree: Path = ROOT) -> list[str]:
    """What setup.py compiles: each .pyx, and the Python files that it lists; with the .pxd that hold code."""
    listed = re.search(r"^COMPILED = \(\n(.*?)^\)", (tree / "setup.py").read_text(), re.MULTILINE | re.DOTALL)
    assert listed
    python = [f"gdns/{name}.py" for name in re.findall(r'"([\w/]+)"', listed[1])]
    return sorted(python + [str(path.relative_to(tree)) for path in tree.glob("gdns/**/*.pyx")])


def interpreted(tree: Path = ROOT) -> list[str]:
    """The other Python files, and the two that lie beside the package."""
    found = [*tree.glob("_gdns_*_plugin.py"), *tree.glob("gdns/**/*.py")]
    return sorted({str(path.relative_to(tree)) for path in found} - set(compiled(tree)))
