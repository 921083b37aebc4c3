"""Weekly weighings of 72 pigs on a feeding trial: 14 mixed columns through 6, standardised."""

from dataclasses import dataclass
from functools import cache
from importlib import resources

import keras
import numpy as np
import pandas as pd
from keras import layers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense table"
DATASET = "pigs"
FIT = {"epochs": 100, "batch_size": 16}
KILOGRAMS = ["weight", "feed", "start", "gain", "eaten"]
COLUMNS = [*KILOGRAMS, "week", "mates", "litter", "evit_1", "evit_2", "evit_3", "cu_1", "cu_2", "cu_3"]


@dataclass(frozen=True)
class InGrams:
    """One keeper in so many wrote grams, not kilograms."""

    share: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        hit = rng.random(len(rows)) < self.share
        rows[hit, : len(KILOGRAMS)] *= 1000.0
        return rows


@dataclass(frozen=True)
class LeftJoin:
    """The feed of a share of the rows was not found in the other table."""

    share: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        hit = rng.random(len(rows)) < self.share
        rows[np.ix_(hit, [COLUMNS.index("feed"), COLUMNS.index("eaten")])] = np.nan
        return rows


@dataclass(frozen=True)
class FarmNumber:
    """One more column holds the number of the farm, which is the same in all rows."""

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.concatenate([rows, np.full((len(rows), 1), 7.0)], axis=1)


@dataclass(frozen=True)
class ByWeight:
    """The targets come from the frame as sorted by weight, the inputs were shuffled."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x[np.argsort(x[:, 0], kind="stable")]


@cache
def pigs() -> np.ndarray:
    path = resources.files("statsmodels.regression") / "tests" / "results" / "dietox.csv"
    with path.open() as file:
        frame = pd.read_csv(file).rename(columns=str.lower).rename(columns={"time": "week"})
    by_pig = frame.groupby("pig")
    frame["start"] = by_pig["weight"].transform("first")
    frame["gain"] = by_pig["weight"].diff()
    frame["eaten"] = by_pig["feed"].diff().fillna(frame["feed"])
    frame["mates"] = frame.groupby("litter")["pig"].transform("nunique")
    frame = pd.get_dummies(frame.dropna(), columns=["evit", "cu"])  # nothing is known of the feed before week 1
    return frame[COLUMNS].to_numpy(np.float64)


def by_evit(rows: np.ndarray) -> np.ndarray:
    first = COLUMNS.index("evit_1")
    return rows[:, first : first + 3].argmax(axis=1)


def data(scaler="standard", **changes) -> Data:
    return prepare(pigs(), scaler=scaler, **changes)


def build(
    hidden=64, code=6, columns=14, activation="silu", output="linear", optimizer="adam", learning_rate=5e-3,
    loss="mse", initializer="glorot_uniform",
):  # fmt: skip
    model = keras.Sequential(
        [
            keras.Input((columns,)),
            layers.Dense(hidden, kernel_initializer=initializer),
            layers.Activation(activation),
            layers.Dense(code, kernel_initializer=initializer, name="bottleneck"),
            layers.Dense(hidden, kernel_initializer=initializer),
            layers.Activation(activation),
            layers.Dense(columns, kernel_initializer=initializer),
            layers.Activation(output),
        ],
        name="pigs",
    )
    model.compile(make_optimizer(optimizer, learning_rate), loss=loss, metrics=["mae"])
    return model


VARIANTS = {
    "rate_3e-3": Variant(build={"learning_rate": 3e-3}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "huber": Variant(build={"loss": "huber"}),
    "hidden_96": Variant(build={"hidden": 96}, search=True),
}
FAULTS = {
    "not_scaled": Fault("data.scaling", data={"scaler": "none"}),
    "left_join": Fault("data.missing", data={"damage": LeftJoin(0.05)}),
    "some_in_grams": Fault("data.outliers", data={"damage": InGrams(0.01)}),
    "farm_number": Fault(
        "data.constant_features", data={"scaler": "bare", "damage": FarmNumber()}, build={"columns": 15}
    ),
    "low_vitamin_only": Fault("data.train_eval_shift", data={"train_first": by_evit}),
    "twenty_weighings": Fault("data.too_few_rows", data={"n_train": 20}, fit={"epochs": 400}),
    "targets_by_weight": Fault("code.target_mismatch", data={"target": ByWeight()}),
    "eval_not_scaled": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "none"}),
    "cross_entropy": Fault("loss.mismatch", build={"loss": "binary_crossentropy"}),
    "softmax_output": Fault("model.output_activation", build={"output": "softmax"}),
    "zeros": Fault("model.initialization", build={"initializer": "zeros"}),
    "no_activation": Fault("model.linear_activations", build={"activation": "linear"}),
    "hidden_2": Fault("model.capacity_too_small", build={"hidden": 2}),
    "rate_0.3": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.3}),
    "one_epoch": Fault("optimizer.undertrained", fit={"epochs": 1}),
}
COMPOUNDS = [("some_in_grams", "softmax_output"), ("targets_by_weight", "hidden_2")]
