"""Travel between Sydney, Canberra and Melbourne: mode, times, costs and household of a trip through 4 numbers."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.damage import Spikes, Stuck
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense table"
DATASET = "mode choice"
FIT = {"epochs": 60, "batch_size": 16}


def trips() -> np.ndarray:
    """Returns mode 1 ... 4, chosen, terminal time, cost, time in vehicle, generalized cost, income, party: (835, 8)."""
    from statsmodels.api import datasets

    return datasets.modechoice.load_pandas().data.iloc[:, 1:].drop_duplicates().to_numpy(np.float64)


@dataclass(frozen=True)
class IncomeUnknown:
    """Some households would not say what they earn."""

    value: float
    share: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rows[rng.random(len(rows)) < self.share, 6] = self.value
        return rows


@dataclass(frozen=True)
class ShortestFirst:
    """The file is sorted by the time in the vehicle."""

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return rows[:, 4]


def data(scaler="standard", **changes) -> Data:
    return prepare(trips(), scaler=scaler, **changes)


def build(
    columns=8, hidden=32, code=4, activation="gelu", output="linear", optimizer="adam", learning_rate=5e-3, loss="mse",
    initializer="glorot_uniform", l2=0.0, dropout=0.0,
):  # fmt: skip
    def dense(units, activation=None):
        regularizer = keras.regularizers.L2(l2) if l2 else None
        return layers.Dense(units, activation, kernel_initializer=initializer, kernel_regularizer=regularizer)

    inputs = keras.Input((columns,))
    x = dense(hidden, activation)(inputs)
    x = dense(hidden // 2, activation)(x)
    x = layers.Dropout(dropout)(x) if dropout else x
    x = dense(code)(x)
    x = dense(hidden // 2, activation)(x)
    x = dense(hidden, activation)(x)
    model = keras.Model(inputs, dense(columns, output)(x))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "adamax": Variant(build={"optimizer": "adamax", "learning_rate": 0.015}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "wider": Variant(build={"hidden": 48}, search=True),
}
FAULTS = {
    "raw_columns": Fault("data.scaling", data={"scaler": "none"}),
    "income_unknown": Fault("data.missing", data={"damage": IncomeUnknown(-999.0, 0.06)}),
    "typing_errors": Fault("data.outliers", data={"damage": Spikes(0.002, 40.0)}),
    "stuck_columns": Fault("data.constant_features", data={"damage": Stuck(12)}, build={"columns": 20}),
    "forty_trips": Fault("data.too_few_rows", data={"n_train": 40}, fit={"epochs": 640}),
    "sorted_file": Fault("data.train_eval_shift", data={"train_first": ShortestFirst()}),
    "test_minmax": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "minmax"}),
    "tanh_output": Fault("model.output_activation", build={"output": "tanh"}),
    "weight_decay": Fault("model.regularization", build={"l2": 3e-3}),
    "mape": Fault("loss.mismatch", build={"loss": "mape"}),
    "rate_7e-4": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 7e-4}),
    "code_3": Fault("model.capacity_too_small", build={"code": 3}),
}
COMPOUNDS = [("tanh_output", "rate_7e-4"), ("code_3", "rate_7e-4")]
