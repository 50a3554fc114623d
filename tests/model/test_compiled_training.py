from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gwas_core.genotypes.dataset import Dataset
from gwas_core.genotypes.splits import Split
from gwas_core.model.backend import import_keras
from gwas_core.model.networks import parse_network
from gwas_core.model.trainer import Trainer


@pytest.fixture(scope="module")
def compiled_training() -> Any:
    import_keras()
    from gwas_core.model import compiled_training

    return compiled_training


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize(("length", "width", "channels"), [(57, 20, 3), (64, 3, 5), (9, 4, 1), (40, 1, 2), (5, 20, 2)])
def test_patches_give_keras_convolution_and_its_gradients(
    compiled_training: Any, length: int, width: int, channels: int, xla: bool
) -> None:
    import tensorflow as tf

    keras = import_keras()
    options = {"padding": "same", "activation": "elu", "bias_initializer": "random_normal"}
    wanted, found = keras.layers.Conv1D(6, width, **options), compiled_training.PatchConv1D(6, width, **options)
    inputs = tf.constant(np.random.default_rng(0).normal(size=(4, length, channels)).astype(np.float32))
    wanted(inputs), found(inputs)
    found.set_weights(wanted.get_weights())

    def gradients(layer: Any) -> Any:
        def run() -> Any:
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                outputs = layer(inputs)
                loss = tf.reduce_sum(tf.sin(outputs))
            return outputs, tape.gradient(loss, [inputs, *layer.trainable_variables])

        return tf.nest.flatten(tf.function(run, jit_compile=xla, autograph=False)())

    for one, other in zip(gradients(wanted), gradients(found), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("xla", [False, True])
def test_a_convolution_is_a_product_over_patches_where_xla_compiles_it(compiled_training: Any, xla: bool) -> None:
    import tensorflow as tf

    layer = compiled_training.VariableLayerFactory({}, xla=xla).convolution(6, 20, activation="elu")
    inputs = tf.random.stateless_normal((4, 57, 3), seed=(1, 2))
    layer(inputs)
    operations = {
        operation.type for operation in tf.function(layer).get_concrete_function(inputs).graph.get_operations()
    }
    assert ("Conv2D" in operations) is not xla
    assert ("MatMul" in operations or "BatchMatMulV2" in operations) is xla


def test_elu_and_its_gradient_are_keras_own(compiled_training: Any) -> None:
    import tensorflow as tf

    keras = import_keras()
    values = tf.constant([-80.0, -3.0, -1e-3, -1e-8, 0.0, 1e-8, 0.5, 80.0])

    def value_and_slope(function: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(values)
            outputs = function(values)
        return outputs, tape.gradient(outputs, values)

    found, wanted = value_and_slope(compiled_training._elu), value_and_slope(keras.activations.elu)
    np.testing.assert_allclose(found, wanted, atol=2e-7)


@pytest.mark.parametrize("shape", [(7,), (5, 1), (30, 11, 4)])
def test_penalties_are_keras_own(compiled_training: Any, shape: tuple[int, ...]) -> None:
    import tensorflow as tf

    values = tf.random.stateless_normal(shape, seed=(1, 2))
    found = compiled_training.VariablePenalty(tf.constant(0.3), tf.constant(0.2))(values)
    np.testing.assert_allclose(found, import_keras().regularizers.L1L2(l1=0.3, l2=0.2)(values), rtol=1e-5)


@pytest.mark.parametrize("xla", [False, True])
def test_dropout_drops_at_its_rate_and_keeps_the_mean(compiled_training: Any, xla: bool) -> None:
    import tensorflow as tf

    rate = tf.Variable(0.3)
    layer = compiled_training.VariableDropout(rate)
    run = tf.function(lambda values: layer(values, training=True), jit_compile=xla)
    ones = tf.ones((200, 500))
    first, second = run(ones).numpy(), run(ones).numpy()
    dropped = first == 0
    assert dropped.mean() == pytest.approx(0.3, abs=0.006)  # four standard errors
    assert first.mean() == pytest.approx(1.0, abs=0.009)
    # Neither in rows, nor in columns, nor from one step to the next do places go together.
    for other in (np.roll(dropped, 1, axis=0), np.roll(dropped, 1, axis=1), second == 0):
        assert abs(np.corrcoef(dropped.ravel(), other.ravel())[0, 1]) < 0.013
    rate.assign(0.0)
    np.testing.assert_array_equal(run(ones), ones)
    np.testing.assert_array_equal(layer(ones, training=False), ones)


@pytest.mark.parametrize("name", ["hybrid", "tutorial"])
def test_another_trial_of_the_same_shapes_is_not_compiled_anew(
    compiled_training: Any, name: str, dataset: Dataset, split: Split
) -> None:
    def train(**values: Any) -> tuple[Any, dict[str, float]]:
        network, chosen = parse_network({"network": name, "batch_size": 16, **values})
        trainer = Trainer(dataset, split.train, network, chosen, seed=3, xla=False)
        trainer.epoch()
        return trainer, trainer.epoch()

    _, first = train(learning_rate=1e-3)
    known = dict(compiled_training._kept)
    other, second = train(learning_rate=1e-4, dropout_rate=0.1)
    assert dict(compiled_training._kept) == known
    used = next(reversed(known.values()))
    assert used._epoch.experimental_get_tracing_count() == 1
    assert second["loss"] != first["loss"]
    # And nothing of the trial between is left in it.
    _, again = train(learning_rate=1e-3)
    assert again == first
    # A network of Keras's own layers takes its weights, and predicts what the program does.
    other.finish(other.get_weights())
    lines = dataset.genotypes[split.validation]
    plain = other.standardisation.unstandardise(other.model.predict(lines, verbose=0)[:, 0])
    np.testing.assert_allclose(plain, other.predict(lines), rtol=1e-4, atol=1e-4)


def test_few_programs_are_kept(compiled_training: Any, dataset: Dataset, split: Split) -> None:
    for units in range(1, compiled_training._MOST_KEPT + 3):
        network, chosen = parse_network({"network": "tutorial", "num_dense_units": units, "num_dense_layers": 0})
        Trainer(dataset, split.train, network, chosen, seed=0, xla=False)
    assert len(compiled_training._kept) == compiled_training._MOST_KEPT
