"""Iris: four measurements through two numbers, standardised."""

import keras
from sklearn.datasets import load_iris

from benchmarks.diagnosis.damage import Rescaled
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense table"
DATASET = "iris"
FIT = {"epochs": 80, "batch_size": 8}


def data(scaler="standard", **changes) -> Data:
    return prepare(load_iris().data, scaler=scaler, **changes)


def build(
    activation="tanh", output="linear", optimizer="adam", learning_rate=5e-3, loss="mse", initializer="glorot_uniform"
):
    inputs = keras.layers.Input(shape=(4,))
    x = keras.layers.Dense(12, activation=activation, kernel_initializer=initializer)(inputs)
    x = keras.layers.Dense(2, name="bottleneck")(x)
    x = keras.layers.Dense(12, activation=activation, kernel_initializer=initializer)(x)
    model = keras.Model(inputs=inputs, outputs=keras.layers.Dense(4, activation=output)(x))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "elu": Variant(build={"activation": "elu"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
}
FAULTS = {
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
    "targets_x10": Fault("code.target_mismatch", data={"target": Rescaled(10.0)}),
    "rate_1": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 1.0}),
    "five_epochs": Fault("optimizer.undertrained", fit={"epochs": 5}),
    "adagrad": Fault("optimizer.choice", build={"optimizer": "adagrad", "learning_rate": None}),
    "relu_output": Fault("model.output_activation", build={"output": "relu"}),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 90}),
    "rate_1e-4": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-4}),
}
COMPOUNDS = [("sigmoid_output", "adagrad")]
