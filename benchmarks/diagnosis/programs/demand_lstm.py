"""Windows of 24 hours of the electricity demand of Victoria through an LSTM autoencoder."""

from dataclasses import dataclass
from functools import cache
from importlib import resources

import keras
import numpy as np
import pandas as pd
from keras import layers

from benchmarks.diagnosis.damage import Marked, Spikes
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import file_order

ARCHITECTURE = "LSTM"
DATASET = "electricity demand"
FIT = {"epochs": 15, "batch_size": 64}


@dataclass(frozen=True)
class Backwards:
    """The targets run from the last hour to the first."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x[:, ::-1]


@cache
def demand(hours: int = 24, step: int = 3) -> np.ndarray:
    """Returns windows of the hourly demand in MW, January to May 2012: (n, hours, 1)."""
    path = resources.files("statsmodels.tsa") / "stl" / "tests" / "results" / "mstl_elec_vic.csv"
    with path.open() as file:
        series = pd.read_csv(file)["y"].to_numpy(np.float64)
    return np.lib.stride_tricks.sliding_window_view(series, hours)[::step, :, None].copy()


def by_time(rows: np.ndarray) -> np.ndarray:
    return file_order(demand(), rows)


def data(scaler="pooled", **changes) -> Data:
    return prepare(demand(), scaler=scaler, **changes)


def build(
    units=32, code=8, activation="tanh", output="linear", optimizer="adam", learning_rate=1e-2, loss="mse",
    initializer="glorot_uniform", dropout=0.0,
):  # fmt: skip
    cell = {"activation": activation, "kernel_initializer": initializer, "dropout": dropout}
    model = keras.Sequential([keras.Input((24, 1))])
    model.add(layers.LSTM(units, **cell))
    model.add(layers.Dense(code, name="code"))
    model.add(layers.RepeatVector(24))
    model.add(layers.LSTM(units, return_sequences=True, **cell))
    model.add(layers.TimeDistributed(layers.Dense(1, activation=output)))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "standard": Variant(data={"scaler": "standard"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "huber": Variant(build={"loss": "huber"}),
    "units_48": Variant(build={"units": 48}, search=True),
}
FAULTS = {
    "in_megawatts": Fault("data.scaling", data={"scaler": "none"}),
    "gaps": Fault("data.missing", data={"damage": Marked(0.002, float("nan"))}),
    "meter_spikes": Fault("data.outliers", data={"damage": Spikes(0.003, 40.0)}),
    "summer_only": Fault("data.train_eval_shift", data={"train_first": by_time}),
    "eval_minmax": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "minmax"}),
    "backwards": Fault("code.target_mismatch", data={"target": Backwards()}),
    "units_2": Fault("model.capacity_too_small", build={"units": 2}),
    "three_epochs": Fault("optimizer.undertrained", fit={"epochs": 3}),
    "relu_output": Fault("model.output_activation", build={"output": "relu"}),
    "dropout_0.3": Fault("model.regularization", build={"dropout": 0.3}),
    "cosine": Fault("loss.mismatch", build={"loss": "cosine_similarity"}),
    "rate_0.1": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.1}),
    "rate_1e-4": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-4}),
    "sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": 0.01}),
    "batch_700": Fault("optimizer.batch_size", fit={"batch_size": 700}),
}
COMPOUNDS = [("meter_spikes", "relu_output"), ("dropout_0.3", "rate_1e-4")]
