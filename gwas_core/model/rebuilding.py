"""Network of a bundle, built again by this program from its hyperparameters; only its weights are taken from the file.

Also here: how Keras names a layer in its file; how many families a network knows; networks of another version.

What Keras wrote of a network's layers is compared with what this program builds, as data. It is never run: a file that
was tampered with cannot ask for a layer, and one of another version does not predict other figures than it did.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwas_core.errors import BundleError, SettingsError
from gwas_core.model.backend import import_keras
from gwas_core.model.hyperparameters import Hyperparameters
from gwas_core.model.networks import DataShape, KerasLayerFactory, Network, parse_network
from gwas_core.serialization import JsonObject

# Beside the hyperparameters, a trial keeps these in the same file.
_NOT_HYPERPARAMETERS = ("seed", "xla")
_ENDS = ("input_layers", "output_layers")
# Entries of a layer's description that decide nothing about what it computes.
_IRRELEVANT = re.compile(
    "module|registered_name|shared_object_id|build_config|seed|.*_initializer|.*_regularizer|.*_constraint"
)


def rebuild_network(
    hyperparameters: Mapping[str, Any],
    description: JsonObject,
    weights: Mapping[str, NDArray[np.float32]],
    *,
    snps: int,
    what: str,
) -> Any:
    """Return a network with given weights.

    Nothing of the network's size is allocated before its shapes were compared with those of the weights.

    Args:
        hyperparameters: of the network, with ``network``, and perhaps ``seed`` and ``xla``.
        description: of the network as Keras wrote it; it must be that of the network which is built.
        weights: by their path in Keras's file, such as ``layers/dense_1/vars/0``.
        snps: number of SNPs of the network's input.
        what: where all this comes from, for the messages: ``"best.zip"``.

    Raises:
        BundleError: these do not belong together, or this program builds such a network otherwise.
    """
    values = {name: value for name, value in hyperparameters.items() if name not in _NOT_HYPERPARAMETERS}
    try:
        network, chosen = parse_network(values)
    except SettingsError as error:
        raise BundleError(f"the hyperparameters in {what} are not those of a network of ours: {error}") from error
    keras = import_keras()
    shape = DataShape(snps=snps, families=_families(description))
    with keras.StatelessScope(initialize_variables=False):
        # In this scope weights have shapes and no values.
        plan = _build(network, chosen, shape, what)
    _check_shapes(plan, weights, snps=snps, what=what)
    if not _is_alike(json.loads(plan.to_json()), description):
        raise BundleError(
            f"this program builds the {network.name} network in {what} otherwise, and would predict other figures: "
            "use the version that made it"
        )
    model = _build(network, chosen, shape, what)
    for path, layer in _layers(model):
        layer.load_own_variables({str(at): weights[f"{path}/vars/{at}"] for at in range(len(layer.weights))})
    return model


def _build(network: Network, hyperparameters: Hyperparameters, shape: DataShape, what: str) -> Any:
    try:
        return network.build(hyperparameters, shape, KerasLayerFactory(hyperparameters))
    except (ValueError, TypeError, OverflowError) as error:
        raise BundleError(
            f"the hyperparameters in {what} fit no network of {shape.snps:,} SNPs: make it again"
        ) from error


def _layers(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield each layer that has weights, and its path in Keras's file: its class and a number, in the model's order."""
    times: dict[str, int] = {}
    for layer in model.layers:
        name = re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)).lower()
        number = times[name] = times.get(name, -1) + 1
        if layer.weights:
            yield f"layers/{name}_{number}" if number else f"layers/{name}", layer


def _check_shapes(plan: Any, weights: Mapping[str, NDArray[Any]], *, snps: int, what: str) -> None:
    wanted = {
        f"{path}/vars/{at}": tuple(int(size) for size in weight.shape)
        for path, layer in _layers(plan)
        for at, weight in enumerate(layer.weights)
    }
    for path, shape in wanted.items():
        found = weights[path].shape if path in weights else None
        if found != shape:
            has = "is missing" if found is None else f"has the shape {found}"
            raise BundleError(
                f"the network in {what} does not fit its hyperparameters and SNPs: the bundle lists {snps} SNPs, "
                f"so that {path} has the shape {shape}, but it {has}; make it again"
            )
    unknown = sorted(set(weights) - set(wanted))
    if unknown:
        raise BundleError(f"the network in {what} has weights that ours do not ({unknown[0]!r:.80}): do not use it")


def _families(description: JsonObject) -> int:
    """Return the number of families that a network distinguishes, as far as its description can be read."""
    try:
        for layer in description["config"]["layers"]:
            if layer["config"]["name"] == "family_shares" and isinstance(units := layer["config"]["units"], int):
                return max(0, min(units, 2**31 - 1))
    except (KeyError, TypeError):
        pass
    return 0


def _is_alike(ours: JsonObject, theirs: JsonObject) -> bool:
    """Return whether two descriptions are of networks that compute the same, whatever their layers are called."""
    try:
        layers = [description["config"]["layers"] for description in (ours, theirs)]
        names = [{layer["config"]["name"]: str(at) for at, layer in enumerate(some)} for some in layers]
        plain = [
            [_plain(layer, called) for layer in some] + [_end(description, end, called) for end in _ENDS]
            for description, some, called in zip((ours, theirs), layers, names, strict=True)
        ]
        return len(names[0]) == len(names[1]) == len(layers[0]) == len(layers[1]) and _agree(*plain)
    except (KeyError, TypeError, RecursionError):
        return False


def _end(description: JsonObject, end: str, names: Mapping[str, str]) -> Any:
    """Return the layer at an end of a network; a model of one input is also written as one of a list of inputs."""
    value = description["config"][end]
    return _plain(value[0] if len(value) == 1 else value, names)


def _plain(value: Any, names: Mapping[str, str]) -> Any:
    """Return a description without what computes nothing, and with the place of a layer for its name."""
    if isinstance(value, dict):
        return {
            key: names.get(entry, entry) if key == "name" and isinstance(entry, str) else _plain(entry, names)
            for key, entry in value.items()
            if not _IRRELEVANT.fullmatch(key)
        }
    if isinstance(value, list | tuple):
        # A layer's input is a list of the name of the layer before and two numbers.
        if len(value) == 3 and isinstance(value[0], str):
            return [names.get(value[0], value[0]), *value[1:]]
        return [_plain(entry, names) for entry in value]
    return value


def _agree(ours: Any, theirs: Any) -> bool:
    """Return whether two values are the same; entries that only one has are of another version of Keras."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return all(_agree(ours[key], theirs[key]) for key in ours.keys() & theirs.keys())
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(_agree(*pair) for pair in zip(ours, theirs, strict=True))
    return type(ours) is type(theirs) and bool(ours == theirs)
