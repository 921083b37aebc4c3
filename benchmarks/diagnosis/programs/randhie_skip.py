"""People of the RAND health insurance experiment through five numbers, with residual blocks on both sides."""

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.damage import Marked, Spikes, Stuck
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import health_insurance

ARCHITECTURE = "skip connections"
DATASET = "RAND HIE"
FIT = {"epochs": 60, "batch_size": 32}


def coinsurance(rows: np.ndarray) -> np.ndarray:
    return rows[:, 1]


def data(scaler="standard", **changes) -> Data:
    return prepare(health_insurance(), scaler=scaler, **changes)


def build(
    width=32, code=5, activation="silu", output="linear", optimizer="adam", learning_rate=6e-3, loss="mse",
    initializer="lecun_normal", columns=10,
):  # fmt: skip
    def dense(units):
        return layers.Dense(units, activation=activation, kernel_initializer=initializer)

    inputs = keras.Input((columns,))
    x = dense(width)(inputs)
    x = layers.Add()([x, dense(width)(x)])
    encoded = layers.Dense(code, kernel_initializer=initializer, name="code")(x)
    x = dense(width)(encoded)
    x = layers.Add()([x, dense(width)(x)])
    model = keras.Model(inputs, layers.Dense(columns, activation=output, kernel_initializer=initializer)(x))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "nadam": Variant(build={"optimizer": "nadam", "learning_rate": 4e-3}),
    "glorot": Variant(build={"initializer": "glorot_uniform"}),
}
FAULTS = {
    "linear": Fault("model.linear_activations", build={"activation": "linear"}),
    "val_minmax": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "minmax"}),
    "slipped_commas": Fault("data.outliers", data={"damage": Spikes(0.003, 100.0)}),
    "empty_cells": Fault("data.missing", data={"damage": Marked(0.002, float("nan"))}),
    "stuck_columns": Fault("data.constant_features", data={"damage": Stuck(4, 0.003)}, build={"columns": 14}),
    "by_plan": Fault("data.train_eval_shift", data={"train_first": coinsurance}),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 900}),
    "mae": Fault("loss.mismatch", build={"loss": "mae"}),
}
COMPOUNDS = [("one_batch", "mae"), ("linear", "slipped_commas")]
