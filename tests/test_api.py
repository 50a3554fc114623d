"""The functions for notebooks: the examples of their docstrings and of the guide run, in the order of a study."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import gwas_core
from gwas_core import api
from gwas_core.genotypes.simulation import SimulationSettings, simulate, write_table

REPOSITORY = Path(__file__).resolve().parent.parent
GUIDE = REPOSITORY / "docs" / "notebook.md"
STUDY = ("read_dataset", "describe", "tune", "open_experiment", "predict", "evaluate")
SIMULATION = SimulationSettings(families=4, lines_per_family=40, snps=150, seed=3)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the file that the examples read, in which they run."""
    write_table(simulate(SIMULATION), tmp_path / "height.txt.gz")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GWAS_WORKSPACE", raising=False)
    return tmp_path


@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore::gwas_core.api.DataNote")
def test_the_examples_of_the_docstrings_are_true(folder: Path) -> None:
    names: dict[str, Any] = {}
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for name in STUDY:
        (example,) = doctest.DocTestFinder(recurse=False).find(getattr(api, name), name, globs={})
        assert example.examples, name
        example.globs = names
        said: list[str] = []
        runner.run(example, out=said.append, clear_globs=False)
        assert not said, "".join(said)
    assert (folder / "workspace" / "height").is_dir()


@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore::gwas_core.api.DataNote")
def test_the_code_of_the_guide_runs(folder: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    code = "\n".join(blocks)
    for name in STUDY:
        assert f"gwas_core.{name}(" in code, name
    # As large as a person's in the text, and as small as a test's here.
    small = {"max_trials=35": "max_trials=2, xla='off'", "trials=35": "trials=2, test_folds=[9], networks=1, xla='off'"}
    for written, run in small.items():
        assert written in code
        code = re.sub(rf"\b{written}", run, code)
    exec(compile(code, str(GUIDE), "exec"), {})
    assert (folder / "predicted.csv").is_file()


def test_what_was_guessed_is_told(folder: Path) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        dataset = gwas_core.read_dataset(folder / "height.txt.gz")
    assert {warning.category for warning in told} == {gwas_core.DataNote}
    assert any(dataset.trait in str(warning.message) for warning in told)
    assert {Path(warning.filename).name for warning in told} == {Path(__file__).name}


@pytest.mark.filterwarnings("ignore::gwas_core.api.DataNote")
def test_roles_that_are_given_count(folder: Path) -> None:
    assert gwas_core.read_dataset("height.txt.gz", family=False).family is None
    by_name = gwas_core.read_dataset("height.txt.gz", family_characters=(1, 2))
    assert by_name.family is not None
    assert {len(family) for family in by_name.family} == {2}
    with pytest.raises(gwas_core.GwasError, match="not by both"):
        gwas_core.read_dataset("height.txt.gz", snp_prefix="Gm", snps_after="height")


def test_an_experiment_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(gwas_core.GwasError, match="there is no experiment"):
        gwas_core.open_experiment("nothing")
    with pytest.raises(gwas_core.GwasError, match="there is no bundle"):
        gwas_core.predict("nothing.zip", "height.txt.gz")


def test_the_import_is_quick() -> None:
    """Neither the import nor reading and describing data waits for a large library that it does not need."""
    code = (
        "import sys, gwas_core; first = set(sys.modules)\n"
        "gwas_core.read_dataset; gwas_core.describe; gwas_core.tune; gwas_core.SearchSpace\n"
        "print(sorted({'numpy', 'pandas', 'optuna', 'tensorflow', 'keras', 'kfp', 'kubernetes'} & first))\n"
        "print(sorted({'tensorflow', 'keras', 'kfp', 'kubernetes'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "[]"]
