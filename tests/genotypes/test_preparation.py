"""The record of how a dataset was prepared, as experiments of earlier versions hold it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gwas_core.errors import InputError
from gwas_core.genotypes.preparation import Preparation
from gwas_core.genotypes.preprocessing import PreprocessingSettings

# As version 0.1.0 wrote it.
STORED = {
    "report": {
        "settings": {
            "minimum_allele_frequency": 0.01,
            "maximum_missing_per_snp": 0.5,
            "maximum_missing_per_line": 0.5,
            "imputation": "mode",
        },
        "lines_before": 800,
        "lines_after": 798,
        "snps_before": 1200,
        "snps_after": 1199,
        "lines_missing": {"count": 2, "first": ["SM24-01001", "SM24-01002"]},
        "snps_missing": {"count": 0, "first": []},
        "snps_monomorphic": {"count": 0, "first": []},
        "snps_rare": {"count": 1, "first": ["Gm01_1234"]},
        "imputed": 3,
        "imputed_fraction": 0.25,
    },
    "sentences": ["The phenotype is column 'norm_phe'.", "Kept 798 of 800 lines and 1,199 of 1,200 SNPs."],
}


def _folder(path: Path, stored: object) -> Path:
    np.savez_compressed(path / "imputation.npz", values=np.array([0, 2], dtype=np.int8))
    (path / "preparation.json").write_text(json.dumps(stored))
    return path


def test_a_stored_record_is_read_and_written_as_it_was(tmp_path: Path) -> None:
    preparation = Preparation.load(_folder(tmp_path, STORED))
    assert preparation.report.settings == PreprocessingSettings()
    assert preparation.report.lines_missing.first == ("SM24-01001", "SM24-01002")
    assert preparation.sentences[0] == "The phenotype is column 'norm_phe'."
    preparation.save(tmp_path / "again")
    assert json.loads((tmp_path / "again" / "preparation.json").read_text()) == STORED
    np.testing.assert_array_equal(Preparation.load(tmp_path / "again").imputation.values, [0, 2])


@pytest.mark.parametrize("stored", [[], {}, {"report": {}, "sentences": []}, {"report": STORED["report"]}])
def test_a_damaged_record_is_refused(tmp_path: Path, stored: object) -> None:
    with pytest.raises(InputError, match="has lost the record"):
        Preparation.load(_folder(tmp_path, stored))


def test_a_missing_record_is_refused(tmp_path: Path) -> None:
    Preparation.load(_folder(tmp_path, STORED))
    (tmp_path / "imputation.npz").unlink()
    with pytest.raises(InputError, match="has lost the record"):
        Preparation.load(tmp_path)


@pytest.mark.parametrize("damaged", [b"", b"no zip", b"PK\x03\x04", None])
def test_a_damaged_imputation_table_is_refused(tmp_path: Path, damaged: bytes | None) -> None:
    Preparation.load(_folder(tmp_path, STORED))
    file = tmp_path / "imputation.npz"
    whole = file.read_bytes()
    # The last one: a byte of the packed numbers is another one.
    file.write_bytes(whole[:60] + bytes(20) + whole[80:] if damaged is None else damaged)
    with pytest.raises(InputError, match="has lost the record"):
        Preparation.load(tmp_path)
