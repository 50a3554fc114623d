from __future__ import annotations

from pathlib import Path

import pytest

from gwas_core.cli import build_parser
from gwas_core.commands.common import load_dataset
from gwas_core.errors import InputError, SettingsError
from gwas_core.genotypes.library import DatasetLibrary
from gwas_core.workspace import Workspace
from tests.commands.conftest import Command, Searched
from tests.genotypes.bad_input import BAD_INPUT, BadInput
from tests.studies.test_studies import made


def test_inspect_holds_what_is_promised(searched: Searched) -> None:
    report = searched.run("inspect", searched.file, "--json").json
    assert (report["lines"], report["snps"], report["families"], report["missing_fraction"]) == (160, 150, 4, 0.0)
    assert report["chromosomes"] == len(report["snps_per_chromosome"]) == 20
    assert report["phenotype"]["name"] == "norm_phe"
    assert abs(report["phenotype"]["mean"]) < 1e-6
    text = searched.here("inspect", searched.file)
    assert text.out.startswith("lines ")
    assert "note: The phenotype is column 'norm_phe'." in text.err


def test_columns_can_be_said(searched: Searched) -> None:
    report = searched.here("inspect", searched.file, "--phenotype", "height", "--no-families", "--json").json
    assert report["phenotype"]["name"] == "height"
    assert report["families"] == 0
    report = searched.here("inspect", searched.file, "--family-characters", "6-7", "--json").json
    assert sorted(report["family_details"]["sizes"]) == ["01", "02", "03", "04"]


@pytest.mark.parametrize("bad", [bad for bad in BAD_INPUT if bad.size_limit is None], ids=lambda bad: bad.name)
def test_bad_input_is_one_sentence_and_exit_code_1(bad: BadInput, here: Command, tmp_path: Path) -> None:
    file = bad.write(tmp_path)
    refused = here("inspect", file, "--json")
    assert refused.code == 1
    assert refused.out == ""
    sentences = refused.err.splitlines()
    assert len(sentences) == 1, refused.err
    assert sentences[0].startswith("error: ")
    assert "Traceback" not in refused.err


def test_bad_input_ends_the_process_with_the_same_sentence(run: Command, here: Command, tmp_path: Path) -> None:
    file = next(bad for bad in BAD_INPUT if bad.size_limit is None).write(tmp_path)
    refused = run("inspect", file, "--json")
    assert refused.code == 1
    assert refused == here("inspect", file, "--json")


@pytest.mark.parametrize("name", ["IMP_height", "IMP_height_as_published", "QA_height"])
def test_the_real_files_are_what_science_says(name: str, real_data: Path, run: Command) -> None:
    report = run("inspect", real_data / f"{name}.txt.gz", "--json").json
    assert report["lines"] == (5007 if name == "IMP_height_as_published" else 5011)
    assert (report["snps"], report["chromosomes"], report["families"]) == (4236, 20, 39)
    assert report["missing_fraction"] == pytest.approx(0.25 if name == "QA_height" else 0.0, abs=0.005)


def test_simulate_says_what_it_wrote(run: Command, here: Command, tmp_path: Path) -> None:
    made = run("simulate", tmp_path / "s.txt", "--families", "3", "--lines-per-family", "20", "--snps", "60",
               "--missing", "0.2", "--json")  # fmt: skip
    assert made.code == 0, made.err
    assert (made.json["lines"], made.json["snps"]) == (60, 60)
    assert all(Path(file).is_file() for file in made.json["files"])
    refused = here("simulate", tmp_path / "t.txt", "--heritability", "3")
    assert refused.code == 2
    assert "heritability" in refused.err


def test_a_dataset_of_the_workspace_is_found_by_its_name_or_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the page prints it in a command."""
    monkeypatch.setenv("GWAS_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.chdir(tmp_path)
    library = DatasetLibrary(Workspace(tmp_path / "workspace"))
    height, weight = made(), made("weight", seed=1)
    for dataset in (height, weight):
        library.add(dataset, source=f"{dataset.trait}.txt", notes=("as guessed",))
    parser = build_parser()
    for name in ("height.txt", height.content_hash, height.content_hash[:16]):
        options = parser.parse_args(["evaluate", name])
        dataset, notes = load_dataset(options)
        assert dataset.content_hash == height.content_hash
        assert notes == ("as guessed",)
        assert options.file.name == "height.txt"
    with pytest.raises(SettingsError, match="leave out --phenotype"):
        load_dataset(parser.parse_args(["evaluate", "height.txt", "--phenotype", "x"]))
    library.add(made("other", seed=2), source="height.txt")
    with pytest.raises(InputError, match=f"2 datasets .*{height.content_hash[:16]}"):
        load_dataset(parser.parse_args(["evaluate", "height.txt"]))
    (tmp_path / "height.txt").write_text("a file goes before it")
    with pytest.raises(InputError, match=r"'height.txt'"):
        load_dataset(parser.parse_args(["evaluate", "height.txt"]))
    with pytest.raises(InputError, match="there is no file"):
        load_dataset(parser.parse_args(["evaluate", "nothing.txt"]))
