"""Wives of Redbook's survey of 1974: marriage, work and affairs, 9 standardised columns, batch normalisation."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.damage import Marked, Stuck
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense table"
DATASET = "fair affairs"
COLUMNS = ("rate_marriage", "age", "yrs_married", "children", "religious", "educ", "occupation", "occupation_husb",
           "affairs")  # fmt: skip
FIT = {"epochs": 40, "batch_size": 32}


def survey() -> np.ndarray:
    """Returns every fourth wife, no two alike; age and marriage in months, the long tail of the affairs in logs."""
    from statsmodels.api import datasets

    frame = datasets.fair.load_pandas().data[list(COLUMNS)].iloc[::4].drop_duplicates()
    frame[["age", "yrs_married"]] *= 12
    frame["affairs"] = np.log1p(frame["affairs"])
    return frame.to_numpy(np.float64)


@dataclass(frozen=True)
class Alphabetical:
    """The targets are the same table, read with its columns in alphabetical order."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x[:, np.argsort(COLUMNS)]


@dataclass(frozen=True)
class By:
    """Sorted by a column before the split."""

    column: str

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return rows[:, COLUMNS.index(self.column)]


def data(scaler="standard", **changes) -> Data:
    return prepare(survey(), scaler=scaler, **changes)


def build(
    extra=0, hidden=48, depth=1, code=6, activation="relu", output="linear", l1=0.0, optimizer="adam",
    learning_rate=4e-3, loss="mse", initializer="glorot_uniform",
):  # fmt: skip
    def dense(units, activation=None, **more):
        penalty = keras.regularizers.L1(l1) if l1 else None
        return layers.Dense(units, activation, kernel_initializer=initializer, kernel_regularizer=penalty, **more)

    def block(x):
        for _ in range(depth):
            x = layers.Activation(activation)(layers.BatchNormalization()(dense(hidden)(x)))
        return x

    inputs = keras.Input((len(COLUMNS) + extra,))
    x = dense(code, name="bottleneck")(block(inputs))
    outputs = dense(len(COLUMNS) + extra, output)(block(x))
    model = keras.Model(inputs, outputs, name="affairs")
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "elu": Variant(build={"activation": "elu"}),
    "silu": Variant(build={"activation": "silu"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "wide": Variant(build={"hidden": 96}, search=True),
}
FAULTS = {
    "months_and_marks": Fault("data.scaling", data={"scaler": "none"}),
    "no_answer": Fault("data.missing", data={"damage": Marked(0.03, -99.0, every=2)}),
    "unused_questions": Fault(
        "data.constant_features", data={"damage": Stuck(10), "scaler": "bare"}, build={"extra": 10}
    ),
    "sixty_wives": Fault("data.too_few_rows", data={"n_train": 60}, fit={"epochs": 300}),
    "young_first": Fault("data.train_eval_shift", data={"train_first": By("yrs_married")}),
    "alphabetical_targets": Fault("code.target_mismatch", data={"target": Alphabetical()}),
    "eight_layers_a_side": Fault("model.capacity_too_large", build={"depth": 8}),
    "code_of_1": Fault("model.capacity_too_small", build={"code": 1}),
    "ones": Fault("model.initialization", build={"initializer": "ones"}),
    "l1_0.05": Fault("model.regularization", build={"l1": 0.05}),
    "percent": Fault("loss.mismatch", build={"loss": "mean_absolute_percentage_error"}),
    "adagrad": Fault("optimizer.choice", build={"optimizer": "adagrad", "learning_rate": None}),
    "whole_batch": Fault("optimizer.batch_size", fit={"batch_size": 955}),
}
COMPOUNDS = [("no_answer", "adagrad"), ("unused_questions", "l1_0.05")]
