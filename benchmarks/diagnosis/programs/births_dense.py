"""Births in Pennsylvania: 16 numbers on mother, father and child through 8, standardised."""

from dataclasses import dataclass
from functools import cache
from importlib import resources

import keras
import numpy as np
import pandas as pd
from keras import layers

from benchmarks.diagnosis.damage import Marked, Spikes, Stuck
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense table"
DATASET = "births"
FIT = {"epochs": 40, "batch_size": 32}
COLUMNS = [
    "bweight", "lbweight", "mage", "fage", "medu", "fedu", "nprenatal", "prenatal", "monthslb", "order", "fbaby_",
    "deadkids", "mbsmoke_", "mmarried_", "mrace", "frace",
]  # fmt: skip


@dataclass(frozen=True)
class Sorted:
    """The targets come from a frame whose columns are in alphabetical order."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x[:, np.argsort(COLUMNS)]


@cache
def births() -> np.ndarray:
    path = resources.files("statsmodels.treatment") / "tests" / "results" / "cataneo2.csv"
    with path.open() as file:
        frame = pd.read_csv(file)
    frame = frame[(frame["fage"] > 0) & (frame["fedu"] > 0)]  # 0: nothing is known of the father
    return frame[COLUMNS].iloc[::2].to_numpy(np.float64)


def by_mothers_age(rows: np.ndarray) -> np.ndarray:
    return rows[:, COLUMNS.index("mage")]


def data(scaler="standard", **changes) -> Data:
    return prepare(births(), scaler=scaler, **changes)


def build(
    hidden=48, code=8, depth=1, columns=16, activation="relu", output="linear", optimizer="adam", learning_rate=8e-3,
    loss="mse", initializer="glorot_uniform", l2=0.0,
):  # fmt: skip
    def dense(units, activation):
        penalty = keras.regularizers.L2(l2) if l2 else None
        return layers.Dense(units, activation, kernel_initializer=initializer, kernel_regularizer=penalty)

    model = keras.Sequential([keras.Input((columns,))])
    for _ in range(depth):
        model.add(dense(hidden, activation))
    model.add(dense(code, "linear"))
    for _ in range(depth):
        model.add(dense(hidden, activation))
    model.add(dense(columns, output))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "elu": Variant(build={"activation": "elu"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "huber": Variant(build={"loss": "huber"}),
    "hidden_64": Variant(build={"hidden": 64}, search=True),
}
FAULTS = {
    "raw_columns": Fault("data.scaling", data={"scaler": "none"}),
    "unknown_is_9999": Fault("data.missing", data={"damage": Marked(0.03, 9999.0, every=4)}),
    "slipped_commas": Fault("data.outliers", data={"damage": Spikes(0.003, 50.0)}),
    "stuck_columns": Fault("data.constant_features", data={"damage": Stuck(60)}, build={"columns": 76}),
    "sorted_targets": Fault("code.target_mismatch", data={"target": Sorted()}),
    "eval_minmax": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "minmax"}),
    "young_mothers": Fault("data.train_eval_shift", data={"train_first": by_mothers_age}),
    "fifty_births": Fault("data.too_few_rows", data={"n_train": 50}, fit={"epochs": 400}),
    "code_of_4": Fault("model.capacity_too_small", build={"code": 4}),
    "deep": Fault("model.capacity_too_large", build={"depth": 10}),
    "relu_output": Fault("model.output_activation", build={"output": "relu"}),
    "l2_0.006": Fault("model.regularization", build={"l2": 0.006}),
    "mape": Fault("loss.mismatch", build={"loss": "mape"}),
    "rate_1e-4": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-4}),
    "linear": Fault("model.linear_activations", build={"activation": "linear"}),
}
COMPOUNDS = [("slipped_commas", "rate_1e-4"), ("unknown_is_9999", "relu_output")]
