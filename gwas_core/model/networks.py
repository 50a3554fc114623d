"""The networks: allele counts in, a standardised phenotype out.

Only Keras layers and operations are used, all built in: a saved network loads in
Keras's safe mode without this package, and runs on any Keras backend. The input is the
int8 matrix of allele counts as the dataset keeps it; one-hot coding happens inside, so
that a batch of 32 lines x 4,236 SNPs is 136 kB on its way in and not 1.6 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwas_core.errors import SettingsError
from gwas_core.model.hyperparameters import (
    HybridHyperparameters,
    Hyperparameters,
    TutorialHyperparameters,
    parse_hyperparameters,
)

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


@dataclass(frozen=True)
class Network:
    """A named architecture: its hyperparameters and how to build it."""

    name: str
    hyperparameters: type[Hyperparameters]
    build: Callable[[Any, AlleleStatistics], Any]


def parse(values: Mapping[str, Any]) -> tuple[Network, Hyperparameters]:
    """Which network ``values`` asks for (``network``, default hybrid), and its checked hyperparameters.

    Raises:
        SettingsError: an unknown network, or a value that does not fit it.
    """
    values = dict(values)
    name = str(values.pop("network", DEFAULT_NETWORK))
    if name not in NETWORKS:
        raise SettingsError(f"network must be one of {', '.join(NETWORKS)}, not {name[:40]!r}", field="network")
    network = NETWORKS[name]
    return network, parse_hyperparameters(network.hyperparameters, values)


def build_tutorial(hyperparameters: TutorialHyperparameters, statistics: AlleleStatistics) -> Any:
    """The published tutorial's network, faults mended: classes are channels unless ``layout`` is ``flat``.

    Source: "Run a deep learning GWAS on soy height on Kubeflow Pipelines with Katib's Bayesian
    hyperparameter tuning", NIH Cloud Lab, 2022.
    """
    from keras import Input, Model, layers, ops

    chosen = hyperparameters

    def penalties(group: str) -> dict[str, Any]:
        from keras.regularizers import L1L2, L2

        return {
            "kernel_regularizer": L1L2(
                l1=getattr(chosen, f"{group}_kernel_l1"), l2=getattr(chosen, f"{group}_kernel_l2")
            ),
            "bias_regularizer": L2(getattr(chosen, f"{group}_bias_l2")),
            "activity_regularizer": L2(getattr(chosen, f"{group}_activity_l2")),
        }

    def convolution(kernel_size: int, group: str) -> Any:
        return layers.Conv1D(
            10,
            kernel_size,
            padding="same",
            activation=chosen.conv_activation,
            kernel_initializer=chosen.conv_initializer,
            **penalties(group),
        )

    snps = len(statistics.mean)
    counts = Input((snps,), dtype="int8", name="allele_counts")
    classes = ops.one_hot(counts, 3)
    if chosen.layout == "flat":
        classes = layers.Reshape((3 * snps, 1))(classes)

    deep = layers.Dropout(chosen.conv_1_dropout_rate)(convolution(3, "conv_1")(classes))
    deep = layers.Dropout(chosen.dropout_rate)(convolution(20, "conv_x")(deep))
    wide = layers.Dropout(chosen.dropout_rate)(convolution(4, "conv_x")(classes))
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
    output = layers.Rescaling(chosen.final_activation_scale_factor)(output)
    return Model(counts, output, name="tutorial")


def build_hybrid(hyperparameters: HybridHyperparameters, statistics: AlleleStatistics) -> Any:
    """A ridge regression over all SNPs plus what a convolution over LD blocks adds to it.

    The linear path alone is RR-BLUP fitted by gradient descent: centred allele counts, one scale for
    all SNPs (so that a rare SNP is not blown up), a shared L2 penalty. It starts at zero, so the
    network starts as the training mean. The convolution moves on by half its width: half the LD
    block overlaps, and the activations are a tenth of an unstrided convolution's.
    """
    from keras import Input, Model, layers, ops
    from keras.regularizers import L2

    chosen = hyperparameters
    snps = len(statistics.mean)
    counts = Input((snps,), dtype="int8", name="allele_counts")

    scale = np.full_like(statistics.variance, max(float(statistics.variance.mean()), 1e-6))
    centred = layers.Normalization(mean=statistics.mean, variance=scale)(ops.cast(counts, "float32"))
    linear = layers.Dense(1, kernel_initializer="zeros", kernel_regularizer=L2(chosen.linear_l2), name="linear_path")(
        centred
    )

    kernel_size = min(chosen.conv_kernel_size, snps)
    blocks = layers.Conv1D(
        chosen.conv_filters,
        kernel_size,
        strides=max(1, kernel_size // 2),
        padding="same",
        activation=chosen.conv_activation,
        kernel_regularizer=L2(chosen.conv_l2),
    )(ops.one_hot(counts, 3))
    blocks = layers.Conv1D(
        chosen.conv_filters, 3, padding="same", activation=chosen.conv_activation, kernel_regularizer=L2(chosen.conv_l2)
    )(layers.Dropout(chosen.dropout_rate)(blocks))
    dense = layers.Dense(
        chosen.num_dense_units, activation=chosen.conv_activation, kernel_regularizer=L2(chosen.conv_l2)
    )(layers.Dropout(chosen.dropout_rate)(layers.Flatten()(blocks)))
    nonlinear = layers.Dense(1, kernel_initializer="zeros", name="nonlinear_path")(dense)
    return Model(counts, layers.Add()([linear, nonlinear]), name="hybrid")


NETWORKS = {
    "hybrid": Network("hybrid", HybridHyperparameters, build_hybrid),
    "tutorial": Network("tutorial", TutorialHyperparameters, build_tutorial),
}
