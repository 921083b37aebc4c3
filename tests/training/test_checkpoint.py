"""aetfx.training.checkpoint, watcher: a training that was cut off goes on and ends with the same weights."""

from __future__ import annotations

import errno
import functools

import numpy as np
import pytest

from aetfx.errors import RunError
from aetfx.preprocessing.fit import fit_rows
from aetfx.run import cannot_write
from aetfx.training import checkpoint, stopping
from aetfx.training.checkpoint import Checkpoints, Snapshot

keras = pytest.importorskip("keras")

from aetfx.models.serial import describe_model  # noqa: E402
from aetfx.training.recipe import Recipe, plain_optimizer  # noqa: E402
from aetfx.training.trial import train  # noqa: E402
from aetfx.training.workshop import Workshop  # noqa: E402

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(310, 2)) @ RNG.normal(size=(2, 5)) + 0.1 * RNG.normal(size=(310, 5))
DENSE = keras.layers.Dense


@keras.saving.register_keras_serializable("test_checkpoint")
class Secret(keras.layers.Layer):
    """Draws from TensorFlow's own random state, which nobody can read."""

    def call(self, inputs, training=False):
        import tensorflow as tf

        return inputs + 0.1 * tf.random.normal(tf.shape(inputs)) if training else inputs


def recipe(*extra, batch_size=16, epochs=5, optimizer="adam", precision="", **settings) -> Recipe:
    layers = [keras.Input((5,)), DENSE(8, "relu"), *extra, DENSE(2), DENSE(5)]
    source = describe_model(keras.Sequential(layers), (5,))
    if precision:
        source = source.with_precision(precision)
    return Recipe(source, plain_optimizer(optimizer), "mse", epochs, batch_size, **settings)


def run(made, folder=None, workshop=None, **more):
    """Trains, unless one is given in a workshop of its own as a new process would."""
    checkpoints = None if folder is None else Checkpoints(folder, "this one", 0.0)
    score = (lambda predict: float(np.mean((predict(ROWS[:50]) - ROWS[:50]) ** 2))) if made.early_stopping else None
    return train(
        made, ROWS, fit_rows({}, ROWS), seed=3, workshop=workshop or Workshop(), checkpoints=checkpoints, score=score,
        **more,
    )  # fmt: skip


@functools.cache
def whole_of_a_plain_one():
    return run(recipe())


class Killed(Exception):
    """As if the process had ended here."""


def killed_after(epoch):
    def on_epoch(number):
        if number == epoch:
            raise Killed

    return on_epoch


def assert_same(one, other):
    np.testing.assert_array_equal(one.losses, other.losses)
    assert one.scores == other.scores
    assert one.best_epoch == other.best_epoch
    for mine, theirs in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


KINDS = {
    "dense": recipe,
    "dropout": lambda: recipe(keras.layers.Dropout(0.3)),
    "batch norm, momentum": lambda: recipe(
        keras.layers.BatchNormalization(), optimizer=keras.optimizers.SGD(0.05, momentum=0.9)
    ),
    "schedule": lambda: recipe(optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.02, 60))),
    "early stopping": lambda: recipe(early_stopping=True, epochs=6),
    "scaled loss": lambda: recipe(precision="mixed_float16"),
    "several executions an epoch": lambda: recipe(keras.layers.Dropout(0.3), batch_size=1, epochs=3),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_that_was_killed_ends_with_the_same_weights(kind, tmp_path):
    workshop = Workshop()
    whole = run(KINDS[kind](), workshop=workshop)
    with pytest.raises(Exception, match="Killed|stopped"):
        run(KINDS[kind](), tmp_path, workshop=workshop, on_epoch=killed_after(2))
    assert_same(run(KINDS[kind](), tmp_path), whole)


def test_a_stop_within_an_epoch_is_kept_too(tmp_path, monkeypatch):
    """310 updates are two executions; the stop comes after the first."""
    made = recipe(keras.layers.Dropout(0.3), batch_size=1, epochs=2)
    workshop = Workshop()
    whole = run(made, workshop=workshop)
    calls = []
    monkeypatch.setattr(stopping, "asked", lambda: calls.append(1) or len(calls) == 3)
    with pytest.raises(stopping.Stopped):
        run(made, tmp_path, workshop=workshop)
    [newest, *_] = sorted(tmp_path.glob("*.checkpoint"), reverse=True)
    assert newest.stem == "00000001-00000155"
    monkeypatch.setattr(stopping, "asked", lambda: False)
    assert_same(run(made, tmp_path), whole)


def test_a_pause_is_the_beginning_of_the_whole(tmp_path):
    whole, workshop = whole_of_a_plain_one(), Workshop()
    paused = run(recipe(), tmp_path, workshop=workshop, until=2)
    assert paused.paused
    np.testing.assert_array_equal(paused.losses, whole.losses[:2])
    again = run(recipe(), tmp_path, workshop=workshop, until=2)
    assert again.paused, "nothing is left to do"
    np.testing.assert_array_equal(again.losses, paused.losses)
    rest = run(recipe(), tmp_path)
    assert not rest.paused
    assert_same(rest, whole)


@pytest.mark.parametrize("damage", ["cut off", "changed", "empty"])
def test_a_damaged_checkpoint_is_noticed_and_the_one_before_is_used(tmp_path, damage):
    whole, workshop = whole_of_a_plain_one(), Workshop()
    run(recipe(), tmp_path, workshop=workshop, until=3)
    newest, older = sorted(tmp_path.glob("*.checkpoint"), reverse=True)
    content = bytearray(newest.read_bytes())
    if damage == "changed":
        content[len(content) // 2] ^= 0xFF
    newest.write_bytes(content if damage == "changed" else content[: len(content) // 2 if damage == "cut off" else 0])
    epochs = []
    with pytest.warns(UserWarning, match=f"{newest.name} is damaged"):
        found = run(recipe(), tmp_path, workshop=workshop, on_epoch=epochs.append)
    assert epochs == [3, 4, 5], f"goes on from {older.name}"
    assert_same(found, whole)


def test_a_full_disk_is_no_fault_of_the_configuration(tmp_path, monkeypatch):
    def full(path, content):
        raise cannot_write(path, OSError(errno.ENOSPC, "No space left on device"))

    monkeypatch.setattr(checkpoint, "write_bytes", full)
    with pytest.raises(RunError, match="no space left to write"):
        run(recipe(epochs=2), tmp_path)


def test_checkpoints_of_another_training_are_not_used(tmp_path):
    one, other = Checkpoints(tmp_path, ["a", 1], 0.0), Checkpoints(tmp_path, ["a", 2], 0.0)
    one.save(Snapshot(1, 0, [np.ones(3)], [0.5, float("nan")], {1: 0.25}))
    assert other.latest() is None
    assert one.latest({2}) is not None
    assert one.latest({1}).scores == {1: 0.25}
    one.save(Snapshot(2, 0, [np.ones(3)], [0.5]))
    assert one.latest({1}).epoch == 1, "the newer one lacks a score that is asked for"
    np.testing.assert_array_equal(one.latest().variables, [np.ones(3)])
    assert np.isnan(one.latest({1}).losses[1])
    one.clear()
    assert one.latest() is None


def test_what_draws_in_secret_is_trained_from_the_start(tmp_path):
    run(recipe(Secret()), tmp_path, until=2)
    assert not list(tmp_path.glob("*.checkpoint"))
