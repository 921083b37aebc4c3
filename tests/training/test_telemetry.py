"""aetfx.training.telemetry: the figures of an epoch, against NumPy, and where they are kept."""

from __future__ import annotations

import numpy as np
import pytest

from aetfx.preprocessing.fit import fit_rows
from aetfx.training import telemetry as telemetry_module
from aetfx.training.checkpoint import Checkpoints
from aetfx.training.store import TrialStore

keras = pytest.importorskip("keras")

from aetfx.models.serial import describe_model  # noqa: E402
from aetfx.training.recipe import Recipe, plain_optimizer  # noqa: E402
from aetfx.training.trial import train  # noqa: E402
from aetfx.training.workshop import Workshop  # noqa: E402

DENSE = keras.layers.Dense
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(120, 4)).astype("float32")


def recipe(*layers, rate=1e-3, epochs=3, optimizer="sgd", batch_size=40) -> Recipe:
    chosen = keras.optimizers.get(optimizer)
    chosen.learning_rate = rate
    source = describe_model(keras.Sequential([keras.Input((4,)), *layers]), (4,))
    return Recipe(source, plain_optimizer(chosen), "mse", epochs, batch_size)


def trained(made, telemetry=True, **settings):
    return train(made, ROWS, fit_rows({}, ROWS), seed=1, workshop=Workshop(), telemetry=telemetry, **settings)


def test_the_length_of_the_gradient_is_that_of_numpy():
    trial = trained(recipe(DENSE(2, use_bias=False), DENSE(4, use_bias=False)))
    down, up = trial.model.get_weights()
    error = ROWS @ down @ up - ROWS
    by_up, by_down = (ROWS @ down).T @ error, ROWS.T @ error @ up.T
    length = np.sqrt(sum(np.square(2 / error.size * part).sum() for part in (by_up, by_down)))
    assert len(trial.telemetry) == 3
    assert trial.telemetry[-1]["gradient_norm"] == pytest.approx(length, rel=1e-4)
    output = ROWS @ down @ up
    assert trial.telemetry[-1]["output_low"] == pytest.approx(output.min(), rel=1e-4)
    assert trial.telemetry[-1]["output_high"] == pytest.approx(output.max(), rel=1e-4)


def test_how_far_weights_move_is_a_part_of_their_length():
    made = recipe(DENSE(2), DENSE(4))
    weights = {}
    for epochs in (1, 2):
        weights[epochs] = trained(made.changed(epochs=epochs)).model.get_weights()
    moved = np.sqrt(sum(np.square(b - a).sum() for a, b in zip(weights[1], weights[2], strict=True)))
    length = np.sqrt(sum(np.square(a).sum() for a in weights[1]))
    assert trained(made.changed(epochs=2)).telemetry[1]["update_ratio"] == pytest.approx(moved / length, rel=1e-4)


def test_dead_and_saturated_units_and_an_unused_code_are_counted():
    dead = keras.initializers.Constant([-99.0, 0.0, 0.0, -99.0, 0.0])
    large = keras.initializers.Constant(50.0)
    made = recipe(
        DENSE(5, "relu", bias_initializer=dead),
        DENSE(3, "tanh", kernel_initializer=large),
        DENSE(2, kernel_initializer=keras.initializers.Constant([[1.0, 0.0]] * 3)),
        DENSE(3, "elu"),
        DENSE(4),
        rate=1e-12,
        epochs=1,
    )
    [figures] = trained(made).telemetry
    assert figures["code_used"] == pytest.approx(0.5)
    assert figures["saturated_share"] > 0.8
    assert 2 / 13 <= figures["dead_share"] < 1


def test_reading_changes_nothing_of_the_training():
    made = recipe(DENSE(6, "relu"), keras.layers.Dropout(0.3), DENSE(2), DENSE(4), optimizer="adam")
    for a, b in zip(trained(made).model.get_weights(), trained(made, False).model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@keras.saving.register_keras_serializable("test_telemetry")
class OwnLoss(keras.Sequential):
    """Weighs its loss as people did before Keras 3.3: without `training`."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        return 2 * super().compute_loss(x, y, y_pred, sample_weight)


def test_a_loss_of_the_models_own_is_read_too():
    chosen = keras.optimizers.SGD(1e-12)
    layers = keras.Input((4,)), DENSE(2, use_bias=False), DENSE(4, use_bias=False)
    norms = []
    for kind in (keras.Sequential, OwnLoss):
        source = describe_model(kind(layers, name="model"), (4,))
        [figures] = trained(Recipe(source, plain_optimizer(chosen), "mse", 1, 40)).telemetry
        norms.append(figures["gradient_norm"])
    assert norms[1] == pytest.approx(2 * norms[0], rel=1e-4)


def test_a_model_that_cannot_be_looked_into_is_trained_all_the_same(monkeypatch):
    def fails(model, rows):
        raise ValueError("no look inside")

    monkeypatch.setattr(telemetry_module, "trace", fails)
    with pytest.warns(UserWarning, match="cannot be read .ValueError: no look inside.; it is trained without"):
        trial = trained(recipe(DENSE(2), DENSE(4)))
    assert len(trial.losses) == 3
    assert set(trial.telemetry[0]) == {"update_ratio"}


def test_an_architecture_is_read_once_for_all_trials_of_a_program(monkeypatch):
    made, workshop, reads = recipe(DENSE(2), DENSE(4), epochs=1), Workshop(), []
    read = telemetry_module.read_architecture
    monkeypatch.setattr(telemetry_module, "read_architecture", lambda *given: reads.append(1) or read(*given))
    for seed in (1, 2):
        train(made, ROWS, fit_rows({}, ROWS), seed=seed, workshop=workshop, telemetry=True)
    assert len(reads) == 1


def test_an_interrupted_training_has_the_same_figures(tmp_path):
    made = recipe(DENSE(6, "relu"), DENSE(2), DENSE(4), optimizer="adam", epochs=5)
    whole = trained(made, "histograms")

    def checkpoints():
        return Checkpoints(tmp_path, "this one", 0.0)

    paused = trained(made, "histograms", checkpoints=checkpoints(), until=2)
    assert paused.paused
    rest = trained(made, "histograms", checkpoints=checkpoints())
    assert rest.telemetry == whole.telemetry
    assert rest.histograms == whole.histograms


def test_histograms_are_those_of_numpy_and_tensorboard_has_them(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    made = recipe(DENSE(6, "relu"), DENSE(2), DENSE(4), epochs=40)
    trial = trained(made, "histograms")
    assert {item.epoch for item in trial.histograms} >= {1, 40}
    assert len({item.epoch for item in trial.histograms}) == 25
    last = [item for item in trial.histograms if item.epoch == 40]
    kernel = trial.model.get_weights()[0]
    counts, edges = np.histogram(kernel, 30)
    assert list(last[0].counts) == counts.tolist()
    assert (last[0].low, last[0].high) == (pytest.approx(edges[0]), pytest.approx(edges[-1]))
    assert sum(last[1].counts) == 6, "biases that are all alike are counted too"
    TrialStore(tmp_path).save(trial, score=0.5)
    [run] = (tmp_path / "tensorboard").glob("*/seed-1")
    events = EventAccumulator(str(run), size_guidance={"tensors": 0}).Reload()
    tags = [tag for tag in events.Tags()["tensors"] if tag.startswith("weights/")]
    assert len(tags) == 6
    assert len(events.Tensors(tags[0])) == 25
    assert not trained(made.changed(epochs=1)).histograms, "they are read on demand"
