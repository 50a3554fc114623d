"""Each package says what it exports, and loads it on first use."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
CORE = REPOSITORY / "gwas_core"
PACKAGES = [
    ".".join(path.parent.relative_to(REPOSITORY).parts)
    for path in sorted(CORE.rglob("__init__.pyi"))
    if "_dashboard" not in path.parts
]


def stub(package: str) -> ast.Module:
    path = REPOSITORY.joinpath(*package.split(".")) / "__init__.pyi"
    return ast.parse(path.read_text(encoding="utf-8"))


def declared(package: str) -> list[str]:
    """``__all__`` of a package's stub, which type checkers and editors read."""
    for node in stub(package).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    raise AssertionError(f"{package} does not say what it exports")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_exported_name_is_there(package: str) -> None:
    module = importlib.import_module(package)
    names = declared(package)
    assert sorted(set(names)) == sorted(names), "a name is exported twice"
    assert sorted(module.__all__) == sorted(names)
    for name in names:
        assert getattr(module, name) is not None, name
    assert not any(name.startswith("_") for name in names)


@pytest.mark.parametrize("package", PACKAGES)
def test_it_says_what_it_is_for(package: str) -> None:
    documentation = importlib.import_module(package).__doc__
    assert documentation is not None
    assert len(documentation.split()) >= 8


def test_every_package_has_a_door() -> None:
    # Commands are loaded by the command line, by name.
    packages = {f"gwas_core.{path.parent.name}" for path in CORE.glob("*/__init__.py")} - {"gwas_core.commands"}
    assert packages | {"gwas_core"} == set(PACKAGES)


def test_a_package_loads_nothing_large_before_it_is_used() -> None:
    large = {"tensorflow", "keras", "optuna", "sklearn", "skopt", "kfp", "kubernetes", "plotly", "pandas"}
    code = (
        "import importlib, sys\n"
        f"for package in {PACKAGES!r}:\n"
        "    importlib.import_module(package)\n"
        f"    print(package, *sorted({large!r} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.splitlines() == PACKAGES
