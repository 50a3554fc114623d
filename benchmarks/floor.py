"""Floor: least possible time of an epoch, from multiply-adds at the speed of sgemm and bytes at the speed of a copy."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

_FLOAT_BYTES = 4
_ADAM_PASSES = 7
"""Memory accesses per weight: read weight, gradient and two moments; write weight and both moments."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Measured speeds of this machine.

    Attributes:
        multiply_adds: per second, of a large float32 matrix product.
        bytes: per second, of a copy; each byte read and each byte written counts.
    """

    multiply_adds: float
    bytes: float


def measure_machine() -> Machine:
    """Measure this machine: the best of several runs, on all threads that BLAS may use."""
    side = 2048
    left, right = (np.random.default_rng(0).random((side, side), dtype=np.float32) for _ in range(2))
    out = np.empty_like(left)
    product = min(_timed(lambda: np.matmul(left, right, out=out)) for _ in range(6))
    source = np.ones(1 << 26, dtype=np.float32)
    target = np.empty_like(source)
    copy = min(_timed(lambda: np.copyto(target, source)) for _ in range(6))
    return Machine(multiply_adds=side**3 / product, bytes=2 * source.nbytes / copy)


@dataclass(frozen=True, kw_only=True)
class Work:
    """Work of one training step.

    Attributes:
        multiply_adds: of its matrix products and convolutions.
        bytes: that these and Adam move.
    """

    multiply_adds: float
    bytes: float

    def seconds(self, machine: Machine) -> float:
        return max(self.multiply_adds / machine.multiply_adds, self.bytes / machine.bytes)


def count_work(model: Any, inputs: Any, target: Any) -> Work:
    """Count the work in the graph of one training step of a compiled Keras model: forward pass and gradients.

    Every product or convolution reads its operands and writes its result once; operations between them (activations,
    dropout, one-hot coding) could be fused into them and are not counted.
    """
    import tensorflow as tf

    weights = [weight.value for weight in model.trainable_weights]

    @tf.function
    def step(features: Any, wanted: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x=features, y=wanted, y_pred=model(features, training=True))
        return tape.gradient(loss, weights)

    graph = step.get_concrete_function(tf.constant(inputs), tf.constant(target)).graph
    multiply_adds = bytes_moved = 0.0
    for operation in _operations(graph):
        products = _multiply_adds(operation)
        if products:
            multiply_adds += products
            bytes_moved += _FLOAT_BYTES * sum(map(_size, (*operation.inputs, *operation.outputs)))
    parameters = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    return Work(multiply_adds=multiply_adds, bytes=bytes_moved + _ADAM_PASSES * _FLOAT_BYTES * parameters)


def _operations(graph: Any) -> Iterator[Any]:
    """Yield the operations that outputs depend on, in the graph and its functions; TensorFlow prunes the others."""
    for body in (graph, *(graph._get_function(name).graph for name in graph._functions)):
        waiting, seen = [tensor.op for tensor in body.outputs], set()
        while waiting:
            operation = waiting.pop()
            if operation.name not in seen:
                seen.add(operation.name)
                yield operation
                waiting += [tensor.op for tensor in operation.inputs]


def _multiply_adds(operation: Any) -> float:
    kind = operation.type
    if kind in ("MatMul", "BatchMatMulV2", "BatchMatMul"):
        transposed = operation.get_attr("transpose_a" if kind == "MatMul" else "adj_x")
        shared = operation.inputs[0].shape[-2 if transposed else -1]
        return _size(operation.outputs[0]) * float(shared)
    if kind == "Einsum":
        return _einsum(operation)
    if kind == "Conv2D":
        return _size(operation.outputs[0]) * _size(operation.inputs[1]) / operation.inputs[1].shape[-1]
    if kind == "Conv2DBackpropInput":
        return _size(operation.inputs[2]) * _size(operation.inputs[1]) / operation.inputs[1].shape[-1]
    if kind == "Conv2DBackpropFilter":
        kernel = operation.outputs[0]
        return _size(operation.inputs[2]) * _size(kernel) / kernel.shape[-1]
    return 0.0


def _einsum(operation: Any) -> float:
    """Return the multiply-adds of an einsum: the product of the sizes of all letters."""
    left = operation.get_attr("equation").decode().split("->")[0].split(",")
    sizes = {
        letter: length
        for letters, operand in zip(left, operation.inputs, strict=True)
        for letter, length in zip(letters, operand.shape, strict=True)
    }
    return float(math.prod(sizes.values())) if len(left) > 1 else 0.0


def _size(tensor: Any) -> float:
    if None in tuple(tensor.shape):
        return 0.0  # the shapes that matter are known; what is not belongs to no product
    return float(math.prod(tensor.shape))


def _timed(function: Any) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started
