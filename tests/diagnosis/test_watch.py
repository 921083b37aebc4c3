"""aetfx.diagnosis.watch: real trainings that fail in known ways, and some that do not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import aetfx
from aetfx.diagnosis.causes import REGISTRY
from aetfx.diagnosis.watch import SYMPTOMS
from aetfx.errors import DataError, StudyError

ROOT = Path(__file__).resolve().parents[2]
RNG = np.random.default_rng(0)
ROWS = (RNG.normal(size=(600, 3)) @ RNG.normal(size=(3, 10)) + 0.1 * RNG.normal(size=(600, 10))).astype("float32")


def build(output="linear", **hidden):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((10,)),
            layers.Dense(16, "relu", **hidden),
            layers.Dense(3),
            layers.Dense(16, "relu"),
            layers.Dense(10, output),
        ]
    )


def train(model, watch, rows=ROWS, *, optimizer="adam", loss="mse", epochs=12, batch_size=32, verbose=0):
    model.compile(optimizer, loss)
    model.fit(rows, rows, epochs=epochs, batch_size=batch_size, verbose=verbose, callbacks=[watch])
    return {symptom.name: symptom for symptom in watch.symptoms}


class Noise(layers.Layer):
    """Noise that does not ask whether the model is being trained."""

    def call(self, inputs):
        return inputs + 0.1 * keras.random.normal(keras.ops.shape(inputs))


def said_nothing(line):
    raise AssertionError(f"nothing should be said here: {line}")


def test_a_healthy_training_is_left_in_peace():
    watch = aetfx.Watch(ROWS, say=said_nothing)
    assert train(build(), watch, optimizer=keras.optimizers.Adam(0.01), epochs=60) == {}
    assert watch.seconds > 0


def test_the_training_is_the_same_with_and_without():
    def noisy():
        """Draws numbers in inference too, by Keras's global seed generator."""
        rows = keras.Input((10,))
        code = layers.Dropout(0.1)(layers.Dense(6, "relu")(rows))
        return keras.Model(rows, layers.Dense(10)(Noise()(code)))

    for make in (build, noisy, Vae):
        results = []
        for callbacks in ([], [aetfx.Watch(ROWS, say=lambda line: None)]):
            keras.backend.clear_session()
            keras.utils.set_random_seed(1)
            model = make()
            model.compile(optimizer="adam", loss="mse")
            history = model.fit(ROWS, ROWS, epochs=3, verbose=0, callbacks=callbacks)
            results.append((next(iter(history.history.values())), model.get_weights()))
        assert results[0][0] == results[1][0]
        for without, watched in zip(results[0][1], results[1][1], strict=True):
            np.testing.assert_array_equal(without, watched)


def test_a_rate_that_is_too_low():
    for probe in (None, ROWS):
        found = train(build(), aetfx.Watch(probe, say=print), optimizer=keras.optimizers.Adam(1e-6))
        assert found["hardly_moving"].suggests == "optimizer.learning_rate_too_low"
        assert found["hardly_moving"].epoch == 12
        assert ("at_the_mean" in found) is (probe is not None)


def test_an_optimizer_that_does_not_move():
    found = train(build(), aetfx.Watch(ROWS, say=print), optimizer="adadelta")
    assert found["hardly_moving"].suggests == "optimizer.choice"
    assert found["at_the_mean"].suggests == "optimizer.choice"


def test_a_loss_that_jumps_or_rises_is_told_once_while_training_goes_on():
    lines = []
    watch = aetfx.Watch(say=lines.append)
    model = build()
    found = train(model, watch, optimizer=keras.optimizers.Adam(0.5), epochs=30)
    unsteady = {"rising", "oscillating"} & set(found)
    assert unsteady | ({"dead_units"} & set(found))
    assert all(found[name].suggests == "optimizer.learning_rate_too_high" for name in unsteady)
    assert len(lines) == len(watch.symptoms)
    assert len(model.history.epoch) == 30, "it never stops a training by itself"


def test_nan_stops_only_where_asked():
    rows = ROWS * 1000
    for stop_on, epochs in (((), 5), ("nan", 1)):
        lines = []
        model = build()
        watch = aetfx.Watch(rows, stop_on=stop_on, say=lines.append)
        found = train(model, watch, rows, optimizer=keras.optimizers.SGD(1.0), epochs=5)
        assert found["nan"].suggests == "optimizer.learning_rate_too_high"
        assert "the weights of 'dense" in found["nan"].message
        assert len(model.history.epoch) == epochs
        assert ("Training stops here" in lines[-1]) is bool(stop_on)


def test_one_nan_cell_is_seen_before_training_and_named():
    rows = ROWS.copy()
    rows[3, 3] = np.nan
    found = train(build(), aetfx.Watch(rows, say=print), rows, epochs=2)
    assert (found["missing"].epoch, found["missing"].suggests) == (0, "data.missing")
    assert found["nan"].suggests == "data.missing"


@pytest.mark.parametrize("probe", [None, ROWS])
def test_units_that_are_dead(probe):
    model = build(bias_initializer=keras.initializers.Constant(-50.0))
    found = train(model, aetfx.Watch(probe, say=print), epochs=4)
    assert found["dead_units"].suggests == "model.dead_units"
    assert found["dead_units"].message.startswith("16 of 16 units of 'dense")


def test_an_output_that_cannot_reach_the_rows():
    found = train(build("sigmoid"), aetfx.Watch(ROWS, say=print), epochs=1)
    assert (found["output_range"].epoch, found["output_range"].suggests) == (0, "model.output_activation")
    pixels = np.abs(ROWS) * 60
    found = train(build("sigmoid"), aetfx.Watch(pixels, say=print), pixels, epochs=1)
    assert found["output_range"].suggests == "data.scaling"


def test_cross_entropy_below_zero():
    found = train(build("sigmoid"), aetfx.Watch(say=print), loss="binary_crossentropy", epochs=8)
    assert found["negative"].suggests == "loss.mismatch"
    assert "still_falling" not in found


def test_unlike_scales():
    found = train(build(), aetfx.Watch(ROWS * np.array([1] * 9 + [1000]), say=print), epochs=1)
    assert found["unlike_scales"].suggests == "data.scaling"
    found = train(build(), aetfx.Watch(ROWS * 100, say=print), epochs=1, optimizer="sgd")
    assert "plain SGD" in found["unlike_scales"].message


def test_batches_and_the_call_to_verify():
    lines = []
    found = train(build(), aetfx.Watch(say=lines.append), batch_size=600, epochs=2)
    assert found["large_batch"].suggests == "optimizer.batch_size"
    assert lines[0].endswith("to verify: aetfx.diagnose(model, x_train, epochs=2, batch_size=600)")
    assert lines[0].startswith("aetfx.Watch: epoch 1: a batch of 600 of 600 train rows: 1 update per epoch")
    norm = keras.Sequential([keras.Input((10,)), layers.Dense(8), layers.BatchNormalization(), layers.Dense(10)])
    found = train(norm, aetfx.Watch(say=print), ROWS[:100], batch_size=2, epochs=1)
    assert found["batch_norm"].message == "batch normalisation over batches of 2 rows"


def test_still_falling():
    found = train(build(), aetfx.Watch(say=print), epochs=10)
    assert found["still_falling"].suggests == "optimizer.undertrained"


def test_one_watch_for_two_trainings_starts_anew():
    watch = aetfx.Watch(say=print)
    assert "negative" in train(build("sigmoid"), watch, loss="binary_crossentropy", epochs=8)
    assert "negative" not in train(build(), watch, epochs=2)


class Vae(keras.Model):
    """A variational autoencoder with a train_step of its own that reports its loss under another name."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = layers.Dense(6), layers.Dense(10)
        self.total = keras.metrics.Mean(name="total_loss")
        self.seeds = keras.random.SeedGenerator(0)

    @property
    def metrics(self):
        return [self.total]

    def call(self, inputs):
        mean, log_variance = keras.ops.split(self.encoder(inputs), 2, axis=-1)
        noise = keras.random.normal(keras.ops.shape(mean), seed=self.seeds)
        return self.decoder(mean + keras.ops.exp(log_variance / 2) * noise)

    def train_step(self, data):
        import tensorflow as tf

        rows = data[0] if isinstance(data, tuple) else data
        with tf.GradientTape() as tape:
            loss = keras.ops.mean(keras.ops.square(rows - self(rows, training=True)))
        self.optimizer.apply_gradients(
            zip(tape.gradient(loss, self.trainable_weights), self.trainable_weights, strict=True)
        )
        self.total.update_state(loss)
        return {"total_loss": self.total.result()}


def test_a_train_step_of_ones_own():
    model = Vae()
    watch = aetfx.Watch(ROWS, say=print)
    model.compile(optimizer=keras.optimizers.Adam(1e-6))
    model.fit(ROWS, epochs=6, verbose=0, callbacks=[watch])
    found = {symptom.name: symptom for symptom in watch.symptoms}
    assert found["hardly_moving"].suggests == "optimizer.learning_rate_too_low"


def test_a_model_that_probe_rows_do_not_go_through_is_said_once():
    class Two(Vae):
        def call(self, inputs, training=False):
            if not training:
                raise ValueError("only for training\nand more")
            return super().call(inputs)

    lines = []
    model = Two()
    model.compile(optimizer="adam")
    model.fit(ROWS, epochs=3, verbose=0, callbacks=[aetfx.Watch(ROWS, say=lines.append)])
    assert [line for line in lines if "do not go through this model (only for training)" in line] == lines[:1]
    assert len([line for line in lines if "only loss and weights" in line]) == 1


def test_lines_do_not_break_the_progress_bar(capfd):
    train(build("sigmoid"), aetfx.Watch(ROWS), epochs=2, verbose=2)
    captured = capfd.readouterr()
    assert captured.err.count("aetfx.Watch:") == 1
    assert captured.err.startswith("aetfx.Watch: before training: ")
    assert "aetfx" not in captured.out


def test_mistakes_are_said_before_training():
    with pytest.raises(StudyError, match="unknown symptom 'nann'. Did you mean 'nan'"):
        aetfx.Watch(stop_on=("nann",))
    with pytest.raises(StudyError, match=r"diagnosis.thresholds: unknown key 'risee'"):
        aetfx.Watch(thresholds={"risee": 2.0})
    for wrong in (np.arange(5), "rows.npy", np.array([["a", "b"], ["c", "d"]])):
        with pytest.raises(DataError, match=r"Watch\(x\): must be rows of numbers"):
            aetfx.Watch(wrong)


def test_every_suggestion_is_a_cause_with_an_experiment():
    text = (ROOT / "aetfx" / "diagnosis" / "watch.py").read_text() + (
        ROOT / "aetfx" / "diagnosis" / "probe.py"
    ).read_text()
    named = set(re.findall(r'"((?:data|model|loss|optimizer)\.[a-z_]+)"', text))
    assert len(named) >= 8
    assert named <= set(REGISTRY)
    assert all(f'"{name}"' in text for name in SYMPTOMS)


def test_two_replicas_count_rows_and_batches_once():
    script = (
        "import tensorflow as tf, numpy as np\n"
        "tf.config.set_logical_device_configuration(\n"
        "    tf.config.list_physical_devices('CPU')[0], [tf.config.LogicalDeviceConfiguration()] * 2)\n"
        "import keras, aetfx\n"
        "rows = np.random.default_rng(0).normal(size=(200, 4)).astype('float32')\n"
        "with tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1']).scope():\n"
        "    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, 'relu', bias_initializer="
        "keras.initializers.Constant(-50.0)), keras.layers.Dense(4)])\n"
        "    model.compile('adam', 'mse')\n"
        "watch = aetfx.Watch(rows)\n"
        "model.fit(rows, rows, epochs=2, batch_size=100, verbose=0, callbacks=[watch])\n"
        "print([s.name for s in watch.symptoms])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "a batch of 100 of 200 train rows: 2 updates per epoch" in done.stderr
    assert "do not go through" not in done.stderr
    assert "no longer" not in done.stderr
    assert "large_batch" in done.stdout
    assert "dead_units" in done.stdout
