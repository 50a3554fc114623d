"""The documentation: it builds without a warning, its links lead somewhere, and what it says of the code is so."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import gwas_core

REPOSITORY = Path(__file__).resolve().parent.parent
MODULE_LIST = REPOSITORY / "docs" / "module_list.py"
ARCHITECTURE = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
PAGES = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / "docs").glob("*.md"),
        *(REPOSITORY / folder / "README.md" for folder in ("benchmarks", "data", "deploy")),
    ]
)


def anchors(text: str) -> set[str]:
    """The addresses of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", str(REPOSITORY / "docs"), "site"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert (done.returncode, done.stderr) == (0, "")
    reference = (tmp_path / "site" / "api.html").read_text(encoding="utf-8")
    for name in gwas_core.__all__:
        if name not in {path.parent.name for path in (REPOSITORY / "gwas_core").glob("*/__init__.py")}:
            assert re.search(rf'id="gwas_core\.[\w.]*\b{name}"', reference), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


def test_the_picture_of_the_floors_is_the_import_contract() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    (floors,) = (
        contract["layers"] for contract in settings["tool"]["importlinter"]["contracts"] if contract["id"] == "floors"
    )
    block = re.search(r"```text\n(__main__.*?)```", ARCHITECTURE, re.DOTALL)
    assert block is not None
    drawn = [re.split(r"\s{2,}", line) for line in block[1].splitlines()]
    assert [floor for floor, _ in drawn] == floors


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_files_that_are_named_are_there(page: str) -> None:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    folders = "gwas_core|ui|pages|tests|docs|assets|deploy|benchmarks"
    names = set(re.findall(rf"`((?:\./)?(?:{folders})/[\w./-]*)`", text))
    assert len(names) >= 10
    for name in names:
        assert (REPOSITORY / name).exists(), name


def test_every_package_has_its_line_in_where_do_i_find() -> None:
    table = ARCHITECTURE.split("## Where do I find")[1].split("## Every module")[0]
    for package in (REPOSITORY / "gwas_core").glob("*/__init__.py"):
        if package.parent.name not in {"commands", "engines", "processes"}:
            assert f"gwas_core/{package.parent.name}/" in table, package.parent.name


def test_the_list_of_modules_is_what_their_docstrings_say() -> None:
    done = subprocess.run([sys.executable, str(MODULE_LIST)], capture_output=True, text=True, check=True, timeout=240)
    listed = set(re.findall(r"^- `([^`]+)`:", done.stdout, re.MULTILINE))
    folders = [REPOSITORY / "assets", *(path.parent for path in REPOSITORY.glob("[gup]*/**/*.py"))]
    files = {path.relative_to(REPOSITORY) for folder in folders for path in folder.iterdir() if path.is_file()}
    named = {path.as_posix() for path in files if path.suffix in (".py", ".js", ".css") and path.name[0] != "_"}
    assert listed == {*named, "app.py"}
    missing = [line for line in done.stdout.splitlines() if line not in ARCHITECTURE]
    assert not missing, "\n".join([f"run {sys.executable} docs/module_list.py --write", *missing])
    assert done.stdout.strip() in ARCHITECTURE, f"run {sys.executable} docs/module_list.py --write"


def test_the_version_is_the_same_where_it_is_written_again() -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == gwas_core.__version__
    assert citation["license"] == "Apache-2.0"


def test_the_workflow_runs_the_supported_pythons() -> None:
    workflow = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["test"]
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    supported = re.findall(r"Python :: (3\.\d+)", "\n".join(settings["project"]["classifiers"]))
    assert job["strategy"]["matrix"]["python"] == supported
    assert job["steps"][-1]["run"] == "./run test"
    # Whatever else a hook or a template says: it is YAML.
    for path in [*(REPOSITORY / ".github").rglob("*.yml"), REPOSITORY / ".pre-commit-config.yaml"]:
        assert yaml.safe_load(path.read_text(encoding="utf-8")), path.name
