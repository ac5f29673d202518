"""Sphinx's configuration: `make docs` builds the site into docs/_build/html."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

import generated

project = "seqrec"
author = "The seqrec authors"
copyright = "The seqrec authors"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
exclude_patterns = ["_build"]
# Docstrings put code between single backticks.
default_role = "code"
nitpicky = True
# Annotations name what no page documents: torch, numpy, and types inside the package.
nitpick_ignore_regex = [("py:.*", ".*")]

myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = "seqrec"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
copybutton_exclude = ".linenos, .gp, .go"


def insert_generated(app: Sphinx, page: str, source: list[str]) -> None:
    source[0] = generated.filled(source[0])


def setup(app: Sphinx) -> None:
    app.connect("source-read", insert_generated)
