"""Compiled training that later networks of the same shapes use again: epochs, dropout, penalties, convolutions.

Also here: how many compiled networks are kept; random numbers of dropout; convolutions as matrix products under XLA;
the penalty on the distance from the initial weights.

Compiling takes longer than training in a short trial, and most trials of a search differ in numbers only: learning
rate, penalties, dropout rates. Here these numbers are variables, so one compilation serves all trials of the same
shapes. An epoch is one call: batches are gathered by index inside it, from genotypes that stay int8.

This module imports TensorFlow and is therefore imported on first use only, after ``backend.import_keras``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from gwas_core.processes.memory import give_back_memory
from gwas_core.seeds import layer_seed

_MOST_KEPT = 6
_kept: OrderedDict[Hashable, CompiledTraining] = OrderedDict()


def find_compiled(key: Hashable, make: Callable[[], CompiledTraining]) -> CompiledTraining:
    """Return the compiled training with a key; it is made if it is not among the last ones that were used.

    Args:
        key: everything that decides shapes and operations.
        make: returns a new one.
    """
    if key not in _kept:
        while len(_kept) >= _MOST_KEPT:
            _kept.popitem(last=False)
        _kept[key] = make()
    _kept.move_to_end(key)
    return _kept[key]


class CompiledTraining:
    """Network whose numeric hyperparameters are variables, with its optimiser and one compiled function for an epoch.

    Args:
        build: returns the network for a layer factory.
        numbers: all hyperparameters that are real numbers, ``learning_rate`` among them.
        loss: name of a Keras loss.
        xla: whether to compile with XLA.
    """

    def __init__(
        self, build: Callable[[VariableLayerFactory], Any], numbers: Mapping[str, float], *, loss: str, xla: bool
    ) -> None:
        self._numbers = {name: tf.Variable(value, dtype=tf.float32) for name, value in numbers.items()}
        self._model = build(VariableLayerFactory(self._numbers, xla=xla))
        self._loss = keras.losses.get(loss)
        self._optimizer = keras.optimizers.Adam(float(numbers["learning_rate"]))
        self._optimizer.build(self._model.trainable_variables)
        self._initial_weights = [tf.Variable(variable.value) for variable in self._model.trainable_variables]
        # XLA compiles the step, TensorFlow runs the loop: in a loop of its own, XLA's matrix products on CPUs are
        # several times slower.
        self._step = tf.function(self._trace_step, jit_compile=xla, autograph=False)
        self._epoch = tf.function(self._trace_epoch, autograph=False)
        self._predict = tf.function(self._trace_prediction, jit_compile=xla, autograph=False)
        self._is_compiled = False

    def begin(self, weights: Sequence[NDArray[Any]], numbers: Mapping[str, float], *, seed: int) -> None:
        """Begin to train another network: set weights and numbers, reset the optimiser, seed the dropout.

        Args:
            weights: all weights of the network, as ``get_weights`` returns them.
            numbers: numeric hyperparameters by name.
            seed: of the dropout.
        """
        for name, value in numbers.items():
            self._numbers[name].assign(value)
        self.set_weights(weights)
        for start, variable in zip(self._initial_weights, self._model.trainable_variables, strict=True):
            start.assign(variable.value)
        for variable in self._optimizer.variables:
            variable.assign(tf.zeros(variable.shape, variable.dtype))
        self._optimizer.learning_rate.assign(numbers["learning_rate"])
        dropouts = [layer for layer in self._model.layers if isinstance(layer, VariableDropout)]
        for place, layer in enumerate(dropouts):
            layer.state.assign(np.array([layer_seed(seed, place), 0], dtype=np.uint32))

    def get_weights(self) -> list[NDArray[Any]]:
        """Return a copy of all weights."""
        return list(self._model.get_weights())

    def set_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """Set all weights.

        Args:
            weights: an array for each weight, in the order of ``get_weights``.
        """
        self._model.set_weights(weights)

    def epoch(self, genotypes: Any, target: Any, order: NDArray[np.int32], *, steps: int) -> tuple[float, float]:
        """Train for one epoch.

        Args:
            genotypes: int8 tensor (lines, SNPs).
            target: float32 tensor (lines, 1), z-scores.
            order: (batches, lines per batch) rows of the lines of each batch.
            steps: number of batches of ``order`` to train on.

        Returns:
            Mean loss, penalties included, and mean absolute error, over the batches.
        """
        loss, error = self._epoch(genotypes, target, tf.constant(order), tf.constant(steps))
        if not self._is_compiled:
            self._is_compiled = True
            give_back_memory()
        return float(loss), float(error)

    def predict(self, genotypes: NDArray[np.int8]) -> NDArray[np.float32]:
        """Return the network's output.

        Args:
            genotypes: int8 (lines, SNPs), without missing values.

        Returns:
            float32 (lines,): z-scores of the phenotype.
        """
        return np.asarray(self._predict(tf.constant(genotypes)).numpy()[:, 0])

    def _trace_epoch(self, genotypes: Any, target: Any, order: Any, steps: Any) -> tuple[Any, Any]:
        def step(number: Any, loss_sum: Any, error_sum: Any) -> tuple[Any, Any, Any]:
            rows = order[number]
            loss, error = self._step(tf.gather(genotypes, rows), tf.gather(target, rows))
            return number + 1, loss_sum + loss, error_sum + error

        _, loss_sum, error_sum = tf.while_loop(
            lambda number, *_: number < steps, step, (tf.constant(0), tf.constant(0.0), tf.constant(0.0))
        )
        done = tf.cast(steps, tf.float32)
        return loss_sum / done, error_sum / done

    def _trace_step(self, genotypes: Any, observed: Any) -> tuple[Any, Any]:
        trainable = self._model.trainable_variables
        with tf.GradientTape() as tape:
            predicted = self._model(genotypes, training=True)
            of_lines = tf.reduce_mean(self._loss(observed, predicted))
            loss = tf.add_n([of_lines, *self._model.losses, *self._distance_from_initial_weights()])
        self._optimizer.apply(tape.gradient(loss, trainable), trainable)
        return loss, tf.reduce_mean(tf.abs(observed - predicted))

    def _distance_from_initial_weights(self) -> list[Any]:
        """Return the penalty of L2-SP (Li, Grandvalet & Davoine 2018, arXiv:1802.01483), for networks that have it."""
        if "start_l2" not in self._numbers:
            return []
        pairs = zip(self._model.trainable_variables, self._initial_weights, strict=True)
        return [self._numbers["start_l2"] * tf.add_n([_sum(tf.square(w.value - start)) for w, start in pairs])]

    def _trace_prediction(self, genotypes: Any) -> Any:
        return self._model(genotypes, training=False)


class VariableLayerFactory:
    """Factory for layers whose numbers are variables; ``networks.KerasLayerFactory`` makes the same with constants.

    If ``xla`` compiles them, convolutions and elu are written in the form that XLA's CPU backend runs fast.
    """

    def __init__(self, numbers: Mapping[str, tf.Variable], *, xla: bool) -> None:
        self._numbers, self._xla = numbers, xla

    def dropout(self, rate: str) -> Any:
        """Return a dropout layer whose rate is a variable.

        Args:
            rate: name of the hyperparameter.
        """
        return VariableDropout(self._numbers[rate])

    def penalty(self, *, l2: str, l1: str | None = None) -> Any:
        """Return a regulariser whose penalties are variables.

        Args:
            l2: name of the hyperparameter of the L2 penalty.
            l1: that of the L1 penalty; None if there is none.
        """
        return VariablePenalty(None if l1 is None else self._numbers[l1], self._numbers[l2])

    def scaling(self, factor: str) -> Any:
        """Return a layer that multiplies by a variable.

        Args:
            factor: name of the hyperparameter.
        """
        return VariableScaling(self._numbers[factor])

    def convolution(self, filters: int, kernel_size: int, **options: Any) -> Any:
        """Return a convolution layer: with XLA, as a matrix product over patches.

        Args:
            filters: number of output channels.
            kernel_size: width of the window in positions.
            **options: of Keras's ``Conv1D``.
        """
        if not self._xla:
            return keras.layers.Conv1D(filters, kernel_size, padding="same", **options)
        if options.get("activation") == "elu":
            options["activation"] = _elu
        return PatchConv1D(filters, kernel_size, padding="same", **options)


class VariableDropout(keras.layers.Layer):  # type: ignore[misc]
    """Dropout whose rate is a variable, with random numbers that are fast to compute.

    XLA's generator on CPUs takes 40 times as long as the rest of dropout. Here a random number is a hash of its
    position and of the number of earlier calls: the 32-bit mixing function "lowbias32" of C. Wellons (Prospecting for
    hash functions, 2018).
    """

    def __init__(self, rate: Any) -> None:
        super().__init__()
        self._rate = rate
        self.state = tf.Variable([0, 0], dtype=tf.uint32, trainable=False)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the inputs, in training with a share of them set to zero and the others scaled up.

        Args:
            inputs: (lines, ...).
            training: whether dropout is applied; at prediction it is not.
        """
        if not training:
            return inputs
        self.state.assign_add(tf.constant([0, 1], dtype=tf.uint32))
        step = _mix(_mix(self.state[0]) + self.state[1])
        shape = tf.shape(inputs)
        # Flattened: in a loop whose innermost axis has few channels, XLA uses no vector instructions.
        inputs = tf.reshape(inputs, [shape[0], -1])
        places = tf.reshape(tf.cast(tf.range(tf.reduce_prod(shape)), tf.uint32), tf.shape(inputs))
        # 24 bits: the precision of float32.
        uniform = tf.cast(tf.bitwise.right_shift(_mix(places + step), tf.constant(8, tf.uint32)), tf.float32) * 2.0**-24
        return tf.reshape(tf.where(uniform >= self._rate, inputs / (1.0 - self._rate), 0.0), shape)


def _mix(value: Any) -> Any:
    """Return the "lowbias32" hash of uint32 values."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        value = tf.bitwise.bitwise_xor(value, tf.bitwise.right_shift(value, tf.constant(shift, tf.uint32)))
        value = value * tf.constant(factor, tf.uint32)
    return value


def _sum(values: Any) -> Any:
    """Return the sum of all entries. XLA's own sum adds one after the other; that of columns is vectorised."""
    columns = tf.reduce_sum(tf.reshape(values, [values.shape[-1], -1]), axis=0, keepdims=True)
    return tf.matmul(columns, tf.ones([columns.shape[1], 1]))[0, 0]


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _elu(inputs: Any) -> Any:
    """Return elu by exp: XLA does not vectorise expm1 together with what follows. The difference is at most 1e-7."""
    outputs = tf.where(inputs > 0, inputs, tf.exp(tf.minimum(inputs, 0.0)) - 1.0)
    return outputs, lambda slopes: slopes * tf.minimum(outputs + 1.0, 1.0)


class VariableScaling(keras.layers.Layer):  # type: ignore[misc]
    """Multiplication by a variable."""

    def __init__(self, factor: Any) -> None:
        super().__init__()
        self._factor = factor

    def call(self, inputs: Any) -> Any:
        """Return the inputs times the factor."""
        return inputs * self._factor


class VariablePenalty(keras.regularizers.Regularizer):  # type: ignore[misc]
    """L2 and perhaps L1 penalty whose factors are variables."""

    def __init__(self, l1: Any, l2: Any) -> None:
        self._l1, self._l2 = l1, l2

    def __call__(self, values: Any) -> Any:
        """Return the penalty of a tensor."""
        penalty = self._l2 * _sum(tf.square(values))
        return penalty if self._l1 is None else penalty + self._l1 * _sum(tf.abs(values))


class PatchConv1D(keras.layers.Conv1D):  # type: ignore[misc]
    """Conv1D (stride 1, padding ``same``) as one matrix product over patches, with Conv1D's weights and results.

    XLA's convolution on CPUs is slower than its matrix product. A patch holds all inputs of ``size`` neighbouring
    outputs, and the kernel becomes a banded matrix from a patch to its outputs: (size + k - 1) / k times the
    multiply-adds of the convolution, in a product that is wide enough to run at full speed.
    """

    def call(self, inputs: Any) -> Any:
        """Return the convolution of inputs.

        Args:
            inputs: (lines, length, channels).

        Returns:
            (lines, length, filters), after the activation.
        """
        outputs = _convolve(inputs, tf.convert_to_tensor(self.kernel)) + self.bias
        return outputs if self.activation is None else self.activation(outputs)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _convolve(inputs: Any, kernel: Any) -> Any:
    """Return the convolution of (lines, length, channels) with (width, channels, filters).

    Its gradients are products over patches, too.
    """
    width, channels, filters = kernel.shape
    length, left = inputs.shape[1], (width - 1) // 2
    # Measured: smaller ones copy more into patches, larger ones multiply more zeros.
    size = 4 if width < 8 else 8
    blocks = -(-length // size)
    patches = _patches(inputs, width, size, left)
    outputs = tf.reshape(patches @ _banded(kernel, size), [-1, blocks * size, filters])[:, :length]

    def gradient(slopes: Any) -> tuple[Any, Any]:
        turned = tf.transpose(kernel[::-1], [0, 2, 1])
        back = _patches(slopes, width, size, width - 1 - left) @ _banded(turned, size)
        of_inputs = tf.reshape(back, [-1, blocks * size, channels])[:, :length]
        slopes = tf.reshape(tf.pad(slopes, [[0, 0], [0, blocks * size - length], [0, 0]]), [-1, size * filters])
        products = tf.reshape(tf.matmul(patches, slopes, transpose_a=True), [-1, channels, size, filters])
        products = tf.reshape(tf.transpose(products, [0, 2, 1, 3]), [-1, channels * filters])
        return of_inputs, tf.reshape(_band(width, size) @ products, kernel.shape)

    return outputs, gradient


def _patches(inputs: Any, width: int, size: int, left: int) -> Any:
    """Return all inputs of each ``size`` neighbouring outputs: (lines x blocks, (size + width - 1) x channels)."""
    length, channels = inputs.shape[1:]
    blocks, reach = -(-length // size), size + width - 1
    further = -(-reach // size) - 1  # blocks to the right that belong to the patch, too
    lines, right = tf.shape(inputs)[0], (blocks + further) * size - length - left
    # Concatenated and flattened: XLA would fuse the dropout before it into ``tf.pad``, which is ten times slower.
    zeros = [tf.zeros([lines, places * channels]) for places in (left, right)]
    padded = tf.concat([zeros[0], tf.reshape(inputs, [lines, -1]), zeros[1]], axis=1)
    padded = tf.reshape(padded, [-1, blocks + further, size, channels])
    seen = [padded[:, at : at + blocks, : min(size, reach - at * size)] for at in range(further + 1)]
    return tf.reshape(tf.concat(seen, axis=2), [-1, reach * channels])


def _banded(kernel: Any, size: int) -> Any:
    """Return the matrix from a patch to its outputs: ((size + width - 1) x channels, size x filters)."""
    width, channels, filters = kernel.shape
    matrix = tf.matmul(_band(width, size), tf.reshape(kernel, [width, -1]), transpose_a=True)
    matrix = tf.transpose(tf.reshape(matrix, [-1, size, channels, filters]), [0, 2, 1, 3])
    return tf.reshape(matrix, [-1, size * filters])


def _band(width: int, size: int) -> Any:
    """Return (width, (size + width - 1) x size): 1 if input minus output is the position in the kernel, else 0."""
    offset = np.arange(size + width - 1)[:, None] - np.arange(size)
    return (offset == np.arange(width)[:, None, None]).astype(np.float32).reshape(width, -1)
