"""Bundles that would exhaust the machine, run something or predict nonsense are refused in a sentence."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gwas_core.errors import BundleError, InputError
from gwas_core.genotypes.readers import read_table
from gwas_core.model.bundle import open_bundle
from gwas_core.model.bundle_files import MODEL_CARD, read_beginning
from gwas_core.model.prediction import predict_lines
from tests.model.hostile_bundles import (
    HONEST,
    HOSTILE,
    make_hostile,
    read_members,
    write_directory_of_many_files,
    write_lzma_members,
    write_members,
)


@pytest.fixture(scope="module")
def lines() -> dict[str, object]:
    table = read_table(HONEST.parent / "height.txt.gz")
    return {
        "genotypes": table.genotypes,
        "snp_names": table.snps["name"].tolist(),
        "line_names": [str(number) for number in range(len(table.genotypes))],
    }


def test_the_honest_one_predicts(lines: dict[str, object]) -> None:
    predicted = predict_lines(open_bundle(HONEST), **lines).table["predicted"]  # type: ignore[arg-type]
    assert np.isfinite(predicted).all()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_bundle_is_refused(name: str, lines: dict[str, object], tmp_path: Path) -> None:
    path = make_hostile(name, tmp_path / "best.zip")
    with pytest.raises(BundleError, match=HOSTILE[name].said) as refusal:
        predict_lines(open_bundle(path), **lines)  # type: ignore[arg-type]
    said = str(refusal.value)
    assert "Traceback" not in said
    assert len(said) < 500
    assert "\n" not in said
    assert not Path("/tmp/a-bundle-ran-this").exists()


def test_a_directory_without_end_is_not_listed(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a model bundle"):
        open_bundle(write_directory_of_many_files(tmp_path / "best.zip"))
    assert read_beginning(tmp_path / "best.zip", MODEL_CARD, limit=1000) is None


def test_members_packed_otherwise_are_not_unpacked(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="packed in a way that no bundle of ours is"):
        open_bundle(write_lzma_members(tmp_path / "best.zip"))


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "best.zip")
    (tmp_path / "zero.zip").symlink_to("/dev/zero")
    for name in ("best.zip", "zero.zip"):
        with pytest.raises(BundleError, match="only ordinary files are read"):
            open_bundle(tmp_path / name)
        assert read_beginning(tmp_path / name, MODEL_CARD, limit=1000) is None


def test_memory_has_a_limit_and_the_refusal_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of SNPs that is honest, and too long for the memory that reading may take."""
    members = read_members(HONEST)
    rows = b"\n".join(b"s%d,1,%d,0,0.5" % (number, number) for number in range(900_000))
    members["snps.csv"] = b"name,chromosome,position,imputed_value,allele_frequency\n" + rows + b"\n"
    path = write_members(members, tmp_path / "best.zip")
    monkeypatch.setenv("GWAS_READING_MEMORY", "256 MiB")
    with pytest.raises(InputError, match=r"256 MiB of memory.*GWAS_READING_MEMORY"):
        open_bundle(path)
