"""Noisy waves of 32 steps through one-dimensional convolutions."""

import keras
from keras import layers

from benchmarks.diagnosis.damage import Rescaled
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import waves

ARCHITECTURE = "conv 1D"
DATASET = "waves"
FIT = {"epochs": 20, "batch_size": 32}


def data(amplitude=1.0, **changes) -> Data:
    return prepare(waves(amplitude=amplitude), **changes)


def build(
    activation="silu", output="linear", optimizer="adam", learning_rate=6e-3, loss="mse", initializer="glorot_uniform"
):
    model = keras.Sequential(
        [
            keras.Input((32, 1)),
            layers.Conv1D(16, 5, strides=2, padding="same", activation=activation, kernel_initializer=initializer),
            layers.Conv1D(16, 5, strides=2, padding="same", activation=activation, kernel_initializer=initializer),
            layers.Flatten(),
            layers.Dense(10),
            layers.Dense(8 * 16, activation=activation, kernel_initializer=initializer),
            layers.Reshape((8, 16)),
            layers.Conv1DTranspose(16, 5, strides=2, padding="same", activation=activation),
            layers.Conv1DTranspose(1, 5, strides=2, padding="same", activation=output),
        ]
    )
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {"lecun": Variant(build={"initializer": "lecun_normal"}), "nadam": Variant(build={"optimizer": "nadam"})}
FAULTS = {
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
    "rate_0.3": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.3}),
    "negated_targets": Fault("code.target_mismatch", data={"target": Rescaled(-1.0)}),
    "sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": 0.001}),
    "one_epoch": Fault("optimizer.undertrained", fit={"epochs": 1}),
}
COMPOUNDS = [("sigmoid_output", "rate_0.3")]
