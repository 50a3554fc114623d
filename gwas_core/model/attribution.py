"""Attribution: how a network's prediction changes with the allele count of each SNP.

An attribution describes the network, not the trait: it is not a test of association and has no p-value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwas_core.errors import InputError
from gwas_core.model.backend import import_keras
from gwas_core.model.trainer import Standardisation

Floats = NDArray[np.float64]

_LINES_AT_ONCE = 32


@dataclass(frozen=True, eq=False, kw_only=True)
class Attribution:
    """Attributions of all SNPs, in the order of the genotypes.

    Attributes:
        effect: float64 (SNPs,), change of the prediction per copy of the counted allele, in the phenotype's unit, mean
            over the lines.
        magnitude: float64 (SNPs,), mean over the lines of the absolute change: the larger, the more the prediction
            depends on the SNP.
    """

    effect: Floats
    magnitude: Floats


def attribute(model: Any, genotypes: NDArray[np.int8], standardisation: Standardisation) -> Attribution:
    """Compute the gradient of the prediction with respect to each SNP's allele count.

    A network can take an allele count as a number, scaled or not: its gradient is the effect per copy. It can also take
    it as one of three classes: the effect per copy is then half the difference between the gradients of class 2 and
    class 0, the slope between the two homozygotes (inbred lines have no other class). The effects of all layers that
    take the counts add up (chain rule). For a network that is linear in the allele counts the result equals its
    coefficients.

    Source: Simonyan, Vedaldi & Zisserman 2014, Deep inside convolutional networks, arXiv:1312.6034 (gradient saliency).

    Args:
        model: Keras network built by ``networks``.
        genotypes: int8 (lines, SNPs) without missing values.
        standardisation: of the phenotype the network learned; brings effects to the phenotype's unit.

    Raises:
        InputError: a layer takes the allele counts neither as numbers nor as classes.
    """
    import tensorflow as tf

    reader = _Reader(model)
    total = np.zeros(genotypes.shape[1])
    magnitude = np.zeros(genotypes.shape[1])
    for batch in _batches(genotypes):
        inputs = reader.read(batch)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            # Each line's prediction depends on its own genotypes only, so the sum's gradient holds them all.
            predicted = tf.reduce_sum(reader.model(inputs, training=False))
        effect = reader.effect(tape.gradient(predicted, inputs, unconnected_gradients=tf.UnconnectedGradients.ZERO))
        total += effect.sum(axis=0)
        magnitude += np.abs(effect).sum(axis=0)
    scale = standardisation.standard_deviation / len(genotypes)
    return Attribution(effect=total * scale, magnitude=magnitude * scale)


def _batches(genotypes: NDArray[np.int8]) -> Iterator[NDArray[np.int8]]:
    for start in range(0, len(genotypes), _LINES_AT_ONCE):
        yield np.ascontiguousarray(genotypes[start : start + _LINES_AT_ONCE])


class _Reader:
    """Network without the layers that take allele counts: integers have no gradient, the outputs of these layers do."""

    def __init__(self, model: Any) -> None:
        keras = import_keras()
        consumers = [node.operation for node in model.inputs[0]._keras_history.operation._outbound_nodes]
        # Loading and cloning leave nodes that belong to other models.
        ours = {id(operation) for operation in model.operations}
        self._readings = [operation for operation in consumers if id(operation) in ours]
        self._slopes = [_slope(operation, model.inputs[0].shape[1]) for operation in self._readings]
        self.model = keras.Model([operation.output for operation in self._readings], model.outputs)

    def read(self, genotypes: NDArray[np.int8]) -> list[Any]:
        """Return the outputs of the first layers, by which the prediction is differentiated."""
        return [operation(genotypes) for operation in self._readings]

    def effect(self, gradients: list[Any]) -> Floats:
        """Return effects per copy, (lines, SNPs), in standard deviations of the phenotype."""
        arrays = [np.asarray(gradient, dtype=np.float64) for gradient in gradients]
        parts = [
            (array[..., 2] - array[..., 0]) / 2 if slope is None else array * slope
            for array, slope in zip(arrays, self._slopes, strict=True)
        ]
        effect: Floats = np.sum(parts, axis=0)
        return effect


def _slope(operation: Any, snps: int) -> Floats | None:
    """Return how much the output of a first layer changes per copy, (SNPs,); None for a layer that makes classes."""
    if type(operation).__name__ == "OneHot":
        return None
    counts = np.array([[0], [1], [2]], dtype=np.int8).repeat(snps, axis=1)
    values = np.asarray(operation(counts), dtype=np.float64)
    if values.shape != counts.shape or not np.allclose(values[1] - values[0], values[2] - values[1]):
        raise InputError(
            "attribution works for networks that take allele counts as numbers or as classes, which a layer "
            f"{type(operation).__name__} does not"
        )
    slope: Floats = (values[2] - values[0]) / 2
    return slope
