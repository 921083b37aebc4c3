"""aetfx.training.execution: programs of many updates come to what one update after the other comes to."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from aetfx.preprocessing.fit import fit_rows
from aetfx.training import stopping
from aetfx.training.checkpoint import Checkpoints

keras = pytest.importorskip("keras")

from aetfx.models.families import build as build_family  # noqa: E402
from aetfx.models.serial import describe_model  # noqa: E402
from aetfx.training import execution  # noqa: E402
from aetfx.training import trial as trials  # noqa: E402
from aetfx.training.range_test import range_test  # noqa: E402
from aetfx.training.recipe import Recipe, plain_optimizer  # noqa: E402
from aetfx.training.trial import train  # noqa: E402
from aetfx.training.workshop import Workshop  # noqa: E402

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(607, 2)) @ RNG.normal(size=(2, 5)) + 0.1 * RNG.normal(size=(607, 5))
DENSE = keras.layers.Dense


@keras.saving.register_keras_serializable("test_execution")
class Own(keras.layers.Layer):
    def call(self, inputs):
        return inputs


def recipe(*extra, batch_size=2, epochs=2) -> Recipe:
    layers = [keras.Input((5,)), DENSE(8, "relu"), *extra, DENSE(2), DENSE(5)]
    return Recipe(describe_model(keras.Sequential(layers), (5,)), plain_optimizer("adam"), "mse", epochs, batch_size)


def fit(made, **more):
    return train(made, ROWS, fit_rows({}, ROWS), seed=3, jit=True, **more)


def assert_same(one, other):
    np.testing.assert_array_equal(one.losses, other.losses)
    for mine, theirs in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def noisy(**more) -> Recipe:
    return recipe(keras.layers.Dropout(0.3), keras.layers.BatchNormalization(), **more)


@pytest.mark.parametrize(
    ("made", "targets"),
    [
        (noisy, None),  # 304 updates: two executions an epoch, and one row left over
        (lambda: recipe(batch_size=607), ROWS + 0.5),
        (lambda: recipe(batch_size=1000), None),
    ],
    ids=["several executions", "one batch", "less than a batch"],
)
def test_a_program_comes_to_the_same_bits_as_its_single_updates(made, targets, monkeypatch):
    workshop = Workshop()
    whole = fit(made(), targets=targets, workshop=workshop)
    [bench] = workshop._benches.values()
    assert bench.execution is not None
    assert int(bench.model.optimizer.iterations) == 2 * -(-607 // made().batch_size)
    for _ in range(2):  # the first reads an architecture and compiles, the second finds that done
        assert_same(fit(made(), targets=targets, workshop=workshop, telemetry=True), whole)

    real = trials.run_epochs
    monkeypatch.setattr(trials, "run_epochs", lambda *args, **more: real(*args, **{**more, "execution": None}))
    assert_same(fit(made(), targets=targets, workshop=workshop), whole)


@pytest.mark.parametrize(
    "optimizer",
    [
        "adam",
        keras.optimizers.SGD(0.1, clipnorm=0.01),
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(0.001, 400), weight_decay=0.1),
    ],
    ids=["plain", "clipped", "decayed and scheduled"],
)
def test_where_products_are_large_only_the_optimizer_is_compiled(optimizer, monkeypatch):
    monkeypatch.setattr(execution, "_LARGE_PRODUCTS", 0)
    made = recipe(keras.layers.BatchNormalization()).changed(optimizer=plain_optimizer(optimizer))
    workshop = Workshop()
    ours = fit(made, workshop=workshop)
    assert_same(fit(made, workshop=workshop), ours)
    plain = train(made, ROWS, fit_rows({}, ROWS), seed=3)
    np.testing.assert_allclose(ours.losses, plain.losses, rtol=1e-5)
    for mine, theirs in zip(ours.model.get_weights(), plain.model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("layer", "tolerance"),
    [
        (keras.layers.LSTM(3), 1e-5),
        (keras.layers.Bidirectional(keras.layers.GRU(3, kernel_regularizer="l2")), 1e-5),
        (keras.layers.SimpleRNN(3, go_backwards=True), 1e-5),
        (keras.layers.LSTM(3, dropout=0.2, recurrent_dropout=0.1), None),  # XLA draws other numbers
    ],
    ids=["lstm", "both ways", "backwards", "dropout"],
)
def test_recurrent_layers_come_to_what_tensorflow_makes_of_them(layer, tolerance):
    layers = [keras.layers.Reshape((8, 1)), keras.layers.Masking(0.0), layer]
    made = recipe(*layers, batch_size=32, epochs=3)
    workshop = Workshop()
    ours = fit(made, workshop=workshop)
    [bench] = workshop._benches.values()
    assert bench.execution is not None
    assert_same(fit(made, workshop=workshop), ours)
    plain = train(made, ROWS, fit_rows({}, ROWS), seed=3)
    if tolerance is None:
        assert ours.losses[-1] < ours.losses[0]
        return
    np.testing.assert_allclose(ours.losses, plain.losses, rtol=tolerance)
    for mine, theirs in zip(ours.model.get_weights(), plain.model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("batch_size", [2, 100])
def test_a_range_test_of_programs_comes_to_the_same(batch_size):
    made, rates, workshop = recipe(batch_size=batch_size), [1e-4, 1e-2, 1e6], Workshop()
    found = range_test(made, ROWS, fit_rows({}, ROWS), rates, seed=0, workshop=workshop, jit=True)
    [bench] = workshop._benches.values()
    assert bench.execution is not None
    plain = range_test(made, ROWS, fit_rows({}, ROWS), rates, seed=0)
    assert list(found) == rates
    assert found[1e-2] < found[1e-4] < found[1e6]
    np.testing.assert_allclose([found[rate] for rate in rates[:2]], [plain[rate] for rate in rates[:2]], rtol=1e-4)


@pytest.mark.parametrize("large", [execution._LARGE_PRODUCTS, 0], ids=["one program", "optimizer compiled"])
def test_a_stop_between_two_programs_goes_on_with_the_second(tmp_path, monkeypatch, large):
    monkeypatch.setattr(execution, "_LARGE_PRODUCTS", large)
    workshop = Workshop()
    whole = fit(noisy(), workshop=workshop)
    calls = []
    monkeypatch.setattr(stopping, "asked", lambda: calls.append(1) or len(calls) == 3)
    with pytest.raises(stopping.Stopped):
        fit(noisy(), workshop=workshop, checkpoints=Checkpoints(tmp_path, "key", 0.0))
    assert max(path.stem for path in tmp_path.glob("*.checkpoint")) == "00000001-00000152"
    monkeypatch.setattr(stopping, "asked", lambda: False)
    assert_same(fit(noisy(), workshop=workshop, checkpoints=Checkpoints(tmp_path, "key", 0.0)), whole)


def test_what_is_compiled():
    workshop = Workshop()
    family = {"hidden": [8], "bottleneck": 2}
    made = Recipe(describe_model(build_family("vae", (5,), family), (5,)), plain_optimizer("adam"), "mse", 1, 8)
    assert made.source.objects, "layers of ours"
    assert workshop.can_jit(made)
    assert not workshop.can_jit(recipe(Own())), "nobody knows whether XLA can"
    assert not workshop.can_jit(recipe(keras.layers.Reshape((8, 1)), keras.layers.Conv1D(1, 3), keras.layers.Flatten()))
    assert workshop.can_jit(recipe(keras.layers.Reshape((8, 1)), keras.layers.LSTM(3)))
    assert not workshop.can_jit(recipe(keras.layers.Reshape((8, 1)), keras.layers.LSTM(3, unroll=True)))


def test_the_compiler_starts_without_a_word():
    script = (
        "import tensorflow as tf; from aetfx.training.execution import Execution; Execution(None, 0);"
        "tf.function(lambda x: x * 2, jit_compile=True)(tf.constant(1.0))"
    )
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
