"""Networks: layers and architecture of ``hybrid`` and ``tutorial``, and which hyperparameters shape them.

Also here: mean and variance of allele counts; which layers are trained; Keras layers of the saved network; blocks of
SNPs, the paths that are added, ``layout``.

Only layers and operations that Keras brings are used, so a saved network loads in Keras's safe mode without this
package, and runs on any Keras backend. The input is the int8 matrix of allele counts as the dataset keeps it;
conversion happens inside the network, so a batch of 32 lines x 4,236 SNPs is passed as 136 kB and not as 1.6 MB.

A network is built by a ``LayerFactory``: ``KerasLayerFactory`` for the network that is saved, and
``compiled_training.VariableLayerFactory`` for training, where numbers can change without compiling again. Both give
the same weights in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gwas_core.errors import SettingsError
from gwas_core.messages import quoted
from gwas_core.model.hyperparameters import (
    HybridHyperparameters,
    Hyperparameters,
    HyperparameterValue,
    TutorialHyperparameters,
    accepted_values,
    parse_hyperparameters,
)
from gwas_core.model.initial_weights import InitialWeights, TrainingLines, fit_initial_weights

if TYPE_CHECKING:
    from keras.regularizers import Regularizer

DEFAULT_NETWORK = "hybrid"


@dataclass(frozen=True)
class AlleleStatistics:
    """Statistics of the allele count of each SNP over the training lines.

    Attributes:
        mean: float32 (SNPs,).
        variance: float32 (SNPs,).
    """

    mean: NDArray[np.float32]
    variance: NDArray[np.float32]

    @classmethod
    def of(cls, genotypes: NDArray[np.int8]) -> AlleleStatistics:
        """Compute the statistics of genotypes.

        They are computed from counts of 1 and 2, which are exact and need no floating-point copy.

        Args:
            genotypes: int8 (lines, SNPs), without missing values.

        Returns:
            float32 (SNPs,) each.
        """
        lines = genotypes.shape[0]
        ones = np.count_nonzero(genotypes == 1, axis=0)
        twos = np.count_nonzero(genotypes == 2, axis=0)
        mean = (ones + 2 * twos) / lines
        variance = (ones + 4 * twos) / lines - mean**2
        return cls(mean.astype(np.float32), variance.astype(np.float32))


@dataclass(frozen=True, kw_only=True)
class DataShape:
    """Numbers of the data that decide the shapes of a network.

    Attributes:
        snps: number of SNPs.
        families: number of families the network distinguishes; 0 for none.
    """

    snps: int
    families: int


class LayerFactory(Protocol):
    """Factory for the layers of a network that depend on numeric hyperparameters.

    Arguments that are text (``rate``, ``l1``, ``l2``, ``factor``) are names of hyperparameters.
    """

    def dropout(self, rate: str) -> Any:
        """Return a dropout layer.

        Args:
            rate: name of the hyperparameter that holds the rate.
        """

    def penalty(self, *, l2: str, l1: str | None = None) -> Any:
        """Return a regulariser with an L2 and perhaps an L1 penalty.

        Args:
            l2: name of the hyperparameter of the L2 penalty.
            l1: that of the L1 penalty; None if there is none.
        """

    def scaling(self, factor: str) -> Any:
        """Return a layer that multiplies its input by a factor.

        Args:
            factor: name of the hyperparameter that holds the factor.
        """

    def convolution(self, filters: int, kernel_size: int, **options: Any) -> Any:
        """Return a one-dimensional convolution with padding ``same``.

        Args:
            filters: number of output channels.
            kernel_size: width of the window in positions.
            **options: of Keras's ``Conv1D``.
        """


class KerasLayerFactory:
    """Factory for Keras's own layers: the network that is saved, which does not need this package."""

    def __init__(self, hyperparameters: Hyperparameters) -> None:
        self._values = asdict(hyperparameters)

    def dropout(self, rate: str) -> Any:
        """Return a Keras dropout layer."""
        from keras import layers

        return layers.Dropout(self._values[rate])

    def penalty(self, *, l2: str, l1: str | None = None) -> Any:
        """Return a Keras regulariser."""
        from keras import regularizers

        if l1 is None:
            return regularizers.L2(self._values[l2])
        return regularizers.L1L2(l1=self._values[l1], l2=self._values[l2])

    def scaling(self, factor: str) -> Any:
        """Return a Keras rescaling layer."""
        from keras import layers

        return layers.Rescaling(self._values[factor])

    def convolution(self, filters: int, kernel_size: int, **options: Any) -> Any:
        """Return a Keras convolution layer."""
        from keras import layers

        return layers.Conv1D(filters, kernel_size, padding="same", **options)


def numeric_hyperparameters(hyperparameters: Hyperparameters) -> dict[str, float]:
    """Return the hyperparameters that are real numbers: they change neither shapes nor operations.

    Args:
        hyperparameters: of any network.

    Returns:
        Values by name.
    """
    return {
        field.name: getattr(hyperparameters, field.name)
        for field in fields(hyperparameters)
        if accepted_values(field).kind is float
    }


def structural_hyperparameters(hyperparameters: Hyperparameters) -> tuple[tuple[str, Any], ...]:
    """Return the hyperparameters that decide shapes and operations; epochs and patience do not.

    Args:
        hyperparameters: of any network.

    Returns:
        Pairs of name and value, which can serve as a key.
    """
    leave_out = {"epochs", "patience", *numeric_hyperparameters(hyperparameters)}
    return tuple((name, value) for name, value in asdict(hyperparameters).items() if name not in leave_out)


@dataclass(frozen=True)
class Network:
    """Architecture of a network.

    Attributes:
        name: as in the hyperparameter ``network``.
        hyperparameters: dataclass of its hyperparameters.
        build: returns the Keras model for hyperparameters, shape of the data and a layer factory.
        initialise: sets initial weights of a built model from hyperparameters, training lines and a folder that keeps
            the weights; None if the layers' own initial values stay.
    """

    name: str
    hyperparameters: type[Hyperparameters]
    build: Callable[[Any, DataShape, LayerFactory], Any]
    initialise: Callable[[Any, Any, TrainingLines, Path | None], None] | None = None


def parse_network(values: Mapping[str, HyperparameterValue]) -> tuple[Network, Hyperparameters]:
    """Return the network that ``values`` names and its checked hyperparameters.

    Args:
        values: hyperparameters by name, and ``network`` (default: ``hybrid``).

    Raises:
        SettingsError: an unknown network, or a value that it does not accept.
    """
    values = dict(values)
    name = str(values.pop("network", DEFAULT_NETWORK))
    if name not in NETWORKS:
        raise SettingsError(f"network must be one of {', '.join(NETWORKS)}, not {quoted(name)}", field="network")
    network = NETWORKS[name]
    return network, parse_hyperparameters(network.hyperparameters, values)


def build_tutorial(hyperparameters: TutorialHyperparameters, shape: DataShape, factory: LayerFactory) -> Any:
    """Build the published tutorial's network, corrected: classes are channels unless ``layout`` is ``flat``.

    Source: "Run a deep learning GWAS on soy height on Kubeflow Pipelines with Katib's Bayesian
    hyperparameter tuning", NIH Cloud Lab, 2022.

    Args:
        hyperparameters: all of the network's.
        shape: number of SNPs and what else the data decide.
        factory: makes the layers whose numbers may be variables.

    Returns:
        Keras network: int8 (lines, SNPs) to z-scores (lines, 1).
    """
    from keras import Input, Model, layers, ops

    chosen = hyperparameters

    def penalties(group: str) -> dict[str, Regularizer]:
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
    """Build the hybrid network: similarities of SNP blocks to prototype haplotypes, then paths that are added.

    The first layer has its own kernel for each block of neighbouring SNPs (locally connected) and computes the
    similarity of the block to prototype haplotypes, exp(-squared distance). The prediction is the sum of

    - a linear path from the SNPs and one from the similarities (``initialise`` sets both to a mixed model's solution),
    - a linear path from the similarities for each family, weighted by the estimated share of the family in a line,
      because the same haplotype can have other effects in another family,
    - a convolution over neighbouring blocks and a dense layer, for effects that are not additive; its output starts at
      zero.

    Args:
        hyperparameters: all of the network's.
        shape: number of SNPs and what else the data decide.
        factory: makes the layers whose numbers may be variables.

    Returns:
        Keras network: int8 (lines, SNPs) to z-scores (lines, 1).
    """
    from keras import Input, Model, layers

    chosen = hyperparameters
    counts = Input((shape.snps,), dtype="int8", name="allele_counts")
    # Layers that are not trained hold what ``initialise`` computes from the genotypes alone. Their numbers are weights,
    # so they are saved with the network, and a compiled network can be used for other lines.
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
    """Set the initial weights of a hybrid network by a mixed model of the training lines.

    Args:
        model: built by ``build_hybrid``.
        hyperparameters: those it was built with.
        lines: training lines.
        cache: folder that keeps the weights; if None, effects stay zero and only the cheap weights are set.
    """
    chosen = hyperparameters
    initial = fit_initial_weights(
        lines,
        block=min(chosen.conv_kernel_size, lines.genotypes.shape[1]),
        prototypes=chosen.conv_filters,
        sharpness=chosen.haplotype_sharpness,
        effects=chosen.linear_start == "mixed_model" and cache is not None,
        cache=cache,
    )
    for name, weights in _weights_by_layer(initial).items():
        if lines.families or not name.startswith("family_"):
            model.get_layer(name).set_weights(weights)


def _weights_by_layer(initial: InitialWeights) -> dict[str, list[Any]]:
    return {
        "centring": [initial.mean, np.full_like(initial.mean, initial.scale**2)],
        "prototypes": [initial.prototypes, initial.prototype_bias],
        "whitening": [initial.whitening],
        "snp_effects": [initial.additive[:, None]],
        "haplotype_effects": [initial.haplotypes[:, None], initial.bias[None]],
        "family_shares": [initial.family_scores, initial.family_bias],
        "family_effects": [initial.family_haplotypes, initial.family_means],
    }


NETWORKS = {
    "hybrid": Network("hybrid", HybridHyperparameters, build_hybrid, initialise_hybrid),
    "tutorial": Network("tutorial", TutorialHyperparameters, build_tutorial),
}
