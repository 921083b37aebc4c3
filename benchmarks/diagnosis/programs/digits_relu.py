"""Digits through a narrow code, every layer a leaky ReLU, at a brisk learning rate."""

import keras
from keras import layers
from sklearn.datasets import load_digits

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense image"
DATASET = "digits"
FIT = {"epochs": 40, "batch_size": 32}


def data(scaler=16.0, **changes) -> Data:
    return prepare(load_digits().data, scaler=scaler, **{"val": False, **changes})


def build(activation="leaky_relu", optimizer="adam", learning_rate=0.01, initializer="glorot_uniform", bias=0.0):
    model = keras.Sequential([keras.Input((64,))])
    for units in (48, 24, 8, 24, 48):
        model.add(
            layers.Dense(
                units,
                activation=activation,
                kernel_initializer=initializer,
                bias_initializer=keras.initializers.Constant(bias),
            )
        )
    model.add(layers.Dense(64))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss="mse")
    return model


VARIANTS = {"elu": Variant(build={"activation": "elu"}), "nadam": Variant(build={"optimizer": "nadam"})}
FAULTS = {
    "relu_everywhere": Fault("model.dead_units", build={"activation": "relu"}),
    "bare_standardising": Fault("data.constant_features", data={"scaler": "bare"}),
    "zero_weights": Fault("model.initialization", build={"initializer": "zeros"}),
    "one_epoch": Fault("optimizer.undertrained", fit={"epochs": 1}),
}
COMPOUNDS = [("zero_weights", "one_epoch")]
