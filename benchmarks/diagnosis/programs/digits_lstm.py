"""Digits read row by row: an LSTM encoder, its last state repeated, an LSTM decoder."""

import keras
from keras import layers
from sklearn.datasets import load_digits

from benchmarks.diagnosis.damage import Late
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "LSTM"
DATASET = "digits"
FIT = {"epochs": 18, "batch_size": 32}


def data(**changes) -> Data:
    return prepare(load_digits().images, **{"scaler": 16.0, **changes})


def build(
    units=32, activation="tanh", output="linear", optimizer="adam", learning_rate=5e-3, loss="mse",
    initializer="glorot_uniform",
):  # fmt: skip
    model = keras.Sequential(
        [
            keras.Input((8, 8)),
            layers.LSTM(units, activation=activation, kernel_initializer=initializer),
            layers.RepeatVector(8),
            layers.LSTM(units, activation=activation, kernel_initializer=initializer, return_sequences=True),
            layers.TimeDistributed(layers.Dense(8, activation=output)),
        ]
    )
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {"nadam": Variant(build={"optimizer": "nadam"})}
FAULTS = {
    "two_epochs": Fault("optimizer.undertrained", fit={"epochs": 2}),
    "rate_1e-4": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-4}),
    "late_targets": Fault("code.target_mismatch", data={"target": Late()}),
    "sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": None}),
    "relu_output": Fault("model.output_activation", build={"output": "softmax"}),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 1078}),
}
COMPOUNDS = [("late_targets", "sgd")]
