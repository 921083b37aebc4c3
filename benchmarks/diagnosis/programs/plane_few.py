"""Eighty rows in eight of twenty dimensions through three numbers; a deep and wide network learns them by heart."""

import keras
from keras import layers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import plane

ARCHITECTURE = "dense table"
DATASET = "plane"
FIT = {"epochs": 300, "batch_size": 16}


def data(**changes) -> Data:
    return prepare(plane(800, 20, 8), **{"scaler": "standard", "n_train": 80, **changes})


def build(hidden=(6,), activation="silu", optimizer="adam", learning_rate=1e-3, initializer="glorot_uniform"):
    dense = {"activation": activation, "kernel_initializer": initializer}
    inputs = keras.Input((20,))
    x = inputs
    for units in hidden:
        x = layers.Dense(units, **dense)(x)
    x = layers.Dense(3, name="code")(x)
    for units in reversed(hidden):
        x = layers.Dense(units, **dense)(x)
    model = keras.Model(inputs, layers.Dense(20)(x))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss="mse")
    return model


VARIANTS = {"elu": Variant(build={"activation": "elu"})}
FAULTS = {
    "huge_network": Fault("model.capacity_too_large", build={"hidden": (256, 256)}),
    "twenty_rows": Fault("data.too_few_rows", data={"n_train": 20}, fit={"epochs": 450}),
}
