"""The networks: allele counts in, a standardised phenotype out.

Only Keras layers and operations are used, all built in: a saved network loads in
Keras's safe mode without this package, and runs on any Keras backend. The input is the
int8 matrix of allele counts as the dataset keeps it; what is made of it happens inside, so
that a batch of 32 lines x 4,236 SNPs is 136 kB on its way in and not 1.6 MB.

A network is built by a ``LayerFactory``: ``KerasLayerFactory`` for the network that is saved, and
``compiled_training.VariableLayerFactory`` for training, where numbers can change without compiling again. Both give
the same weights in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gwas_core.errors import SettingsError
from gwas_core.messages import quoted
from gwas_core.model.hyperparameters import (
    HybridHyperparameters,
    Hyperparameters,
    TutorialHyperparameters,
    parse_hyperparameters,
)
from gwas_core.model.initial_weights import InitialWeights, TrainingLines, fit_initial_weights

DEFAULT_NETWORK = "hybrid"


@dataclass(frozen=True)
class AlleleStatistics:
    """Mean and variance of the allele count of each SNP over the training lines, float32 (SNPs,)."""

    mean: NDArray[np.float32]
    variance: NDArray[np.float32]

    @classmethod
    def of(cls, genotypes: NDArray[np.int8]) -> AlleleStatistics:
        """From complete genotypes (lines, SNPs): counts of 1s and 2s are exact and need no float copy."""
        lines = genotypes.shape[0]
        ones = np.count_nonzero(genotypes == 1, axis=0)
        twos = np.count_nonzero(genotypes == 2, axis=0)
        mean = (ones + 2 * twos) / lines
        variance = (ones + 4 * twos) / lines - mean**2
        return cls(mean.astype(np.float32), variance.astype(np.float32))


@dataclass(frozen=True, kw_only=True)
class DataShape:
    """What of the data decides a network's shapes."""

    snps: int
    families: int


class LayerFactory(Protocol):
    """Makes the layers of a network that hold hyperparameters; ``rate``, ``l1``, ``l2``, ``factor`` name those."""

    def dropout(self, rate: str) -> Any: ...

    def penalty(self, *, l2: str, l1: str | None = None) -> Any: ...

    def scaling(self, factor: str) -> Any: ...

    def convolution(self, filters: int, kernel_size: int, **options: Any) -> Any: ...


class KerasLayerFactory:
    """Keras's own layers, for a network that can do without this package."""

    def __init__(self, hyperparameters: Hyperparameters) -> None:
        self._values = asdict(hyperparameters)

    def dropout(self, rate: str) -> Any:
        from keras import layers

        return layers.Dropout(self._values[rate])

    def penalty(self, *, l2: str, l1: str | None = None) -> Any:
        from keras import regularizers

        if l1 is None:
            return regularizers.L2(self._values[l2])
        return regularizers.L1L2(l1=self._values[l1], l2=self._values[l2])

    def scaling(self, factor: str) -> Any:
        from keras import layers

        return layers.Rescaling(self._values[factor])

    def convolution(self, filters: int, kernel_size: int, **options: Any) -> Any:
        from keras import layers

        return layers.Conv1D(filters, kernel_size, padding="same", **options)


def numeric_hyperparameters(hyperparameters: Hyperparameters) -> dict[str, float]:
    """The hyperparameters that are plain numbers: changing them changes no shape and no step."""
    return {
        field.name: getattr(hyperparameters, field.name)
        for field in fields(hyperparameters)
        if field.metadata["kind"] is float
    }


def structural_hyperparameters(hyperparameters: Hyperparameters) -> tuple[tuple[str, Any], ...]:
    """The other ones, but for how long to train."""
    leave_out = {"epochs", "patience", *numeric_hyperparameters(hyperparameters)}
    return tuple((name, value) for name, value in asdict(hyperparameters).items() if name not in leave_out)


@dataclass(frozen=True)
class Network:
    """A named architecture: its hyperparameters, how to build it, and what its weights start as.

    ``initialise`` sets weights of a built network from the training lines; None if the layers' own initial values stay.
    """

    name: str
    hyperparameters: type[Hyperparameters]
    build: Callable[[Any, DataShape, LayerFactory], Any]
    initialise: Callable[[Any, Any, TrainingLines, Path | None], None] | None = None


def parse_network(values: Mapping[str, Any]) -> tuple[Network, Hyperparameters]:
    """Which network ``values`` asks for (``network``, default hybrid), and its checked hyperparameters.

    Raises:
        SettingsError: an unknown network, or a value that does not fit it.
    """
    values = dict(values)
    name = str(values.pop("network", DEFAULT_NETWORK))
    if name not in NETWORKS:
        raise SettingsError(f"network must be one of {', '.join(NETWORKS)}, not {quoted(name)}", field="network")
    network = NETWORKS[name]
    return network, parse_hyperparameters(network.hyperparameters, values)


def build_tutorial(hyperparameters: TutorialHyperparameters, shape: DataShape, factory: LayerFactory) -> Any:
    """The published tutorial's network, faults mended: classes are channels unless ``layout`` is ``flat``.

    Source: "Run a deep learning GWAS on soy height on Kubeflow Pipelines with Katib's Bayesian
    hyperparameter tuning", NIH Cloud Lab, 2022.
    """
    from keras import Input, Model, layers, ops

    chosen = hyperparameters

    def penalties(group: str) -> dict[str, Any]:
        return {
            "kernel_regularizer": factory.penalty(l1=f"{group}_kernel_l1", l2=f"{group}_kernel_l2"),
            "bias_regularizer": factory.penalty(l2=f"{group}_bias_l2"),
            "activity_regularizer": factory.penalty(l2=f"{group}_activity_l2"),
        }

    def convolution(kernel_size: int, group: str) -> Any:
        return factory.convolution(
            10,
            kernel_size,
            activation=chosen.conv_activation,
            kernel_initializer=chosen.conv_initializer,
            **penalties(group),
        )

    counts = Input((shape.snps,), dtype="int8", name="allele_counts")
    classes = ops.one_hot(counts, 3)
    if chosen.layout == "flat":
        classes = layers.Reshape((3 * shape.snps, 1))(classes)

    deep = factory.dropout("conv_1_dropout_rate")(convolution(3, "conv_1")(classes))
    deep = factory.dropout("dropout_rate")(convolution(20, "conv_x")(deep))
    wide = factory.dropout("dropout_rate")(convolution(4, "conv_x")(classes))
    features = convolution(4, "conv_x")(layers.Add()([deep, wide]))
    features = layers.BatchNormalization()(layers.Flatten()(features))
    if chosen.num_dense_layers > 0:
        dense = features
        for _ in range(chosen.num_dense_layers):
            dense = layers.Dense(
                chosen.num_dense_units,
                activation=chosen.activation,
                kernel_initializer=chosen.dense_initializer,
                **penalties("dense_x"),
            )(dense)
            dense = layers.BatchNormalization()(dense)
        features = layers.BatchNormalization()(layers.Concatenate()([features, dense]))
    output = layers.Dense(
        1, activation="softsign", kernel_initializer=chosen.dense_initializer, **penalties("dense_out")
    )(features)
    return Model(counts, factory.scaling("final_activation_scale_factor")(output), name="tutorial")


def build_hybrid(hyperparameters: HybridHyperparameters, shape: DataShape, factory: LayerFactory) -> Any:
    """A convolution of its own for every LD block, whose outputs go on along four paths that are added up.

    The first convolution has a kernel for every place (locally connected), as wide as its stride: it compares a block
    of SNPs with prototype haplotypes, exp(-squared distance). From these features come
    - a linear path, beside one over the SNPs themselves (``start`` sets both to a mixed model's solution),
    - a path for each family, weighted by how much a line looks like one of it: what a SNP marks differs by family,
    - a convolution over neighbouring blocks and a dense layer, for whatever is neither; its output starts at zero.
    """
    from keras import Input, Model, layers

    chosen = hyperparameters
    counts = Input((shape.snps,), dtype="int8", name="allele_counts")
    # Layers that cannot be trained hold what ``start`` knows from the genotypes alone. Their numbers are weights, so
    # that they are saved, and a compiled network serves other lines too.
    centring = layers.BatchNormalization(center=False, scale=False, epsilon=1e-9, trainable=False, name="centring")
    centred = centring(layers.Rescaling(1.0)(counts))

    block = min(chosen.conv_kernel_size, shape.snps)
    blocks = -(-shape.snps // block)
    patches = layers.Reshape((shape.snps, 1))(centred)
    patches = layers.ZeroPadding1D((0, blocks * block - shape.snps))(patches)
    patches = layers.Reshape((blocks, block))(patches)
    patches = layers.Concatenate()([patches, layers.Multiply()([patches, patches])])
    similar = layers.EinsumDense(
        "nbi,bif->nbf", (blocks, chosen.conv_filters), bias_axes="bf", activation="exponential", name="prototypes"
    )(patches)
    features = layers.EinsumDense("nbf,bfg->nbg", (blocks, chosen.conv_filters), trainable=False, name="whitening")(
        similar
    )
    flat = layers.Flatten()(features)
    heads = [
        layers.Dense(1, kernel_initializer="zeros", use_bias=False, name="snp_effects")(centred),
        layers.Dense(1, kernel_initializer="zeros", name="haplotype_effects")(flat),
    ]
    if shape.families:
        shares = layers.Dense(shape.families, activation="softmax", trainable=False, name="family_shares")(centred)
        effects = layers.Dense(shape.families, kernel_initializer="zeros", name="family_effects")(flat)
        heads.append(layers.Dot(axes=1)([shares, effects]))
    if chosen.num_dense_units:
        hidden = factory.dropout("dropout_rate")(features)
        hidden = factory.convolution(chosen.num_dense_units, 3, activation=chosen.conv_activation)(hidden)
        hidden = factory.dropout("dropout_rate")(layers.Flatten()(hidden))
        hidden = layers.Dense(chosen.num_dense_units, activation=chosen.conv_activation)(hidden)
        heads.append(layers.Dense(1, kernel_initializer="zeros", use_bias=False, name="nonlinear_path")(hidden))
    return Model(counts, layers.Add()(heads), name="hybrid")


def initialise_hybrid(
    model: Any, hyperparameters: HybridHyperparameters, lines: TrainingLines, cache: Path | None
) -> None:
    """Set the weights that the training lines' mixed model gives; without ``cache``, only those that cost little."""
    chosen = hyperparameters
    start = fit_initial_weights(
        lines,
        block=min(chosen.conv_kernel_size, lines.genotypes.shape[1]),
        prototypes=chosen.conv_filters,
        sharpness=chosen.haplotype_sharpness,
        effects=chosen.linear_start == "mixed_model" and cache is not None,
        cache=cache,
    )
    for name, weights in _weights(start).items():
        if lines.families or not name.startswith("family_"):
            model.get_layer(name).set_weights(weights)


def _weights(start: InitialWeights) -> dict[str, list[Any]]:
    return {
        "centring": [start.mean, np.full_like(start.mean, start.scale**2)],
        "prototypes": [start.prototypes, start.prototype_bias],
        "whitening": [start.whitening],
        "snp_effects": [start.additive[:, None]],
        "haplotype_effects": [start.haplotypes[:, None], start.bias[None]],
        "family_shares": [start.family_scores, start.family_bias],
        "family_effects": [start.family_haplotypes, start.family_means],
    }


NETWORKS = {
    "hybrid": Network("hybrid", HybridHyperparameters, build_hybrid, initialise_hybrid),
    "tutorial": Network("tutorial", TutorialHyperparameters, build_tutorial),
}
