"""A training loop as one compiled program, kept for later networks of the same shapes.

Compiling takes longer than a short trial's training, and what differs between most trials of a search is numbers:
learning rate, penalties, dropout rates. Here those numbers are variables, so that a program serves every trial whose
shapes agree. A whole epoch is one call: batches are gathered inside, by index, from genotypes that stay int8.

Imported late, since it brings TensorFlow in: see ``backend.import_keras``.
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
    """The program with this key, made where it is not among the last used ones."""
    if key not in _kept:
        while len(_kept) >= _MOST_KEPT:
            _kept.popitem(last=False)
        _kept[key] = make()
    _kept.move_to_end(key)
    return _kept[key]


class CompiledTraining:
    """A network whose numbers are variables, its optimiser, and one compiled function for an epoch.

    Args:
        build: makes the network from its parts.
        numbers: every hyperparameter that is a plain number, ``learning_rate`` among them.
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
        # XLA compiles the step, TensorFlow runs the loop: inside a loop of its own XLA's matrix products for CPUs are
        # several times slower.
        self._step = tf.function(self._trace_step, jit_compile=xla, autograph=False)
        self._epoch = tf.function(self._trace_epoch, autograph=False)
        self._predict = tf.function(self._trace_prediction, jit_compile=xla, autograph=False)
        self._is_compiled = False

    def begin(self, weights: Sequence[NDArray[Any]], numbers: Mapping[str, float], *, seed: int) -> None:
        """Forget the last network: set weights and numbers, empty the optimiser, seed the dropout."""
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
        return list(self._model.get_weights())

    def set_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        self._model.set_weights(weights)

    def epoch(self, genotypes: Any, target: Any, order: NDArray[np.int32], *, steps: int) -> tuple[float, float]:
        """Train on the first ``steps`` rows of ``order`` (steps, batch); mean loss with penalties, mean absolute error.

        Args:
            genotypes: int8 tensor (lines, SNPs).
            target: float32 tensor (lines, 1).
        """
        loss, error = self._epoch(genotypes, target, tf.constant(order), tf.constant(steps))
        if not self._is_compiled:
            self._is_compiled = True
            give_back_memory()
        return float(loss), float(error)

    def predict(self, genotypes: NDArray[np.int8]) -> NDArray[np.float32]:
        """The network's output (lines,)."""
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
        """The penalty of L2-SP (Li, Grandvalet & Davoine 2018, arXiv:1802.01483), for networks that have one."""
        if "start_l2" not in self._numbers:
            return []
        pairs = zip(self._model.trainable_variables, self._initial_weights, strict=True)
        return [self._numbers["start_l2"] * tf.add_n([_sum(tf.square(w.value - start)) for w, start in pairs])]

    def _trace_prediction(self, genotypes: Any) -> Any:
        return self._model(genotypes, training=False)


class VariableLayerFactory:
    """Parts of a network whose numbers are variables; see ``networks.Parts`` for the plain ones.

    Where ``xla`` compiles them, convolutions and elu are written as XLA's CPU backend runs them fast.
    """

    def __init__(self, numbers: Mapping[str, Any], *, xla: bool) -> None:
        self._numbers, self._xla = numbers, xla

    def dropout(self, rate: str) -> Any:
        return VariableDropout(self._numbers[rate])

    def penalty(self, *, l2: str, l1: str | None = None) -> Any:
        return VariablePenalty(None if l1 is None else self._numbers[l1], self._numbers[l2])

    def scaling(self, factor: str) -> Any:
        return VariableScaling(self._numbers[factor])

    def convolution(self, filters: int, kernel_size: int, **options: Any) -> Any:
        if not self._xla:
            return keras.layers.Conv1D(filters, kernel_size, padding="same", **options)
        if options.get("activation") == "elu":
            options["activation"] = _elu
        return PatchConv1D(filters, kernel_size, padding="same", **options)


class VariableDropout(keras.layers.Layer):  # type: ignore[misc]
    """Dropout whose rate is a variable, and whose random numbers are cheap.

    XLA's generator for CPUs takes 40 times as long as all else that dropout does. Here a number is a hash of its place
    and of how many were drawn before: C. Wellons' "lowbias32" mixing function of 32 bits.
    """

    def __init__(self, rate: Any) -> None:
        super().__init__()
        self._rate = rate
        self.state = tf.Variable([0, 0], dtype=tf.uint32, trainable=False)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training:
            return inputs
        self.state.assign_add(tf.constant([0, 1], dtype=tf.uint32))
        step = _mix(_mix(self.state[0]) + self.state[1])
        shape = tf.shape(inputs)
        # Flat: in a loop whose innermost axis is a few channels XLA uses no vector instructions.
        inputs = tf.reshape(inputs, [shape[0], -1])
        places = tf.reshape(tf.cast(tf.range(tf.reduce_prod(shape)), tf.uint32), tf.shape(inputs))
        # 24 bits: as many as float32 holds.
        uniform = tf.cast(tf.bitwise.right_shift(_mix(places + step), tf.constant(8, tf.uint32)), tf.float32) * 2.0**-24
        return tf.reshape(tf.where(uniform >= self._rate, inputs / (1.0 - self._rate), 0.0), shape)


def _mix(value: Any) -> Any:
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        value = tf.bitwise.bitwise_xor(value, tf.bitwise.right_shift(value, tf.constant(shift, tf.uint32)))
        value = value * tf.constant(factor, tf.uint32)
    return value


def _sum(values: Any) -> Any:
    """Over all entries. XLA's own sum adds one after the other; that of columns is vectorised."""
    columns = tf.reduce_sum(tf.reshape(values, [values.shape[-1], -1]), axis=0, keepdims=True)
    return tf.matmul(columns, tf.ones([columns.shape[1], 1]))[0, 0]


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _elu(inputs: Any) -> Any:
    """By exp: expm1, which XLA would take, is not vectorised together with what follows. Differs by 1e-7 at most."""
    outputs = tf.where(inputs > 0, inputs, tf.exp(tf.minimum(inputs, 0.0)) - 1.0)
    return outputs, lambda slopes: slopes * tf.minimum(outputs + 1.0, 1.0)


class VariableScaling(keras.layers.Layer):  # type: ignore[misc]
    def __init__(self, factor: Any) -> None:
        super().__init__()
        self._factor = factor

    def call(self, inputs: Any) -> Any:
        return inputs * self._factor


class VariablePenalty(keras.regularizers.Regularizer):  # type: ignore[misc]
    def __init__(self, l1: Any, l2: Any) -> None:
        self._l1, self._l2 = l1, l2

    def __call__(self, values: Any) -> Any:
        penalty = self._l2 * _sum(tf.square(values))
        return penalty if self._l1 is None else penalty + self._l1 * _sum(tf.abs(values))


class PatchConv1D(keras.layers.Conv1D):  # type: ignore[misc]
    """Conv1D (stride 1, padding ``same``) as one matrix product over patches; weights and results are Conv1D's.

    XLA's convolution for CPUs is slower than its matrix product. A patch holds all the inputs of ``size`` neighbouring
    outputs, and the kernel becomes a banded matrix from a patch to its outputs: (size + k - 1) / k times the
    multiply-adds of the convolution, in a product wide enough to run at full speed.
    """

    def call(self, inputs: Any) -> Any:
        outputs = _convolve(inputs, tf.convert_to_tensor(self.kernel)) + self.bias
        return outputs if self.activation is None else self.activation(outputs)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _convolve(inputs: Any, kernel: Any) -> Any:
    """(lines, length, channels) with (width, channels, filters). Its gradients are products over patches too."""
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
    """What every ``size`` neighbouring outputs see: (lines x blocks, (size + width - 1) x channels)."""
    length, channels = inputs.shape[1:]
    blocks, reach = -(-length // size), size + width - 1
    further = -(-reach // size) - 1  # blocks to the right that are seen too
    lines, right = tf.shape(inputs)[0], (blocks + further) * size - length - left
    # Joined on, and flat: into ``tf.pad`` XLA draws the dropout before it, ten times slower than by itself.
    zeros = [tf.zeros([lines, places * channels]) for places in (left, right)]
    padded = tf.concat([zeros[0], tf.reshape(inputs, [lines, -1]), zeros[1]], axis=1)
    padded = tf.reshape(padded, [-1, blocks + further, size, channels])
    seen = [padded[:, at : at + blocks, : min(size, reach - at * size)] for at in range(further + 1)]
    return tf.reshape(tf.concat(seen, axis=2), [-1, reach * channels])


def _banded(kernel: Any, size: int) -> Any:
    """The matrix from a patch to its outputs: ((size + width - 1) x channels, size x filters)."""
    width, channels, filters = kernel.shape
    matrix = tf.matmul(_band(width, size), tf.reshape(kernel, [width, -1]), transpose_a=True)
    matrix = tf.transpose(tf.reshape(matrix, [-1, size, channels, filters]), [0, 2, 1, 3])
    return tf.reshape(matrix, [-1, size * filters])


def _band(width: int, size: int) -> Any:
    """(width, (size + width - 1) x size): 1 where input less output is the place in the kernel."""
    offset = np.arange(size + width - 1)[:, None] - np.arange(size)
    return (offset == np.arange(width)[:, None, None]).astype(np.float32).reshape(width, -1)
