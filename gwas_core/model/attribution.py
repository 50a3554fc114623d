"""What a network makes of each SNP: how its prediction changes with the allele count, line by line.

This says what the network does, not what the trait does: it is no test, and gives no p-value.
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
    """Of every SNP, in the order of the genotypes; both arrays are float64 (SNPs,), in the phenotype's unit a copy.

    Attributes:
        effect: change of the prediction a copy of the counted allele, mean over the lines.
        magnitude: mean over the lines of its absolute value: the larger, the more the network looks at the SNP.
    """

    effect: Floats
    magnitude: Floats


def attribute(model: Any, genotypes: NDArray[np.int8], standardisation: Standardisation) -> Attribution:
    """Gradient of the prediction by each SNP's allele count.

    A network may read an allele count in two ways: as a number, scaled or not, whose gradient is the effect a copy; and
    as one of three classes, where half the difference of the gradients by class 2 and by class 0 is: the slope between
    the homozygotes, the only classes that inbred lines are in. All readings add up (chain rule). For a network that is
    linear in the allele counts this is exactly its coefficients.

    Source: K. Simonyan et al., Deep inside convolutional networks, 2014 (gradient saliency).

    Args:
        model: a network of ours, as ``networks`` builds it.
        genotypes: complete allele counts (lines, SNPs) of the lines to look at.

    Raises:
        InputError: the network reads its input in another way.
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
    """The network from where it has turned the counts, which have no gradient, into numbers, which have."""

    def __init__(self, model: Any) -> None:
        keras = import_keras()
        consumers = [node.operation for node in model.inputs[0]._keras_history.operation._outbound_nodes]
        # Loading and cloning leave nodes behind that belong to other models.
        ours = {id(operation) for operation in model.operations}
        self._readings = [operation for operation in consumers if id(operation) in ours]
        self._slopes = [_slope(operation, model.inputs[0].shape[1]) for operation in self._readings]
        self.model = keras.Model([operation.output for operation in self._readings], model.outputs)

    def read(self, genotypes: NDArray[np.int8]) -> list[Any]:
        """The tensors the network works on, to be differentiated by."""
        return [operation(genotypes) for operation in self._readings]

    def effect(self, gradients: list[Any]) -> Floats:
        """(lines, SNPs), in standard deviations of the phenotype a copy."""
        arrays = [np.asarray(gradient, dtype=np.float64) for gradient in gradients]
        parts = [
            (array[..., 2] - array[..., 0]) / 2 if slope is None else array * slope
            for array, slope in zip(arrays, self._slopes, strict=True)
        ]
        effect: Floats = np.sum(parts, axis=0)
        return effect


def _slope(operation: Any, snps: int) -> Floats | None:
    """(SNPs,): what a reading changes by with each copy; None for one that makes classes."""
    if type(operation).__name__ == "OneHot":
        return None
    counts = np.array([[0], [1], [2]], dtype=np.int8).repeat(snps, axis=1)
    values = np.asarray(operation(counts), dtype=np.float64)
    if values.shape != counts.shape or not np.allclose(values[1] - values[0], values[2] - values[1]):
        raise InputError(
            "attribution knows networks that read allele counts as numbers or as classes, which a layer "
            f"{type(operation).__name__} does not"
        )
    slope: Floats = (values[2] - values[0]) / 2
    return slope
