"""Keep the list of modules in ``docs/architecture.md``: ``python docs/module_list.py --write``.

A module's line is the first line of its docstring, and its paragraph that begins with "Also here:", if it has one.
Packages come in the order of the floors (``[tool.importlinter]`` in ``pyproject.toml``), then the dashboard. Without
``--write`` the list is printed.
"""

from __future__ import annotations

import argparse
import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs" / "architecture.md"
COMMAND = "python docs/module_list.py --write"
BEGIN = f"<!-- From the modules' docstrings, by `{COMMAND}`: change the docstring, not this list. -->"
END = "<!-- End of the list. -->"

# What has no docstring: no Python, or a file whose text goes into every bundle.
_WITHOUT_DOCSTRING = {
    "gwas_core/model/reload_snippet.py": "Snippet that goes into every bundle and predicts new lines without this "
    "program.",
    "assets/live_plot.js": "Plot in the browser: drawing, zoom, brushes, clicks, toolbar, downloads as PNG and SVG "
    "(always on white), colours of light and dark pages, what is shown if plotly does not load.",
    "assets/live_plot.css": "Look of the plot's frame, axes, brushes and messages in the browser.",
}


def described(path: Path) -> str:
    """The line of one module: what its docstring says first, and what else is in it."""
    name = path.relative_to(REPOSITORY).as_posix()
    if name in _WITHOUT_DOCSTRING:
        return f"- `{name}`: {_WITHOUT_DOCSTRING[name]}"
    paragraphs = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n\n")
    told = [paragraphs[0], *(text for text in paragraphs[1:] if text.startswith("Also here: "))]
    return f"- `{name}`: {' '.join(' '.join(told).split()).replace('``', '`')}"


def modules(folder: str, pattern: str = "*.py") -> list[Path]:
    """The files of a folder that have a line of their own."""
    return [path for path in sorted((REPOSITORY / folder).glob(pattern)) if not path.name.startswith("__")]


def sections() -> Iterator[tuple[str, list[Path]]]:
    """Titles with their modules, in the order of the page."""
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (found for found in settings["tool"]["importlinter"]["contracts"] if found["id"] == "floors")
    floors = [name for layer in contract["layers"] for name in layer.split(" | ")]
    yield "Single modules", [path for name in floors for path in modules("gwas_core", f"{name}.py")]
    for name in floors:
        if (REPOSITORY / "gwas_core" / name).is_dir():
            yield name, modules(f"gwas_core/{name}")
    yield "Pages", [REPOSITORY / "app.py", *modules("pages")]
    yield "What pages share, and their parts", modules("ui")
    yield "Studies", modules("ui/studies")
    yield "The tab Data", modules("ui/data")
    yield "The tab Train", modules("ui/search")
    yield "In the browser", [*modules("assets", "*.css"), *modules("assets", "*.js")]


def module_list() -> str:
    """The whole list, as it stands in the page."""
    blocks = [f"### {title}\n\n" + "\n".join(map(described, paths)) for title, paths in sections()]
    return "\n\n".join([BEGIN, *blocks, END])


def with_list(page: str) -> str:
    """The page with the list as the docstrings have it now."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE.name} has lost the comments between which the list stands:\n{BEGIN}\n{END}")
    return before + module_list() + after


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the list into the page")
    if parser.parse_args().write:
        PAGE.write_text(with_list(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(module_list())
