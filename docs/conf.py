"""How Sphinx makes the documentation: `make docs`.

The source folder is the repository's, so that links between pages, notebooks and the files at the
top lead to the same places here as on the forge.
"""

from __future__ import annotations

import json
import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util.logging import getLogger

import kalib

project, author, copyright = "kalib", "the kalib authors", "the kalib authors"
version = release = kalib.__version__

extensions = ["sphinx.ext.autosummary", "numpydoc", "myst_nb"]
root_doc = "docs/index"
include_patterns = ["docs/**", "notebooks/*.ipynb", "tests/mutation.md", "[A-Z]*.md"]
exclude_patterns = ["README.md", ".*", "build", "dist", "data", "kalib", "reports", "benchmarks"]
exclude_patterns += [
    "mutants",
    "docs/start",
    "docs/static",
    "docs/templates",
    "docs/gallery/*/*",
    "**/.*",
]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # notebooks are shown as they were executed and committed
nb_merge_streams = True
autosummary_generate = True
numpydoc_show_class_members = False
templates_path = ["templates"]

html_theme = "pydata_sphinx_theme"
html_title = "kalib"
html_static_path = ["static"]
html_css_files = ["docs.css"]
html_extra_path = ["start"]
html_math_renderer = "mathml"
html_sidebars = {"docs/index": [], "docs/questions": []}  # which have no pages below
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "kalib"},
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "show_toc_level": 2,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
}
linkcheck_timeout = 20
linkcheck_retries = 2


def without_own_files(app: Sphinx, name: str, source: list[str]) -> None:
    """Leave out the cell that links to a run's other files: in the documentation there are none."""
    if name.startswith("notebooks/"):
        book = json.loads(source[0])
        book["cells"] = [
            c for c in book["cells"] if "documents" not in c["metadata"].get("tags", [])
        ]
        source[0] = json.dumps(book)


def as_mathml(self: Any, node: nodes.Element) -> None:
    """Write a formula as MathML, which browsers draw without a script or another font."""
    text = re.sub(r"\\(log|max|exp)\s+(?=\w)", r"\\\1\\,", node.astext())  # "log n", not "logn"
    block = isinstance(node, nodes.math_block)
    try:
        self.body.append(tex2mathml(text, as_block=block))
    except MathError as error:
        getLogger(__name__).warning(str(error), location=node)
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Connect both with Sphinx."""
    app.connect("source-read", without_own_files)
    app.add_html_math_renderer("mathml", (as_mathml, None), (as_mathml, None))
