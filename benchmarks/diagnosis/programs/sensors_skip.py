"""The sensors again, with residual connections in encoder and decoder; the plant's log has gaps in real life."""

import keras
from keras import layers

from benchmarks.diagnosis.damage import Marked, Spikes, Stuck
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import sensors

ARCHITECTURE = "skip connections"
DATASET = "sensors"
FIT = {"epochs": 35, "batch_size": 32}


def data(scaler="standard", **changes) -> Data:
    return prepare(sensors(1400, 16), scaler=scaler, **changes)


def load(rows):
    return rows[:, 2] / rows[:, 2].std() - rows[:, 5] / rows[:, 5].std()


def block(x, units, activation, initializer):
    inner = layers.Dense(units, activation=activation, kernel_initializer=initializer)(x)
    inner = layers.Dense(units, kernel_initializer=initializer)(inner)
    return layers.Activation(activation)(layers.Add()([x, inner]))


def build(
    columns=16, activation="tanh", output="linear", optimizer="adam", learning_rate=4e-3, loss="mse",
    initializer="lecun_normal",
):  # fmt: skip
    inputs = keras.Input((columns,))
    x = block(layers.Dense(32)(inputs), 32, activation, initializer)
    x = layers.Dense(4, name="code")(x)
    x = block(layers.Dense(32)(x), 32, activation, initializer)
    model = keras.Model(inputs, layers.Dense(columns, activation=output)(x))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {"nadam": Variant(build={"optimizer": "nadam"})}
FAULTS = {
    "empty_cells": Fault("data.missing", data={"damage": Marked(0.02, float("nan"), every=4)}),
    "stuck_sensors": Fault("data.constant_features", data={"damage": Stuck(10, 0.02)}, build={"columns": 26}),
    "spikes": Fault("data.outliers", data={"damage": Spikes(0.004, 50.0)}),
    "half_the_plant": Fault("data.train_eval_shift", data={"train_first": load}),
    "rate_0.3": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.3}),
}
COMPOUNDS = [("empty_cells", "rate_0.3")]
