"""The documentation site: ``python -m sphinx -b html docs docs/_build``.

Sphinx, because numpy, pandas, scikit-learn and optuna are documented with it and many keep it; it reads our Markdown
(myst-parser) and makes the API reference from docstrings in Google's form (autodoc, napoleon). Of the others,
mkdocs-material is at the end of its life, and Zensical, its successor, has no API reference of its own yet.
"""

from __future__ import annotations

import importlib
import sys
import typing
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import gwas_core  # noqa: E402

# The functions for notebooks import types for type checkers only, so that `import gwas_core` is quick. Their signatures
# are to name them here. What they come from is imported first: other packages' imports for type checkers are their own.
for module in ("engines.selection", "evaluation.run", "genotypes.readers", "model.prediction", "tuning.records"):
    importlib.import_module(f"gwas_core.{module}")
typing.TYPE_CHECKING = True
importlib.import_module("gwas_core.api")
typing.TYPE_CHECKING = False

project = "Deep GWAS Dashboard"
author = "Deep GWAS Dashboard"
version = release = gwas_core.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "make_pictures.py"]
html_theme = "furo"
html_title = f"{project} {version}"

myst_heading_anchors = 3
# Links to files of the repository that are no pages, such as deploy/README.md, are checked by tests/test_docs.py.
suppress_warnings = ["myst.xref_missing"]
myst_fence_as_directive = ["mermaid"]

napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False  # the signature has them; numpy.str_ would be read as a link
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
maximum_signature_line_length = 80

# Not nitpicky: docstrings name our exceptions and records by their short names, which autodoc does not look up.
