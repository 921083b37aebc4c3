"""Twelve five-yearly values of life expectancy, income and population of 142 countries as one wide table."""

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.damage import Marked, Mispaired, Spikes
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import gapminder

ARCHITECTURE = "dense table"
DATASET = "gapminder"
FIT = {"epochs": 100, "batch_size": 8}


def data(scaler="standard", log=True, **changes) -> Data:
    rows = gapminder()
    if log:
        rows[..., 1:] = np.log10(rows[..., 1:])
    return prepare(rows.reshape(142, 36), scaler=scaler, **{"val": False, **changes})


def build(
    activation="elu", output=None, optimizer="adam", learning_rate=2e-3, loss="mse", initializer="glorot_uniform"
):
    model = keras.Sequential(
        [
            keras.Input((36,)),
            layers.Dense(24, activation=activation, kernel_initializer=initializer),
            layers.Dense(4, kernel_initializer=initializer),
            layers.Dense(24, activation=activation, kernel_initializer=initializer),
            layers.Dense(36, activation=output, kernel_initializer=initializer),
        ]
    )
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {"nadam": Variant(build={"optimizer": "nadam"})}
FAULTS = {
    "raw_columns": Fault("data.scaling", data={"scaler": "none", "log": False}),
    "zero_for_missing": Fault("data.missing", data={"damage": Marked(0.03, -99.0, every=2)}),
    "typing_errors": Fault("data.outliers", data={"damage": Spikes(0.004, 60.0)}),
    "adadelta": Fault("optimizer.choice", build={"optimizer": "adadelta", "learning_rate": None}),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 113}),
    "relu_output": Fault("model.output_activation", build={"output": "relu"}),
    "rate_1e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-5}),
    "mispaired": Fault("code.target_mismatch", data={"target": Mispaired()}),
}
COMPOUNDS = [("typing_errors", "adadelta")]
