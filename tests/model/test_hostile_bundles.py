"""Bundles that would exhaust the machine, run something or predict nonsense are refused in a sentence."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gwas_core.errors import BundleError, InputError
from gwas_core.genotypes.readers import read_table
from gwas_core.model.bundle import open_bundle
from gwas_core.model.bundle_files import MODEL_CARD, read_beginning
from gwas_core.model.bundle_reader import CHECKED_FILE, check_bundle
from gwas_core.model.prediction import predict_lines
from tests.model.hostile_bundles import (
    HONEST,
    HOSTILE,
    arrays,
    change_json,
    header,
    make_hostile,
    read_members,
    snp_rows,
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


VALUES = header("|i1", (99,)) + bytes(99)
FAMILIES = header("<U1", (2,)) + "ab".encode("utf-32-le")
FAMILY_VALUES = header("|i1", (2, 99)) + bytes(2 * 99)
# None of them takes much memory, and each would be taken for what it is not.
TABLES = {
    "with one more array": {"values": VALUES, "families": FAMILIES, "family_values": FAMILY_VALUES, "more": VALUES},
    "with a number too many": {"values": VALUES + b"\0"},
    "of another length": {"values": header("|i1", (98,)) + bytes(98)},
    "of two dimensions": {"values": header("|i1", (1, 99)) + bytes(99)},
    "of fractions": {"values": header("<f8", (99,)) + bytes(8 * 99)},
    "of families named in bytes": {
        "values": VALUES,
        "families": header("|S1", (2,)) + b"ab",
        "family_values": FAMILY_VALUES,
    },
    "of families that are no text": {
        "values": VALUES,
        "families": header("<U1", (2,)) + b"a\0\0\0" + b"\0\0\x11\0",
        "family_values": FAMILY_VALUES,
    },
    "of families in half characters": {
        "values": VALUES,
        "families": header("<U1", (2,)) + b"a\0\0\0" + b"\0\xd8\0\0",
        "family_values": FAMILY_VALUES,
    },
    "of more families than are named": {
        "values": VALUES,
        "families": FAMILIES,
        "family_values": header("|i1", (3, 99)) + bytes(3 * 99),
    },
}


@pytest.mark.parametrize("table", TABLES)
def test_an_imputation_table_of_another_form_is_refused(table: str, tmp_path: Path) -> None:
    members = read_members(HONEST)
    arrays(members, **TABLES[table])
    with pytest.raises(BundleError, match="preprocessing in a way that cannot be read"):
        open_bundle(write_members(members, tmp_path / "best.zip"))


def test_families_that_unpack_to_more_than_a_table_may_have_are_refused(tmp_path: Path) -> None:
    """Each has a name that a family may have; all together they take 320 MB, packed into 0.3."""
    members = read_members(HONEST)
    families = header("<U4000", (20_000,)) + bytes(4 * 4000 * 20_000)
    arrays(members, values=VALUES, families=families, family_values=header("|i1", (20_000, 99)) + bytes(20_000 * 99))
    with pytest.raises(BundleError, match="preprocessing in a way that cannot be read"):
        open_bundle(write_members(members, tmp_path / "best.zip"))


def test_the_header_of_an_array_is_not_read_to_its_claimed_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused for what it is, long before memory runs out."""
    members = read_members(HONEST)
    length = 300 * 1024**2
    arrays(members, values=b"\x93NUMPY\x02\x00" + struct.pack("<I", length) + b" " * length)
    path = write_members(members, tmp_path / "best.zip")
    monkeypatch.setenv("GWAS_READING_MEMORY", "256 MiB")
    with pytest.raises(BundleError, match="preprocessing in a way that cannot be read"):
        open_bundle(path)


def test_an_imputation_table_packed_otherwise_is_not_unpacked(tmp_path: Path) -> None:
    """The dictionary of LZMA can have 4 GB, whatever is packed by it."""
    members = read_members(HONEST)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("values.npy", VALUES)
    members["imputation.npz"] = buffer.getvalue()
    with pytest.raises(BundleError, match="preprocessing in a way that cannot be read"):
        open_bundle(write_members(members, tmp_path / "best.zip"))


def test_files_that_claim_gigabytes_together_are_not_unpacked(tmp_path: Path) -> None:
    """Each claims less than a bundle may have, and to be packed no better than text is."""
    path = write_members(read_members(HONEST), tmp_path / "best.zip")
    with zipfile.ZipFile(path) as archive:
        at = archive.start_dir
    data = bytearray(path.read_bytes())
    while data[at : at + 4] == b"PK\x01\x02":
        struct.pack_into("<2L", data, at + 20, 10_000_000, 1_500_000_000)
        at += 46 + sum(struct.unpack_from("<3H", data, at + 28))
    path.write_bytes(data)
    with pytest.raises(BundleError, match="would unpack to more than 2 GB"):
        open_bundle(path)


@pytest.mark.parametrize("scale", [{"standard_deviation": 0}, {"standard_deviation": -1}, {"mean": "nan"}], ids=str)
def test_a_scale_that_is_none_is_refused(scale: dict[str, object], tmp_path: Path) -> None:
    members = read_members(HONEST)
    change_json(members, "preprocessing.json", lambda values: values["phenotype"].update(scale))
    with pytest.raises(BundleError, match="preprocessing in a way that cannot be read"):
        open_bundle(write_members(members, tmp_path / "best.zip"))


def test_names_that_a_spreadsheet_would_run_come_back_as_they_were(tmp_path: Path) -> None:
    """A bundle holds them with a mark, and a prediction looks for them without."""
    members = read_members(HONEST)
    header, first, *rows = snp_rows(members)
    name, chromosome, rest = first.split(",", 2)
    members["snps.csv"] = "\n".join([header, f"'={name},'@{chromosome},{rest}", *rows]).encode()
    (tmp_path / "results").mkdir()
    check_bundle(str(write_members(members, tmp_path / "best.zip")), str(tmp_path / "results"))
    checked = json.loads((tmp_path / "results" / CHECKED_FILE).read_text(encoding="utf-8"))
    assert checked["snps"][0] == f"={name}"
    assert checked["chromosomes"][0] == f"@{chromosome}"


def honest_loci() -> list[str]:
    """The header of ``loci.csv`` and a row for each SNP of the honest bundle; the second SNP could not be tested."""
    snps = [row.split(",") for row in snp_rows(read_members(HONEST))[1:]]
    rows = [f"{name},{chromosome},{position},0.1,0.2,0.6" for name, chromosome, position, *_ in snps]
    rows[1] = rows[1].replace("0.1,0.2,0.6", ",,")
    return ["name,chromosome,position,beta,standard_error,p_value", *rows]


LOCI_ROWS = honest_loci()
# Each as the lines of the file, and what the refusal says.
NO_LOCI = {
    "one too few": (LOCI_ROWS[:-1], "is not a table of numbers for each SNP"),
    "one too many": ([*LOCI_ROWS, LOCI_ROWS[1]], "is not a table of numbers for each SNP"),
    "in another order": ([LOCI_ROWS[0], *LOCI_ROWS[:0:-1]], "is not a table of numbers for each SNP"),
    "a formula": ([*LOCI_ROWS[:-1], LOCI_ROWS[-1].replace("0.6", "=1+1")], "is not a table of numbers for each SNP"),
    "not finite": ([*LOCI_ROWS[:-1], LOCI_ROWS[-1].replace("0.6", "nan")], "is not a table of numbers for each SNP"),
    "without columns": ([], "is not a table of numbers for each SNP"),
}


@pytest.mark.parametrize("loci", NO_LOCI)
def test_loci_that_are_none_are_refused(loci: str, tmp_path: Path) -> None:
    rows, said = NO_LOCI[loci]
    members = read_members(HONEST) | {"loci.csv": "\n".join(rows).encode()}
    with pytest.raises(BundleError, match=f"loci.csv in best.zip {said}"):
        check_bundle(str(write_members(members, tmp_path / "best.zip")), str(tmp_path))


def test_honest_loci_are_taken_and_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = read_members(HONEST) | {"loci.csv": "\n".join(LOCI_ROWS).encode()}
    path = write_members(members, tmp_path / "best.zip")
    check_bundle(str(path), str(tmp_path))
    monkeypatch.setattr("gwas_core.model.bundle_reader._BYTES_OF_A_LOCUS", 0)
    with pytest.raises(BundleError, match=r"loci.csv in best.zip is longer than"):
        check_bundle(str(path), str(tmp_path))
