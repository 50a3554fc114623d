"""Work is counted, not guessed: on networks whose multiply-adds can be worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.floor import Machine, Work, count_work

BATCH, LENGTH, CHANNELS = 4, 10, 3


def compiled(layers: list[Any]) -> Any:
    from gwas_core.model.backend import import_keras

    keras = import_keras()
    model = keras.Sequential([keras.Input((LENGTH, CHANNELS)), *layers])
    model.compile(optimizer="sgd", loss="mean_squared_error")
    return model


def test_a_dense_layer_multiplies_forward_and_for_its_weights() -> None:
    from keras import layers

    model = compiled([layers.Flatten(), layers.Dense(7, use_bias=False), layers.Dense(1, use_bias=False)])
    work = count_work(model, np.zeros((BATCH, LENGTH, CHANNELS), np.float32), np.zeros((BATCH, 1), np.float32))
    first, second = BATCH * LENGTH * CHANNELS * 7, BATCH * 7
    # Nobody asks for the gradient of the input, so the first layer works twice and the second three times.
    assert work.multiply_adds == 2 * first + 3 * second
    assert work.bytes > 4 * 7 * (LENGTH * CHANNELS * 7 + 7)  # what Adam alone moves


def test_a_convolution_is_counted_by_its_kernel() -> None:
    from keras import layers

    model = compiled(
        [
            layers.Conv1D(5, 4, strides=2, padding="valid", use_bias=False),
            layers.Flatten(),
            layers.Dense(1, use_bias=False),
        ]
    )
    work = count_work(model, np.zeros((BATCH, LENGTH, CHANNELS), np.float32), np.zeros((BATCH, 1), np.float32))
    places = 4  # (10 - 4) / 2 + 1
    assert work.multiply_adds == 2 * (BATCH * places * 5 * 4 * CHANNELS) + 3 * (BATCH * places * 5)


@pytest.mark.parametrize(("multiply_adds", "moved", "seconds"), [(10.0, 1.0, 5.0), (1.0, 30.0, 10.0)])
def test_the_floor_is_the_larger_of_the_two(multiply_adds: float, moved: float, seconds: float) -> None:
    work = Work(multiply_adds=multiply_adds, bytes=moved)
    assert work.seconds(Machine(multiply_adds=2.0, bytes=3.0)) == seconds
