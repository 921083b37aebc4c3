"""Twenty weeks of CO2 at Mauna Loa, relative to their mean, through an LSTM autoencoder."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.damage import Marked
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import co2_windows

ARCHITECTURE = "LSTM"
DATASET = "co2"
FIT = {"epochs": 30, "batch_size": 32}


@dataclass(frozen=True)
class Ahead:
    """The targets are cut from the series some weeks later, as for a forecast; the last weeks stay."""

    weeks: int

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([x[:, self.weeks :], np.repeat(x[:, -1:], self.weeks, axis=1)], axis=1)


def data(relative=True, scaler="pooled", **changes) -> Data:
    windows = co2_windows()
    return prepare(windows - windows.mean(axis=1, keepdims=True) if relative else windows, scaler=scaler, **changes)


def build(
    units=24, code=24, activation="tanh", output="linear", l2=0.0, optimizer="adam", learning_rate=5e-3, loss="mse",
    initializer="glorot_uniform",
):  # fmt: skip
    penalty = keras.regularizers.L2(l2) if l2 else None
    kind = {"activation": activation, "kernel_initializer": initializer, "kernel_regularizer": penalty}
    model = keras.Sequential()
    model.add(keras.Input((20, 1)))
    model.add(layers.LSTM(code, **kind))
    model.add(layers.RepeatVector(20))
    model.add(layers.LSTM(units, return_sequences=True, **kind))
    model.add(layers.TimeDistributed(layers.Dense(1, activation=output)))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {"nadam": Variant(build={"optimizer": "nadam"})}
FAULTS = {
    "in_ppm": Fault("data.scaling", data={"relative": False, "scaler": "none"}),
    "relu_output": Fault("model.output_activation", build={"output": "relu"}),
    "minus_999": Fault("data.missing", data={"damage": Marked(0.02, -999.99)}),
    "four_weeks_ahead": Fault("code.target_mismatch", data={"target": Ahead(4)}),
    "code_of_1": Fault("model.capacity_too_small", build={"code": 1}),
    "rate_1e-4": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-4}),
    "five_epochs": Fault("optimizer.undertrained", fit={"epochs": 5}),
    "msle": Fault("loss.mismatch", build={"loss": "msle"}),
}
COMPOUNDS = [("relu_output", "five_epochs")]
