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

_KEPT_PROGRAMS = 6
_programs: OrderedDict[Hashable, Program] = OrderedDict()


def find_program(key: Hashable, make: Callable[[], Program]) -> Program:
    """The program with this key, made where it is not among the last used ones."""
    if key not in _programs:
        while len(_programs) >= _KEPT_PROGRAMS:
            _programs.popitem(last=False)
        _programs[key] = make()
    _programs.move_to_end(key)
    return _programs[key]


class Program:
    """A network whose numbers are variables, its optimiser, and one compiled function for an epoch.

    Args:
        build: makes the network from its parts.
        numbers: every hyperparameter that is a plain number, ``learning_rate`` among them.
        loss: name of a Keras loss.
        xla: whether to compile with XLA.
    """

    def __init__(
        self, build: Callable[[LiveParts], Any], numbers: Mapping[str, float], *, loss: str, xla: bool
    ) -> None:
        self._numbers = {name: tf.Variable(value, dtype=tf.float32) for name, value in numbers.items()}
        self._model = build(LiveParts(self._numbers))
        self._loss = keras.losses.get(loss)
        self._optimizer = keras.optimizers.Adam(float(numbers["learning_rate"]))
        self._optimizer.build(self._model.trainable_variables)
        self._start = [tf.Variable(variable.value) for variable in self._model.trainable_variables]
        # XLA compiles the step, TensorFlow runs the loop: inside a loop of its own XLA's matrix products for CPUs are
        # several times slower.
        self._step = tf.function(self._trace_step, jit_compile=xla, autograph=False)
        self._epoch = tf.function(self._trace_epoch, autograph=False)
        self._predict = tf.function(self._trace_prediction, jit_compile=xla, autograph=False)

    def begin(self, weights: Sequence[NDArray[Any]], numbers: Mapping[str, float], *, seed: int) -> None:
        """Forget the last network: set weights and numbers, empty the optimiser, seed the dropout."""
        for name, value in numbers.items():
            self._numbers[name].assign(value)
        self.set_weights(weights)
        for start, variable in zip(self._start, self._model.trainable_variables, strict=True):
            start.assign(variable.value)
        for variable in self._optimizer.variables:
            variable.assign(tf.zeros(variable.shape, variable.dtype))
        self._optimizer.learning_rate.assign(numbers["learning_rate"])
        dropouts = [layer for layer in self._model.layers if isinstance(layer, LiveDropout)]
        for place, layer in enumerate(dropouts):
            layer.state.assign(np.array([(seed + 0x9E3779B9 * place) % 2**32, 0], dtype=np.uint32))

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
            loss = tf.add_n([of_lines, *self._model.losses, *self._distance_from_start()])
        self._optimizer.apply(tape.gradient(loss, trainable), trainable)
        return loss, tf.reduce_mean(tf.abs(observed - predicted))

    def _distance_from_start(self) -> list[Any]:
        """The penalty of L2-SP (Li, Grandvalet & Davoine 2018, arXiv:1802.01483), for networks that have one."""
        if "start_l2" not in self._numbers:
            return []
        pairs = zip(self._model.trainable_variables, self._start, strict=True)
        return [self._numbers["start_l2"] * tf.add_n([tf.reduce_sum(tf.square(w.value - start)) for w, start in pairs])]

    def _trace_prediction(self, genotypes: Any) -> Any:
        return self._model(genotypes, training=False)


class LiveParts:
    """Parts of a network whose numbers are variables; see ``networks.Parts`` for the plain ones."""

    def __init__(self, numbers: Mapping[str, Any]) -> None:
        self._numbers = numbers

    def dropout(self, rate: str) -> Any:
        return LiveDropout(self._numbers[rate])

    def penalty(self, *, l2: str, l1: str | None = None) -> Any:
        return LivePenalty(None if l1 is None else self._numbers[l1], self._numbers[l2])

    def scaling(self, factor: str) -> Any:
        return LiveScaling(self._numbers[factor])

    def convolution(self, filters: int, kernel_size: int, **options: Any) -> Any:
        return PatchConv1D(filters, kernel_size, padding="same", **options)


class LiveDropout(keras.layers.Layer):  # type: ignore[misc]
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
        places = tf.reshape(tf.cast(tf.range(tf.reduce_prod(shape)), tf.uint32), shape)
        # 24 bits: as many as float32 holds.
        uniform = tf.cast(tf.bitwise.right_shift(_mix(places + step), tf.constant(8, tf.uint32)), tf.float32) * 2.0**-24
        return tf.where(uniform >= self._rate, inputs / (1.0 - self._rate), 0.0)


def _mix(value: Any) -> Any:
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        value = tf.bitwise.bitwise_xor(value, tf.bitwise.right_shift(value, tf.constant(shift, tf.uint32)))
        value = value * tf.constant(factor, tf.uint32)
    return value


class LiveScaling(keras.layers.Layer):  # type: ignore[misc]
    def __init__(self, factor: Any) -> None:
        super().__init__()
        self._factor = factor

    def call(self, inputs: Any) -> Any:
        return inputs * self._factor


class LivePenalty(keras.regularizers.Regularizer):  # type: ignore[misc]
    def __init__(self, l1: Any, l2: Any) -> None:
        self._l1, self._l2 = l1, l2

    def __call__(self, values: Any) -> Any:
        penalty = self._l2 * tf.reduce_sum(tf.square(values))
        return penalty if self._l1 is None else penalty + self._l1 * tf.reduce_sum(tf.abs(values))


class PatchConv1D(keras.layers.Conv1D):  # type: ignore[misc]
    """Conv1D (stride 1, padding ``same``) as one matrix product over patches; weights and results are Conv1D's.

    XLA's convolution for CPUs is slower than its matrix product. A patch holds all the inputs of ``size`` neighbouring
    outputs, and the kernel becomes a banded matrix from a patch to its outputs: (size + k - 1) / k times the
    multiply-adds of the convolution, in a product wide enough to run at full speed.
    """

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        width, channels, filters = kernel.shape
        length = inputs.shape[1]
        size = max(width - 1, min(8, -(-64 // channels)))
        blocks = -(-length // size)
        left = (width - 1) // 2
        padded = tf.pad(inputs, [[0, 0], [left, (blocks + 1) * size - length - left], [0, 0]])
        padded = tf.reshape(padded, [-1, blocks + 1, size, channels])
        patches = tf.concat([padded[:, :-1], padded[:, 1:, : width - 1]], axis=2)
        # band[offset, input, output] is 1 where input - output = offset.
        reach = size + width - 1
        offset = np.arange(reach)[:, None] - np.arange(size)
        band = (offset == np.arange(width)[:, None, None]).astype(np.float32).reshape(width, reach * size)
        matrix = tf.matmul(band, tf.reshape(kernel, [width, channels * filters]), transpose_a=True)
        matrix = tf.reshape(matrix, [reach, size, channels, filters])
        matrix = tf.reshape(tf.transpose(matrix, [0, 2, 1, 3]), [reach * channels, size * filters])
        outputs = tf.matmul(tf.reshape(patches, [-1, reach * channels]), matrix)
        return tf.reshape(outputs, [-1, blocks * size, filters])[:, :length]
