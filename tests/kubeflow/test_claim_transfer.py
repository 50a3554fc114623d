"""Files as both ends of the connection handle them."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from gwas_core.errors import InputError
from gwas_core.kubeflow.claim_transfer import changed_files, check_path, digests, files_in, pack, stamps, unpack


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace with two trials, and what is not to be copied."""
    for path, text in {
        "quick/quick-1/metrics.jsonl": "one",
        "quick/quick-1/steps/train.log": "two",
        "quick/quick-2/model.keras": "m" * 1000,
        "quick/quick-1/.metrics.jsonl.half": "being written",
        "other/secret": "not asked for",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    (tmp_path / "quick/quick-1/link").symlink_to(tmp_path / "other/secret")
    (tmp_path / "quick/linked").symlink_to(tmp_path / "other")
    return tmp_path


def test_what_is_copied(root: Path) -> None:
    paths = ["quick/quick-1/metrics.jsonl", "quick/quick-1/steps/train.log", "quick/quick-2/model.keras"]
    assert sorted(files_in(root, ["quick"])) == paths
    assert list(files_in(root, ["quick/linked", "nothing"])) == []
    assert sorted(digests(root, ["quick"])) == paths
    target = root / "target"
    assert unpack(target, pack(root, [*paths, "quick/vanished"]), under=["quick"]) == paths
    assert digests(target, ["quick"]) == digests(root, ["quick"])
    assert stamps(target, ["quick"]) == stamps(root, ["quick"])


def test_only_what_has_changed_and_is_small(root: Path) -> None:
    known = stamps(root, ["quick"])
    assert changed_files(root, ["quick"], known=known, most_bytes=None) == []
    path = root / "quick/quick-1/metrics.jsonl"
    path.write_text("eno", encoding="utf-8")  # of the same size
    os.utime(path, ns=(0, known["quick/quick-1/metrics.jsonl"][1] + 1))
    assert changed_files(root, ["quick"], known=known, most_bytes=None) == ["quick/quick-1/metrics.jsonl"]
    assert "quick/quick-2/model.keras" not in changed_files(root, ["quick"], known={}, most_bytes=999)
    assert "quick/quick-2/model.keras" in changed_files(root, ["quick"], known={}, most_bytes=1000)


@pytest.mark.parametrize(
    "path",
    ["../x", "/etc/passwd", "quick/../../x", "quick//x", "quick/.lock", "", "quick/a\nb", "a" * 300, "a/" * 600 + "a"],
)
def test_paths_that_lead_elsewhere(path: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no path of the workspace"):
        check_path(path)
    with pytest.raises(InputError, match="no path of the workspace"):
        unpack(tmp_path / "root", archive(tarfile.TarInfo(path)), under=None)
    assert list(tmp_path.iterdir()) == []


def archive(entry: tarfile.TarInfo, **headers: str) -> bytes:
    buffer = io.BytesIO()
    entry.pax_headers = {"GWAS.mtime_ns": "1", **headers}
    with tarfile.open(fileobj=buffer, mode="w") as content:
        content.addfile(entry, io.BytesIO())
    return buffer.getvalue()


def test_an_archive_that_is_none_of_ours(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no path of the workspace"):
        unpack(tmp_path, archive(tarfile.TarInfo("other/file")), under=["quick"])
    with pytest.raises(InputError, match="no archive"):
        unpack(tmp_path, b"x" * 2048)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_an_entry_that_is_no_plain_file(kind: bytes, tmp_path: Path) -> None:
    entry = tarfile.TarInfo("quick/entry")
    entry.type, entry.linkname = kind, "/etc/passwd"
    with pytest.raises(InputError, match="no plain file"):
        unpack(tmp_path, archive(entry), under=["quick"])
    assert list(tmp_path.iterdir()) == []


def test_a_sparse_file_that_would_fill_the_disk(tmp_path: Path) -> None:
    headers = {"GNU.sparse.size": str(1 << 50), "GNU.sparse.numblocks": "0", "GNU.sparse.map": f"{1 << 50},0"}
    with pytest.raises(InputError, match="no plain file"):
        unpack(tmp_path, archive(tarfile.TarInfo("quick/sparse"), **headers), under=["quick"])
    assert list(tmp_path.iterdir()) == []


def test_an_entry_that_says_it_is_larger_than_the_archive(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("quick/large")
    entry.size = 1 << 50
    with pytest.raises(InputError, match="no archive"):
        unpack(tmp_path, archive_header(entry), under=["quick"])
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def archive_header(entry: tarfile.TarInfo) -> bytes:
    """An archive that ends after what it says of its only entry."""
    entry.pax_headers = {"GWAS.mtime_ns": "1"}
    return entry.tobuf(tarfile.PAX_FORMAT)


def test_a_time_that_no_file_can_have(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no archive"):
        unpack(tmp_path, archive(tarfile.TarInfo("quick/file"), **{"GWAS.mtime_ns": "9" * 40}), under=["quick"])
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
