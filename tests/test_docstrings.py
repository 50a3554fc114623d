"""Documentation in the form of the field: a docstring begins with a verb or a noun, not with a riddle.

ruff checks the form (pydocstyle, google convention); it cannot tell a noun phrase from a preposition. Packages that are
still exempt from pydocstyle in pyproject.toml are exempt here.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
ARTICLES = "a an the"
PREPOSITIONS = (
    "about above across after against along among around as at because before behind below beneath beside between "
    "beyond but by despite down during except for from if in inside into like near of off on onto out outside over "
    "past per since than through throughout till to toward towards under until up upon via with within without"
)
PRONOUNS = "he her his i it its my our she so some such that their them there these they this those we you your"
QUESTIONS = "how what whatever when whenever where whether which who whoever whom whose why"
# "Whether the server is alive." is what a property that is true or false is.
BEGINS_A_PROPERTY = frozenset(["whether"])
BEGINS_NO_DOCSTRING = frozenset(" ".join((ARTICLES, PREPOSITIONS, PRONOUNS, QUESTIONS)).split())


def exempt() -> list[str]:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    ignored: dict[str, list[str]] = settings["tool"]["ruff"]["lint"]["per-file-ignores"]
    patterns: list[str] = []
    for pattern, rules in ignored.items():
        if "D" not in rules:
            continue
        head, brace, rest = pattern.partition("{")
        names, _, tail = rest.partition("}")
        patterns += [f"{head}{name}{tail}" for name in names.split(",")] if brace else [pattern]
    return patterns


EXEMPT = exempt()
MODULES = [
    str(path.relative_to(REPOSITORY))
    for path in sorted((REPOSITORY / "gwas_core").rglob("*.py"))
    if not any(fnmatch(str(path.relative_to(REPOSITORY)), pattern) for pattern in EXEMPT)
]

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def public(node: Documented, path: str) -> Iterator[tuple[str, Documented]]:
    """A module, class or function and all within that a reader of the documentation sees."""
    yield path, node
    if isinstance(node, ast.Module | ast.ClassDef):
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and child.name[0] != "_":
                yield from public(child, f"{path}: {child.name}")


def forbidden(node: Documented) -> frozenset[str]:
    decorators = [] if isinstance(node, ast.Module) else [ast.unparse(decorator) for decorator in node.decorator_list]
    is_property = any(name.split(".")[-1] in ("property", "cached_property") for name in decorators)
    return BEGINS_NO_DOCSTRING - BEGINS_A_PROPERTY if is_property else BEGINS_NO_DOCSTRING


@pytest.mark.parametrize("module", MODULES)
def test_the_first_word_is_a_verb_or_a_noun(module: str) -> None:
    tree = ast.parse((REPOSITORY / module).read_text(encoding="utf-8"))
    riddles = [
        f"{place}: {line}"
        for place, node in public(tree, module)
        for line in (ast.get_docstring(node) or "").splitlines()[:1]
        if line.split() and line.split()[0].strip("`,.:;").lower() in forbidden(node)
    ]
    assert not riddles, "\n".join(riddles)
