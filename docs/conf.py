"""How Sphinx builds the pages: `make docs`, and docs/_build/html/index.html."""

from __future__ import annotations

import re
import shutil
from typing import ClassVar

from sphinx.application import Sphinx
from sphinx.directives.code import CodeBlock

from gdns import __version__

project = "gdns"
author = "The gdns developers"
copyright = author
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

man_pages = [("reference/command", "gdns", "look names up, and find out why they are not found", [author], 1)]

html_theme = "furo"
html_title = f"gdns {release}"
html_static_path = ["_static"]
html_css_files = ["gdns.css"]
html_copy_source = False

default_role = "code"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
pygments_style = "friendly"

HAS_DOT = shutil.which("dot") is not None
if HAS_DOT:
    extensions.append("sphinx.ext.graphviz")
    graphviz_output_format = "svg"


class DotAsText(CodeBlock):
    """A picture as it was written, where Graphviz is not installed to draw it."""

    required_arguments = 0
    option_spec: ClassVar = {**(CodeBlock.option_spec or {}), "alt": str, "caption": str}

    def run(self) -> list[object]:
        self.arguments = ["text"]
        self.options.clear()
        return super().run()


def escape(app: Sphinx, what: str, name: str, of: object, options: object, lines: list[str]) -> None:
    """Our docstrings are plain text with `code`: outside of that, reStructuredText is to see no marks."""
    for number, line in enumerate(lines):
        if not line.startswith(" "):
            parts = re.split(r"(`[^`]*`)", re.sub(r"(`[^`]+`)(?=\w)", r"\1\\ ", line))
            parts[::2] = [re.sub(r"([*|]|_\b)", r"\\\1", part) for part in parts[::2]]
            lines[number] = "".join(parts)


def sign(
    app: Sphinx, what: str, name: str, of: object, options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """A default that is an object of its own, which stands for "not given", tells nobody anything."""
    return signature and signature.replace("<object object>", "..."), returns


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", escape)
    app.connect("autodoc-process-signature", sign)
    if not HAS_DOT:
        app.add_directive("graphviz", DotAsText)
