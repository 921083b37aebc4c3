"""Windows of an electrocardiogram of 32 samples through strided Conv1D layers to 8 numbers and back."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.damage import Marked, Spikes
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import ecg_windows

ARCHITECTURE = "convolutional"
DATASET = "ECG windows"
FIT = {"epochs": 25, "batch_size": 16}


@dataclass(frozen=True)
class Ahead:
    """The targets are some samples ahead, as for a forecast."""

    samples: int

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.roll(x, -self.samples, axis=1)


def data(scaler="pooled", **changes) -> Data:
    return prepare(ecg_windows(), scaler=scaler, **changes)


def build(
    filters=16, code=8, activation="elu", output="linear", optimizer="nadam", learning_rate=2e-3, loss="mse",
    initializer="glorot_uniform", noise=0.0,
):  # fmt: skip
    def conv(layer):
        return layer(filters, 5, strides=2, padding="same", activation=activation, kernel_initializer=initializer)

    signal = keras.Input((32, 1))
    x = layers.GaussianNoise(noise)(signal)
    x = conv(layers.Conv1D)(conv(layers.Conv1D)(x))
    encoded = layers.Dense(code, kernel_initializer=initializer, name="code")(layers.Flatten()(x))
    x = layers.Dense(8 * filters, activation=activation, kernel_initializer=initializer)(encoded)
    x = layers.Reshape((8, filters))(x)
    x = conv(layers.Conv1DTranspose)(conv(layers.Conv1DTranspose)(x))
    decoded = layers.Conv1D(1, 5, padding="same", activation=output, kernel_initializer=initializer)(x)
    model = keras.Model(signal, decoded, name="ecg")
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {"adam": Variant(build={"optimizer": "adam"}), "relu": Variant(build={"activation": "relu"})}
FAULTS = {
    "relu_output": Fault("model.output_activation", build={"output": "relu"}),
    "one_ahead": Fault("code.target_mismatch", data={"target": Ahead(1)}),
    "code_2": Fault("model.capacity_too_small", build={"code": 2}),
    "electrode_off": Fault("data.outliers", data={"damage": Spikes(0.002, 50.0)}),
    "gaps_999": Fault("data.missing", data={"damage": Marked(0.01, -999.0)}),
    "noise_1": Fault("model.regularization", build={"noise": 1.0}),
    "five_epochs": Fault("optimizer.undertrained", fit={"epochs": 5}),
    "rate_3e-4": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 3e-4}),
}
COMPOUNDS = [("code_2", "five_epochs"), ("relu_output", "noise_1")]
