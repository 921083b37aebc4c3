"""392 cars, eight columns in unlike units, min-max scaled, through three numbers."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import cars

ARCHITECTURE = "dense table"
DATASET = "autompg"
FIT = {"epochs": 100, "batch_size": 16}


@dataclass(frozen=True)
class Unknown:
    """Some cars have no horsepower and no weight: a number stands there instead."""

    share: float
    value: float
    columns: tuple[int, ...] = (2, 3)

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        for column in self.columns:
            rows[rng.random(len(rows)) < self.share, column] = self.value
        return rows


@dataclass(frozen=True)
class SlippedPoint:
    """In a few cars each number of these columns is `factor` times too large."""

    share: float
    factor: float
    columns: tuple[int, ...] = (1, 2, 3, 4, 7)

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        for column in self.columns:
            rows[rng.random(len(rows)) < self.share, column] *= self.factor
        return rows


def american_cars(rows):
    """Origin 1: the split is made on a table sorted by origin."""
    return rows[:, 6]


def data(scaler="minmax", **changes) -> Data:
    return prepare(cars(), scaler=scaler, **changes)


def build(
    hidden=16, code=3, activation="silu", code_activation=None, output="sigmoid", optimizer="adam",
    learning_rate=8e-3, loss="mse", initializer="glorot_uniform",
):  # fmt: skip
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(hidden, activation, kernel_initializer=initializer),
            layers.Dense(code, code_activation, kernel_initializer=initializer, name="bottleneck"),
            layers.Dense(hidden, activation, kernel_initializer=initializer),
            layers.Dense(8, output, kernel_initializer=initializer),
        ]
    )
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "linear_output": Variant(build={"output": "linear"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
}
FAULTS = {
    "raw_columns": Fault("data.scaling", data={"scaler": "none"}),
    "relu_code": Fault("model.dead_units", build={"code_activation": "relu"}),
    "two_hidden": Fault("model.capacity_too_small", build={"hidden": 2}),
    "horsepower_unknown": Fault("data.missing", data={"damage": Unknown(0.04, -9999.0)}),
    "slipped_point": Fault("data.outliers", data={"damage": SlippedPoint(0.01, 10.0)}),
    "american_cars": Fault("data.train_eval_shift", data={"train_first": american_cars}),
    "fresh_standardised": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "standard"}),
    "rate_3e-4": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 3e-4}),
}
COMPOUNDS = [("horsepower_unknown", "rate_3e-4")]
