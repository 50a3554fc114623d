from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from gwas_core.errors import BundleError
from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import Split
from gwas_core.model.bundle import (
    MANIFEST,
    BundleDescription,
    BundleMetrics,
    BundleProgram,
    NetworkMetrics,
    open_bundle,
    write_bundle,
)
from gwas_core.model.metrics import PredictionMetrics
from gwas_core.model.networks import AlleleStatistics
from gwas_core.model.trainer import Standardisation, load_model, predict
from gwas_core.model.training import run_trial

PROGRAM = BundleProgram(program="test", created="2026-01-01T00:00:00+00:00")


@pytest.fixture(scope="module")
def files(dataset: Dataset, split: Split, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes | Path]:
    """What a bundle must hold, of a network trained for one epoch."""
    directory = tmp_path_factory.mktemp("trial")
    run_trial(dataset, split, {"epochs": 1}, directory, report=lambda epoch, metrics: None, xla="off")
    standardisation = Standardisation.of(dataset.phenotype[split.train])
    statistics = AlleleStatistics.of(dataset.genotypes[split.train])
    snps = dataset.snps.assign(imputed_value=np.int8(0), allele_frequency=statistics.mean / 2)
    phenotype = {
        "name": dataset.trait,
        "mean": standardisation.mean,
        "standard_deviation": standardisation.standard_deviation,
    }
    return {
        "model.keras": directory / "model.keras",
        "hyperparameters.json": directory / "hyperparameters.json",
        "preprocessing.json": json.dumps({"phenotype": phenotype}).encode(),
        "snps.csv": snps.to_csv(index=False).encode(),
        "metrics.json": b"{}",
    }


@pytest.fixture
def bundle(files: dict[str, bytes | Path], tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "best.zip", files, description=BundleDescription(experiment="e"), program=PROGRAM)


def rewrite(path: Path, change: Callable[[dict[str, bytes]], None], *, fix_manifest: bool = True) -> None:
    """Change a bundle's members as an attacker would who knows how the manifest works."""
    import hashlib

    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    if fix_manifest and MANIFEST in members:
        manifest = json.loads(members[MANIFEST])
        manifest["files"] = {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in members.items()
            if name != MANIFEST
        }
        members[MANIFEST] = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_a_bundle_predicts_what_its_network_does(bundle: Path, files: dict[str, Any], dataset: Dataset) -> None:
    opened = open_bundle(bundle)
    expected = predict(load_model(files["model.keras"]), dataset.genotypes, opened.standardisation)
    np.testing.assert_array_equal(predict(opened.model, dataset.genotypes, opened.standardisation), expected)
    assert opened.snps["name"].tolist() == dataset.snps["name"].tolist()
    assert opened.trait == dataset.trait
    assert opened.manifest.experiment == "e"


def test_the_same_content_gives_the_same_bytes(files: dict[str, Any], tmp_path: Path) -> None:
    first, second = (
        write_bundle(tmp_path / name, files, description=BundleDescription(), program=PROGRAM)
        for name in ("a.zip", "b.zip")
    )
    assert first.read_bytes() == second.read_bytes()


def test_metrics_say_nothing_of_test_lines_that_were_never_met(
    files: dict[str, bytes | Path], bundle: Path, tmp_path: Path
) -> None:
    assert open_bundle(bundle).metrics is None  # in a form that another version may have written
    validation = PredictionMetrics(
        lines=5, mean_absolute_error=0.5, root_mean_squared_error=0.7, pearson=None, within_family_pearson=None
    )
    metrics = BundleMetrics(network=NetworkMetrics(validation=validation))
    assert metrics.to_dict().keys() == {"network"}
    assert metrics.to_dict()["network"].keys() == {"validation"}
    judged = BundleMetrics(network=NetworkMetrics(validation=validation, test=validation), test_evaluations=1)
    assert judged.to_dict().keys() == {"network", "baselines", "test_evaluations"}
    for number, given in enumerate((metrics, judged)):
        content = {**files, "metrics.json": json.dumps(given.to_dict()).encode()}
        path = write_bundle(tmp_path / f"{number}.zip", content, description=BundleDescription(), program=PROGRAM)
        assert open_bundle(path).metrics == given


def test_a_manifest_leaves_out_what_is_not_known(files: dict[str, bytes | Path], tmp_path: Path) -> None:
    description = BundleDescription(experiment="e", trial=0, seeds={"trial": None}, xla=False)
    path = write_bundle(tmp_path / "best.zip", files, description=description, program=PROGRAM)
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read(MANIFEST))
    assert manifest.keys() == {
        "format", "experiment", "trial", "seeds", "xla", "program", "created", "versions", "platform", "files"
    }  # fmt: skip
    assert open_bundle(path).manifest.xla is False
    assert open_bundle(path).manifest.trial == 0


def test_only_files_of_a_bundle_go_into_one(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no place in a bundle"):
        write_bundle(tmp_path / "best.zip", {"notes.exe": b""}, description=BundleDescription(), program=PROGRAM)
    assert not (tmp_path / "best.zip").exists()


def keras_with(members: dict[str, bytes], change: Callable[[dict[str, bytes]], None]) -> None:
    """Change the network inside a bundle."""
    with zipfile.ZipFile(io.BytesIO(members["model.keras"])) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    change(inside)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in inside.items():
            archive.writestr(name, data)
    members["model.keras"] = buffer.getvalue()


def lambda_layer(inside: dict[str, bytes]) -> None:
    config = json.loads(inside["config.json"])
    config["config"]["layers"][1]["class_name"] = "Lambda"
    inside["config.json"] = json.dumps(config).encode()


def foreign_module(inside: dict[str, bytes]) -> None:
    config = json.loads(inside["config.json"])
    config["config"]["layers"][1]["module"] = "os"
    inside["config.json"] = json.dumps(config).encode()


def hidden_function(inside: dict[str, bytes]) -> None:
    """A function by name, as Keras writes one: it would be imported."""
    config = json.loads(inside["config.json"])
    config["config"]["layers"][-1]["config"]["activation"] = {
        "module": "builtins",
        "class_name": "function",
        "config": "exec",
        "registered_name": "function",
    }
    inside["config.json"] = json.dumps(config).encode()


def external_link(inside: dict[str, bytes]) -> None:
    buffer = io.BytesIO(inside["model.weights.h5"])
    with h5py.File(buffer, "r+") as file:
        file["elsewhere"] = h5py.ExternalLink("/etc/hostname", "/")
    inside["model.weights.h5"] = buffer.getvalue()


def pickled_weights(inside: dict[str, bytes]) -> None:
    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.system, ("touch /tmp/pwned",))

    inside["model.weights.h5"] = pickle.dumps(Attack())


def pickled_member(members: dict[str, bytes]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, values=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    members["imputation.npz"] = buffer.getvalue()


ATTACKS: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "path traversal": (lambda members: members.update({"../../evil.py": b"x"}), r"holds '../../evil.py'"),
    "absolute path": (lambda members: members.update({"/etc/evil": b"x"}), "holds '/etc/evil'"),
    "zip bomb": (lambda members: members.update({"log.txt": b"0" * 300_000_000}), "zip bomb"),
    "no manifest": (lambda members: members.pop(MANIFEST) and None, "has no manifest.json"),
    "no network": (lambda members: members.pop("model.keras") and None, "lacks model.keras"),
    "network of text": (lambda members: members.update({"model.keras": b"weights"}), "network .* is damaged"),
    "pickled imputation": (pickled_member, "cannot be read"),
    "lambda layer": (lambda members: keras_with(members, lambda_layer), "holds a 'Lambda' layer"),
    "import": (lambda members: keras_with(members, foreign_module), "wants to import 'os'"),
    "function": (lambda members: keras_with(members, hidden_function), "holds a 'function' layer"),
    "external weights": (lambda members: keras_with(members, external_link), "point to another file"),
    "pickled weights": (lambda members: keras_with(members, pickled_weights), "weights .* are damaged"),
    "another file in the network": (
        lambda members: keras_with(members, lambda inside: inside.update({"assets/x.py": b""})),
        "network in .* holds 'assets/x.py'",
    ),
    "SNPs cut off": (
        lambda members: members.update({"snps.csv": b"\n".join(members["snps.csv"].splitlines()[:50])}),
        "lists 49 SNPs",
    ),
    "no standard deviation": (
        lambda members: members.update({"preprocessing.json": b'{"phenotype": {"name": "x", "mean": 0}}'}),
        "preprocessing in a way that cannot be read",
    ),
    "metrics of nonsense": (lambda members: members.update({"metrics.json": b"[" * 100_000}), "cannot be read"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_tampered_bundle_is_refused(attack: str, bundle: Path) -> None:
    change, said = ATTACKS[attack]
    rewrite(bundle, change)
    with pytest.raises(BundleError, match=said):
        open_bundle(bundle)


def test_a_changed_byte_is_noticed(bundle: Path) -> None:
    rewrite(bundle, lambda members: members.update({"metrics.json": b'{"better": 1}'}), fix_manifest=False)
    with pytest.raises(BundleError, match=r"metrics.json in best.zip is not what its manifest says"):
        open_bundle(bundle)


def test_a_member_longer_than_promised_is_not_unpacked(bundle: Path) -> None:
    """The directory says 10 bytes, the stream holds more."""
    data = bundle.read_bytes()
    with zipfile.ZipFile(bundle) as archive:
        promised = archive.getinfo("snps.csv").file_size
    assert data.count(promised.to_bytes(4, "little")) >= 2
    bundle.write_bytes(data.replace(promised.to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(BundleError):
        open_bundle(bundle)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "not a model bundle"), (b"PK\x03\x04", "not a model bundle"), (b"\x89PNG\r\n", "not a model bundle")],
)
def test_what_is_no_zip_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "best.zip").write_bytes(content)
    with pytest.raises(BundleError, match=said):
        open_bundle(tmp_path / "best.zip")


def test_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there is no file"):
        open_bundle(tmp_path / "best.zip")
    with pytest.raises(BundleError, match="not a model bundle"):
        open_bundle(tmp_path)


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_a_truncated_bundle_is_refused(kept: float, bundle: Path) -> None:
    data = bundle.read_bytes()
    bundle.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(BundleError):
        open_bundle(bundle)
