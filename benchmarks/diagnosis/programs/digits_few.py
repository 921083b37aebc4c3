"""Digits with a strong bottleneck; with sixty pictures of 1,437, or a huge network, it learns by heart."""

import keras
from keras import layers
from sklearn.datasets import load_digits

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense image"
DATASET = "digits"
FIT = {"epochs": 30, "batch_size": 32}


def data(**changes) -> Data:
    return prepare(load_digits().data, **{"scaler": 16.0, **changes})


def build(width=64, activation="relu", optimizer="adam", learning_rate=3e-3, initializer="glorot_uniform"):
    dense = {"activation": activation, "kernel_initializer": initializer}
    model = keras.Sequential([keras.Input((64,)), layers.Dense(width, **dense), layers.Dense(10),
                              layers.Dense(width, **dense), layers.Dense(64)])  # fmt: skip
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss="mse")
    return model


VARIANTS = {"elu": Variant(build={"activation": "elu"})}
FAULTS = {
    "eighty_rows": Fault("data.too_few_rows", data={"n_train": 80}, fit={"epochs": 400}),
    "rate_5e-6": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 5e-6}),
}
COMPOUNDS = []
