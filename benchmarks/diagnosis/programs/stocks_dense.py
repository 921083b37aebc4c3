"""Twelve weeks of six share prices, relative to the first week, as one flat row."""

import keras
from keras import layers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import stock_windows

ARCHITECTURE = "dense table"
DATASET = "stocks"
FIT = {"epochs": 120, "batch_size": 8}


def data(scaler="pooled", **changes) -> Data:
    rows = stock_windows()
    return prepare(rows.reshape(len(rows), -1), scaler=scaler, **{"val": False, **changes})


def build(activation="tanh", output="linear", optimizer="adam", learning_rate=2e-3, initializer="glorot_uniform"):
    model = keras.Sequential(
        [
            keras.Input((72,)),
            layers.Dense(32, activation=activation, kernel_initializer=initializer),
            layers.Dense(6, kernel_initializer=initializer),
            layers.Dense(32, activation=activation, kernel_initializer=initializer),
            layers.Dense(72, activation=output, kernel_initializer=initializer),
        ]
    )
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss="mse")
    return model


VARIANTS = {"relu": Variant(build={"activation": "relu"})}
FAULTS = {
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
    "sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": 0.001}),
    "rate_1": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 1.0}),
}
COMPOUNDS = [("sigmoid_output", "sgd")]
