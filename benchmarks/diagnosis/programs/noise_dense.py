"""Independent random numbers: no code of eight can do better than 1 - 8/32, and this one does as well as any."""

import keras
from keras import layers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import noise

ARCHITECTURE = "dense table"
DATASET = "noise"
FIT = {"epochs": 30, "batch_size": 32}


def data(**changes) -> Data:
    return prepare(noise(), **changes)


def build(activation="relu", optimizer="adam", learning_rate=1e-3, initializer="glorot_uniform"):
    dense = {"activation": activation, "kernel_initializer": initializer}
    model = keras.Sequential([keras.Input((32,)), layers.Dense(24, **dense), layers.Dense(8), layers.Dense(24, **dense),
                              layers.Dense(32)])  # fmt: skip
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss="mse")
    return model


VARIANTS = {"tanh": Variant(build={"activation": "tanh"})}
FAULTS = {}
