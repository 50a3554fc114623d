"""Bundles that would do harm: each is made of an honest one by a change that an attacker would make.

The manifest is always made to fit, as an attacker would do. None of them is larger than 20 MB. Used by
``test_hostile_bundles.py``, and by ``python -m benchmarks.hostile_bundles``, which prints what each costs.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gwas_core.model.bundle import MANIFEST

HONEST = Path(__file__).parent.parent / "keepsakes" / "v0.1.0" / "finished.zip"
"""Bundle of a small network, made by an earlier version."""

Members = dict[str, bytes]
Change = Callable[[Members], None]

_ARRAY = "layers/batch_normalization/vars/0"
_NETWORK, _CONFIG, _WEIGHTS = "model.keras", "config.json", "model.weights.h5"


@dataclass(frozen=True)
class Hostile:
    """One hostile bundle: how it is made of an honest one, and what the refusal says (a regular expression)."""

    change: Change
    said: str


HOSTILE: dict[str, Hostile] = {}
"""Hostile bundles by name."""


def hostile(name: str, said: str) -> Callable[[Change], Change]:
    def register(change: Change) -> Change:
        HOSTILE[name] = Hostile(change, said)
        return change

    return register


def read_members(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(members: Members, path: Path) -> Path:
    """Write a bundle whose manifest fits its files."""
    if MANIFEST in members:
        manifest = json.loads(members[MANIFEST])
        manifest["files"] = {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in members.items()
            if name != MANIFEST
        }
        members[MANIFEST] = json.dumps(manifest).encode()
    path.write_bytes(zipped(members))
    return path


def make_hostile(name: str, path: Path) -> Path:
    """Write one of ``HOSTILE``."""
    members = read_members(HONEST)
    HOSTILE[name].change(members)
    return write_members(members, path)


def zipped(members: Members) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def change_network(members: Members, change: Change) -> None:
    """Change what is in the network's own zip."""
    with zipfile.ZipFile(io.BytesIO(members[_NETWORK])) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    change(inside)
    members[_NETWORK] = zipped(inside)


def change_config(members: Members, change: Callable[[dict[str, Any]], None]) -> None:
    """Change Keras's description of the network."""

    def changed(inside: Members) -> None:
        config = json.loads(inside[_CONFIG])
        change(config)
        inside[_CONFIG] = json.dumps(config).encode()

    change_network(members, changed)


def change_weights(members: Members, change: Callable[[h5py.File], None]) -> None:
    """Change the HDF5 file of the weights."""

    def changed(inside: Members) -> None:
        buffer = io.BytesIO(inside[_WEIGHTS])
        with h5py.File(buffer, "r+") as file:
            change(file)
        inside[_WEIGHTS] = buffer.getvalue()

    change_network(members, changed)


def change_array(members: Members, **options: Any) -> None:
    """Put another array where the network has one."""

    def changed(file: h5py.File) -> None:
        del file[_ARRAY]
        file.create_dataset(_ARRAY, **options)

    change_weights(members, changed)


def change_json(members: Members, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    values = json.loads(members[name])
    change(values)
    members[name] = json.dumps(values).encode()


def snp_rows(members: Members) -> list[str]:
    return members["snps.csv"].decode().splitlines()


def header(descr: Any, shape: tuple[int, ...], *, more: str = "") -> bytes:
    """Return what stands before the numbers of an array in numpy's format, true or not."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, {more}}}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text + b"\n"


def arrays(members: Members, **content: bytes) -> None:
    members["imputation.npz"] = zipped({f"{name}.npy": data for name, data in content.items()})


# The description of the network


def _layer(config: dict[str, Any], name: str) -> dict[str, Any]:
    layers: list[dict[str, Any]] = config["config"]["layers"]
    return next(layer for layer in layers if layer["config"]["name"] == name)


@hostile("a layer of ten million units", "builds the hybrid network in .* otherwise")
def wide_layer(members: Members) -> None:
    change_config(members, lambda config: _layer(config, "dense")["config"].update(units=10_000_000))


@hostile("ten million families", "does not fit its hyperparameters and SNPs")
def many_families(members: Members) -> None:
    change_config(members, lambda config: _layer(config, "family_shares")["config"].update(units=10_000_000))


@hostile("families that are no number", "does not fit its hyperparameters and SNPs")
def odd_families(members: Members) -> None:
    change_config(members, lambda config: _layer(config, "family_shares")["config"].update(units="4"))


@hostile("an input of a billion SNPs", "builds the hybrid network in .* otherwise")
def long_input(members: Members) -> None:
    change_config(
        members, lambda config: _layer(config, "allele_counts")["config"].update(batch_shape=[None, 1_000_000_000])
    )


@hostile("3,000 repeated layers", "builds the hybrid network in .* otherwise|longer than")
def repeated_layers(members: Members) -> None:
    def repeat(config: dict[str, Any]) -> None:
        layers = config["config"]["layers"]
        last = "add"
        for number in range(3_000):
            layer = json.loads(json.dumps(_layer(config, "dense")))
            layer["name"] = layer["config"]["name"] = f"more_{number}"
            text = json.dumps(layer["inbound_nodes"])
            before = layer["inbound_nodes"][0]["args"][0]["config"]["keras_history"][0]
            layer["inbound_nodes"] = json.loads(text.replace(f'"{before}"', f'"{last}"'))
            layers.append(layer)
            last = layer["name"]

    change_config(members, repeat)


@hostile("another activation", "builds the hybrid network in .* otherwise")
def other_activation(members: Members) -> None:
    change_config(members, lambda config: _layer(config, "dense")["config"].update(activation="exponential"))


@hostile("layers that are joined otherwise", "builds the hybrid network in .* otherwise")
def other_links(members: Members) -> None:
    def swap(config: dict[str, Any]) -> None:
        dot = _layer(config, "dot")
        dot["inbound_nodes"][0]["args"][0].reverse()

    change_config(members, swap)


@hostile("no layers at all", "does not fit its hyperparameters and SNPs")
def no_layers(members: Members) -> None:
    change_config(members, lambda config: config.update(config={"name": "hybrid"}))


@hostile("a description of 300,000 levels", "config.json in the network in .* cannot be read")
def deep_config(members: Members) -> None:
    change_network(members, lambda inside: inside.update({_CONFIG: b"[" * 300_000 + b"]" * 300_000}))


@hostile("a description of 15 MB", "config.json in the network in .* is longer than the 1 MB|zip bomb")
def long_config(members: Members) -> None:
    change_network(members, lambda inside: inside.update({_CONFIG: b'{"a": [' + b"{}," * 5_000_000 + b"{}]}"}))


# The weights


@hostile("an array that claims a billion numbers", "claim to be larger than their file")
def declared_array(members: Members) -> None:
    change_array(members, shape=(1_000_000_000,), dtype="<f4")


@hostile("an array of 10^18 numbers", "claim to be larger than their file|damaged")
def endless_array(members: Members) -> None:
    change_array(members, shape=(10**9, 10**9), dtype="<f4")


@hostile("an unpacking array", "stored in a way that Keras does not use")
def packed_array(members: Members) -> None:
    change_array(members, data=np.zeros(100_000_000, dtype="<f4"), compression="gzip", chunks=(10_000_000,))


@hostile("an array that can grow", "stored in a way that Keras does not use")
def chunked_array(members: Members) -> None:
    change_array(members, shape=(99,), maxshape=(None,), dtype="<f4", chunks=(1_000_000,), fillvalue=1.0)


@hostile("an unknown filter", "stored in a way that Keras does not use|damaged")
def filtered_array(members: Members) -> None:
    change_array(members, data=np.zeros(99, dtype="<f4"), chunks=(99,), fletcher32=True, shuffle=True)


@hostile("a circle of hard links", "under two names")
def circle(members: Members) -> None:
    def close(file: h5py.File) -> None:
        for number in range(40):
            file[f"layers/again_{number}"] = file["layers"]

    change_weights(members, close)


@hostile("one array under a hundred names", "under two names")
def many_names(members: Members) -> None:
    def link(file: h5py.File) -> None:
        for number in range(100):
            file[f"layers/dense/vars/{number + 2}"] = file["layers/dense/vars/0"]

    change_weights(members, link)


@hostile("3,000 groups", "more than 1,000 groups and arrays")
def many_groups(members: Members) -> None:
    def fill(file: h5py.File) -> None:
        for number in range(3_000):
            file.create_group(f"more/{number}")

    change_weights(members, fill)


@hostile("groups in groups", "more than 1,000 groups and arrays")
def deep_groups(members: Members) -> None:
    change_weights(members, lambda file: file.create_group("/".join(["g"] * 2_000)) and None)


@hostile("a link to another file", "point to another file")
def external_link(members: Members) -> None:
    def link(file: h5py.File) -> None:
        file["elsewhere"] = h5py.ExternalLink("/etc/hostname", "/")

    change_weights(members, link)


@hostile("a symbolic link", "point to another file")
def soft_link(members: Members) -> None:
    def link(file: h5py.File) -> None:
        file["elsewhere"] = h5py.SoftLink("/layers")

    change_weights(members, link)


@hostile("numbers of another file", "stored in a way that Keras does not use")
def external_storage(members: Members) -> None:
    change_array(members, shape=(99,), dtype="<f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


@hostile("a virtual array", "stored in a way that Keras does not use|claim to be larger")
def virtual_array(members: Members) -> None:
    def change(file: h5py.File) -> None:
        del file[_ARRAY]
        layout = h5py.VirtualLayout(shape=(99,), dtype="<f4")
        layout[:] = h5py.VirtualSource("/etc/hostname", "data", shape=(99,))
        file.create_virtual_dataset(_ARRAY, layout)

    change_weights(members, change)


@hostile("texts for numbers", "something other than numbers")
def text_array(members: Members) -> None:
    change_array(members, data=["x"] * 99, dtype=h5py.string_dtype())


@hostile("references for numbers", "something other than numbers")
def reference_array(members: Members) -> None:
    change_array(members, shape=(99,), dtype=h5py.ref_dtype)


@hostile("numbers of 8 MB each", "something other than numbers|damaged")
def nested_array(members: Members) -> None:
    change_array(members, shape=(99,), dtype=np.dtype([("a", "<f4", (2_000_000,))]))


@hostile("a named type", "something other than numbers")
def named_type(members: Members) -> None:
    def name(file: h5py.File) -> None:
        file["layers/kind"] = np.dtype("<f4")

    change_weights(members, name)


@hostile("numbers of 64 bits", "something other than numbers")
def long_numbers(members: Members) -> None:
    change_array(members, data=np.zeros(99, dtype="<f8"))


@hostile("weights that are infinite", "not all finite numbers")
def infinite_weights(members: Members) -> None:
    change_array(members, data=np.full(99, -np.inf, dtype="<f4"))


@hostile("weights that are not a number", "not all finite numbers")
def nan_weights(members: Members) -> None:
    values = np.zeros(99, dtype="<f4")
    values[-1] = np.nan
    change_array(members, data=values)


@hostile("an array of another shape", "does not fit its hyperparameters and SNPs")
def reshaped_array(members: Members) -> None:
    change_array(members, data=np.zeros((3, 33), dtype="<f4"))


@hostile("a single number", "does not fit its hyperparameters and SNPs")
def scalar_array(members: Members) -> None:
    change_array(members, data=np.float32(1))


@hostile("an array too few", "is missing")
def missing_array(members: Members) -> None:
    def remove(file: h5py.File) -> None:
        del file[_ARRAY]

    change_weights(members, remove)


@hostile("an array too many", "has weights that ours do not")
def another_array(members: Members) -> None:
    change_weights(members, lambda file: file.create_dataset("more", data=np.zeros(9, dtype="<f4")) and None)


@hostile("weights of text", "weights .* are damaged")
def no_hdf5(members: Members) -> None:
    change_network(members, lambda inside: inside.update({_WEIGHTS: b"weights"}))


@hostile("weights cut off", "weights .* are damaged")
def cut_hdf5(members: Members) -> None:
    change_network(members, lambda inside: inside.update({_WEIGHTS: inside[_WEIGHTS][:30_000]}))


@hostile("weights of 300 MB of zeros", "zip bomb")
def zero_weights(members: Members) -> None:
    change_network(members, lambda inside: inside.update({_WEIGHTS: bytes(300_000_000)}))


@hostile("weights that pack fiftyfold", "zip bomb")
def packing_weights(members: Members) -> None:
    """Each file of it packs no better than text does."""
    numbers = np.zeros(10_000_000, dtype="<f4")
    numbers[::40] = np.random.default_rng(1).random(len(numbers) // 40)
    change_weights(members, lambda file: file.create_dataset("more", data=numbers) and None)


# The imputation table


@hostile("an unpacking imputation table", "preprocessing in a way that cannot be read")
def imputation_bomb(members: Members) -> None:
    arrays(members, values=header("|i1", (500_000_000,)) + bytes(500_000_000))


@hostile("an imputation table of 10^12 values", "preprocessing in a way that cannot be read")
def imputation_claim(members: Members) -> None:
    arrays(members, values=header("|i1", (10**12,)) + bytes(99))


@hostile("families of gigabytes", "preprocessing in a way that cannot be read")
def families_claim(members: Members) -> None:
    values = header("|i1", (99,)) + bytes(99)
    arrays(members, values=values, families=header("<U900000000", (4,)), family_values=header("|i1", (4, 99)))


@hostile("an array of a negative length", "preprocessing in a way that cannot be read")
def negative_length(members: Members) -> None:
    arrays(members, values=header("|i1", (-1,)) + bytes(99))


@hostile("an imputation table that is no zip", "preprocessing in a way that cannot be read")
def imputation_text(members: Members) -> None:
    members["imputation.npz"] = b"not a zip"


@hostile("an imputation table cut off", "preprocessing in a way that cannot be read")
def imputation_cut(members: Members) -> None:
    members["imputation.npz"] = members["imputation.npz"][:120]


@hostile("an empty imputation table", "preprocessing in a way that cannot be read")
def imputation_empty(members: Members) -> None:
    members["imputation.npz"] = b""


@hostile("an imputation table whose bytes were changed", "preprocessing in a way that cannot be read")
def imputation_damaged(members: Members) -> None:
    data = bytearray(members["imputation.npz"])
    data[60:90] = bytes(30)
    members["imputation.npz"] = bytes(data)


@hostile("an array without a header", "preprocessing in a way that cannot be read")
def no_header(members: Members) -> None:
    arrays(members, values=bytes(99))


@hostile("a header that is code", "preprocessing in a way that cannot be read")
def header_of_code(members: Members) -> None:
    arrays(members, values=header("|i1", (99,), more="'x': __import__('os').getpid()") + bytes(99))


@hostile("a header of 3,000 brackets", "preprocessing in a way that cannot be read")
def header_of_brackets(members: Members) -> None:
    text = b"(" * 3_000 + b")" * 3_000
    arrays(members, values=b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text)


@hostile("a header of gigabytes", "preprocessing in a way that cannot be read")
def long_header(members: Members) -> None:
    arrays(members, values=b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + bytes(5_000_000))


@hostile("an unknown version of numpy's format", "preprocessing in a way that cannot be read")
def unknown_version(members: Members) -> None:
    arrays(members, values=b"\x93NUMPY\x09\x00" + bytes(200))


@hostile("objects for allele counts", "preprocessing in a way that cannot be read")
def pickled_values(members: Members) -> None:
    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.system, ("touch /tmp/a-bundle-ran-this",))

    buffer = io.BytesIO()
    np.savez(buffer, values=np.array([Attack()] * 99, dtype=object), allow_pickle=True)
    members["imputation.npz"] = buffer.getvalue()


@hostile("allele counts of 7", "preprocessing in a way that cannot be read")
def wrong_counts(members: Members) -> None:
    arrays(members, values=header("|i1", (99,)) + bytes([7]) * 99)


@hostile("another array", "preprocessing in a way that cannot be read")
def another_member(members: Members) -> None:
    arrays(members, values=header("|i1", (99,)) + bytes(99), more=header("|i1", (1,)) + bytes(1))


# SNPs


@hostile("one SNP named 120 times", "names the SNP 'Gm01_774480' 120 times")
def repeated_snp(members: Members) -> None:
    first, second, *_ = snp_rows(members)
    members["snps.csv"] = "\n".join([first, *[second] * 120]).encode()


@hostile("one SNP named twice", "names the SNP .* 2 times")
def twice_named_snp(members: Members) -> None:
    rows = snp_rows(members)
    members["snps.csv"] = "\n".join([*rows[:-1], rows[1]]).encode()


@hostile("five million SNPs", "lists more than 1,000,000 SNPs")
def many_snps(members: Members) -> None:
    rows = b"\n".join(b"%d,1,1,0,.5" % number for number in range(1_000))
    members["snps.csv"] = snp_rows(members)[0].encode() + b"\n" + b"\n".join([rows] * 5_000)


@hostile("a million columns of SNPs", "preprocessing in a way that cannot be read|zip bomb")
def many_columns(members: Members) -> None:
    members["snps.csv"] = b",".join(b"c%d" % number for number in range(1_000_000)) + b"\n"


@hostile("thirty columns of SNPs", "preprocessing in a way that cannot be read")
def many_good_columns(members: Members) -> None:
    first, *rows = snp_rows(members)
    more = ",".join(f"c{number}" for number in range(30))
    members["snps.csv"] = "\n".join([f"{first},{more}", *(f"{row}{',' * 30}" for row in rows if row)]).encode()


@hostile("a name of 5,000 letters", "preprocessing in a way that cannot be read")
def longer_name(members: Members) -> None:
    first, second, *rows = snp_rows(members)
    members["snps.csv"] = "\n".join([first, "n" * 5_000 + second, *rows]).encode()


@hostile("a name of 100 MB", "preprocessing in a way that cannot be read|zip bomb")
def long_name(members: Members) -> None:
    noise = np.random.default_rng(1).integers(97, 123, 20_000).astype(np.uint8).tobytes()
    members["snps.csv"] = snp_rows(members)[0].encode() + b'\n"' + noise * 5_000 + b'",1,1,0,0.5\n'


@hostile("no SNP", "lists no SNP")
def no_snps(members: Members) -> None:
    members["snps.csv"] = snp_rows(members)[0].encode() + b"\n"


@hostile("SNPs without a header", "preprocessing in a way that cannot be read")
def headless_snps(members: Members) -> None:
    members["snps.csv"] = "\n".join(snp_rows(members)[1:]).encode()


@hostile("an allele frequency that is not a number", "preprocessing in a way that cannot be read")
def nan_frequency(members: Members) -> None:
    rows = snp_rows(members)
    members["snps.csv"] = "\n".join([*rows[:-1], f"{rows[-1].rpartition(',')[0]},nan"]).encode()


@hostile("SNPs in another encoding", "preprocessing in a way that cannot be read")
def encoded_snps(members: Members) -> None:
    members["snps.csv"] = members["snps.csv"].decode().encode("utf-16")


@hostile("fewer SNPs than the network has", "lists 49 SNPs|cannot be read")
def few_snps(members: Members) -> None:
    del members["imputation.npz"]
    members["snps.csv"] = "\n".join(snp_rows(members)[:50]).encode()


# JSON


@hostile("an infinite deviation", "preprocessing.json .* cannot be read")
def infinite_deviation(members: Members) -> None:
    change_json(members, "preprocessing.json", lambda all_: all_["phenotype"].update(standard_deviation=float("inf")))


@hostile("a mean of 1e999", "preprocessing.json .* cannot be read")
def endless_mean(members: Members) -> None:
    members["preprocessing.json"] = members["preprocessing.json"].replace(b'"mean": 0', b'"mean": 1e999', 1)


@hostile("a deviation of 1e308", "predicts .* not finite")
def huge_deviation(members: Members) -> None:
    change_json(members, "preprocessing.json", lambda all_: all_["phenotype"].update(standard_deviation=1e308))
    change_array(members, data=np.full(99, 1e30, dtype="<f4"))


@hostile("metrics of five million objects", "metrics.json .* cannot be read|longer than the 16 MB|zip bomb")
def many_metrics(members: Members) -> None:
    members["metrics.json"] = b'{"a": [' + b"{}," * 6_000_000 + b"{}]}"


@hostile("metrics of 300,000 levels", "metrics.json .* cannot be read")
def deep_metrics(members: Members) -> None:
    members["metrics.json"] = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


@hostile("another network", "network must be one of")
def unknown_network(members: Members) -> None:
    change_json(members, "hyperparameters.json", lambda values: values.update(network="other"))


@hostile("a network of terabytes", "does not fit its hyperparameters and SNPs")
def huge_network(members: Members) -> None:
    change_json(
        members,
        "hyperparameters.json",
        lambda values: values.update(conv_filters=1024, conv_kernel_size=1, num_dense_units=4096),
    )


@hostile("a hyperparameter out of its range", "conv_filters must be between")
def wrong_hyperparameter(members: Members) -> None:
    change_json(members, "hyperparameters.json", lambda values: values.update(conv_filters=10**9))


@hostile("a hyperparameter that is a list", "must be a whole number|must be between")
def listed_hyperparameter(members: Members) -> None:
    change_json(members, "hyperparameters.json", lambda values: values.update(conv_filters=[[1] * 100] * 100))


@hostile("a hyperparameter that no network has", "has no hyperparameter 'more'")
def another_hyperparameter(members: Members) -> None:
    change_json(members, "hyperparameters.json", lambda values: values.update(more=1))


# The zip


@hostile("a log of 300 MB of zeros", "zip bomb")
def log_bomb(members: Members) -> None:
    members["log.txt"] = bytes(300_000_000)


@hostile("a file beside the bundle", "holds '../../evil.py'")
def traversal(members: Members) -> None:
    members["../../evil.py"] = b"x"


@hostile("no manifest", "has no manifest.json")
def no_manifest(members: Members) -> None:
    del members[MANIFEST]


@hostile("a manifest of 5 MB", "manifest.json in .* is longer than the 1 MB|zip bomb")
def long_manifest(members: Members) -> None:
    noise = np.random.default_rng(1).integers(97, 123, 5_000_000).astype(np.uint8).tobytes().decode()
    change_json(members, MANIFEST, lambda values: values.update(source=noise))


def write_directory_of_many_files(path: Path) -> Path:
    """Write a zip whose directory names 300,000 files: 200 MB of memory to list, and nothing in it."""
    entry = struct.pack(
        "<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0
    ) + b"a"  # fmt: skip
    number = 300_000
    directory = entry * number
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, number & 0xFFFF, number & 0xFFFF, len(directory), 0, 0)
    path.write_bytes(directory + end)
    return path


def write_lzma_members(path: Path) -> Path:
    """Write a bundle whose members are packed by LZMA, whose dictionary can have 4 GB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for name, data in read_members(HONEST).items():
            archive.writestr(name, data)
    return path
