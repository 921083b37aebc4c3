"""Points on a curved sheet in twenty dimensions through two numbers: the code must bend."""

import keras
from keras import layers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import curve

ARCHITECTURE = "dense table"
DATASET = "curved sheet"
FIT = {"epochs": 80, "batch_size": 32}


def data(**changes) -> Data:
    return prepare(curve(), **changes)


def build(
    width=48, activation="silu", output="linear", optimizer="adam", learning_rate=5e-3, initializer="glorot_uniform"
):
    dense = {"activation": activation, "kernel_initializer": initializer}
    model = keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dense(width, **dense),
            layers.Dense(width, **dense),
            layers.Dense(2, name="code"),
            layers.Dense(width, **dense),
            layers.Dense(width, **dense),
            layers.Dense(20, activation=output),
        ]
    )
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss="mse")
    return model


FAULTS = {
    "linear": Fault("model.linear_activations", build={"activation": "linear"}),
    "narrow": Fault("model.capacity_too_small", build={"width": 3}),
    "zero_weights": Fault("model.initialization", build={"initializer": "zeros"}),
    "six_epochs": Fault("optimizer.undertrained", fit={"epochs": 6}),
    "sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": None}),
    "relu_output": Fault("model.output_activation", build={"output": "relu"}),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 1200}),
    "rate_1e-4": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-4}),
}
COMPOUNDS = [("linear", "six_epochs")]
