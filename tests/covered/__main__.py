"""python -m tests.covered settings | report PAGE: the two steps of .ci/coverage that are Python."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.covered import modules, page
from tests.covered.compiled import compiled
from tests.covered.interpreted import interpreted, settings


def main() -> None:
    """Do the step that is named, for the copy of the tree in the present folder."""
    tree = Path.cwd()
    match sys.argv[1:]:
        case ["settings"]:
            print(settings(tree, modules.compiled(tree)))
        case ["report", path]:
            of_compiled = compiled(tree)
            lines = interpreted(tree, modules.interpreted(tree)) | of_compiled
            Path(path).write_text(page.written(lines, frozenset(of_compiled), tree))
            (tree / "never.txt").write_text(page.never(lines, tree))
            print(f"wrote {path}, and the lines that never ran to {tree / 'never.txt'}")
        case _:
            sys.exit(__doc__)


main()
