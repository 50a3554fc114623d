"""Bundles with a few changes in the zip, in one of its files, in the weights or in what is said of the network."""

from __future__ import annotations

import io
import json
import os
import resource
import traceback
import zipfile
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from gwas_core.model.bundle_files import MANIFEST, MODEL_CARD, read_beginning
from gwas_core.model.bundle_reader import CHECKED_FILE, WEIGHTS_FILE, check_bundle
from gwas_core.model.rebuilding import rebuild_network
from tests.fuzz.fuzzing import changed_json, fuzz, mutated, refusals_allowed
from tests.model.hostile_bundles import HONEST, change_network, read_members, write_members, zipped

# Said of a header that ends otherwise than numpy's own; the array is read and checked all the same.
pytestmark = pytest.mark.filterwarnings("ignore:Reading `.npy` or `.npz` file required additional:UserWarning")

_WEIGHTS = "model.weights.h5"
_PROCESSOR_SECONDS = 60


def check(content: bytes) -> None:
    """Check a bundle here, without the process that would end with it."""
    with TemporaryDirectory() as name:
        bundle = Path(name) / "best.zip"
        bundle.write_bytes(content)
        read_beginning(bundle, MODEL_CARD, limit=1000)
        (Path(name) / "results").mkdir()
        with refusals_allowed():
            check_bundle(str(bundle), str(Path(name) / "results"))


def packed(members: dict[str, bytes]) -> bytes:
    with TemporaryDirectory() as name:
        return write_members(members, Path(name) / "best.zip").read_bytes()


@fuzz(mutated(st.just(HONEST.read_bytes())), examples=200)
def test_zips(content: bytes) -> None:
    check(content)


@fuzz(
    st.sampled_from(
        ["snps.csv", "imputation.npz", "metrics.json", "preprocessing.json", "hyperparameters.json", MANIFEST]
    ).flatmap(lambda name: st.tuples(st.just(name), mutated(st.just(read_members(HONEST)[name])))),
    examples=300,
)
def test_files(case: tuple[str, bytes]) -> None:
    name, content = case
    members = {**read_members(HONEST), name: content}
    check(zipped(members) if name == MANIFEST else packed(members))


@fuzz(
    st.sampled_from(["values.npy", "families.npy", "family_values.npy"]).flatmap(
        lambda name: st.tuples(st.just(name), mutated(st.just(arrays()[name])))
    ),
    examples=200,
)
def test_arrays(case: tuple[str, bytes]) -> None:
    name, content = case
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member, data in {**arrays(), name: content}.items():
            archive.writestr(member, data)
    check(packed({**read_members(HONEST), "imputation.npz": buffer.getvalue()}))


@cache
def arrays() -> dict[str, bytes]:
    """An imputation table by families, as numpy writes it."""
    found = {}
    for name, array in {
        "values": np.zeros(99, dtype=np.int8),
        "families": np.array(["a", "bc"]),
        "family_values": np.ones((2, 99), dtype=np.int8),
    }.items():
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        found[f"{name}.npy"] = buffer.getvalue()
    return found


@cache
def weights() -> bytes:
    with zipfile.ZipFile(io.BytesIO(read_members(HONEST)["model.keras"])) as archive:
        return archive.read(_WEIGHTS)


@fuzz(mutated(st.just(weights())), examples=100)
def test_weights(content: bytes) -> None:
    members = read_members(HONEST)
    change_network(members, lambda inside: inside.update({_WEIGHTS: content}))
    bundle = packed(members)
    # HDF5's library may break on a damaged file: that is what the process with limits is for.
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (_PROCESSOR_SECONDS, _PROCESSOR_SECONDS))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            check(bundle)
            code = 0
        except BaseException:  # noqa: BLE001 - told to the test
            os.write(theirs, traceback.format_exc()[-4000:].encode())
        finally:
            os._exit(code)
    os.close(theirs)
    with os.fdopen(ours, "rb") as told:
        said = told.read().decode()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status <= 0, said


@cache
def checked() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What the honest bundle says, and its weights."""
    with TemporaryDirectory() as name:
        check_bundle(str(HONEST), name)
        values = json.loads((Path(name) / CHECKED_FILE).read_text())
        numbers = np.fromfile(Path(name) / WEIGHTS_FILE, dtype=np.float32)
    found, at = {}, 0
    for tensor in values["tensors"]:
        size = int(np.prod(tensor["shape"]))
        found[tensor["path"]] = numbers[at : at + size].reshape(tensor["shape"])
        at += size
    return values, found


@fuzz(st.data(), examples=60)
def test_networks(data: st.DataObject) -> None:
    values, found = checked()
    hyperparameters = data.draw(st.just(values["hyperparameters"]) | changed_json(values["hyperparameters"]))
    description = data.draw(st.just(values["network"]) | changed_json(values["network"]))
    with refusals_allowed():
        rebuild_network(
            hyperparameters if isinstance(hyperparameters, dict) else {},
            description if isinstance(description, dict) else {},
            found,
            snps=data.draw(st.sampled_from([99, 98, 1, 10**6])),
            what="best.zip",
        )
