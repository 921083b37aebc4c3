"""Sixty patients only, ten measurements each: a small network gets by, a large one learns them by heart."""

import keras
from keras import layers
from sklearn.datasets import load_diabetes

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense table"
DATASET = "diabetes"
FIT = {"epochs": 400, "batch_size": 16}


def data(**changes) -> Data:
    return prepare(load_diabetes().data, **{"scaler": "standard", "n_train": 60, **changes})


def build(hidden=(6,), activation="tanh", optimizer="adam", learning_rate=3e-3, initializer="glorot_uniform"):
    dense = {"activation": activation, "kernel_initializer": initializer}
    model = keras.Sequential([keras.Input((10,))])
    for units in hidden:
        model.add(layers.Dense(units, **dense))
    model.add(layers.Dense(2, name="code"))
    for units in reversed(hidden):
        model.add(layers.Dense(units, **dense))
    model.add(layers.Dense(10))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss="mse")
    return model


VARIANTS = {"elu": Variant(build={"activation": "elu"})}
FAULTS = {
    "huge_network": Fault("model.capacity_too_large", build={"hidden": (320, 320)}),
    "rate_1e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-5}),
}
