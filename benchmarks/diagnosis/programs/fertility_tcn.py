"""Births per woman, 16 years of a country in per cent of their mean, through dilated convolutions and 3 numbers."""

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.damage import Late, Marked, Spikes
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "TCN"
DATASET = "fertility"
FIT = {"epochs": 12, "batch_size": 32}


def fertility_windows(years=16, step=4) -> np.ndarray:
    """Returns windows of the fertility rates of 210 countries, 1960 ... 2011, 100 = a window's mean: (n, years, 1).

    Windows with gaps are left out, and so are windows that occur twice.
    """
    from statsmodels.api import datasets

    frame = datasets.fertility.load_pandas().data
    rates = frame.filter(regex=r"^\d{4}$").to_numpy(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(rates, years, axis=1)[:, ::step].reshape(-1, years)
    windows = windows[np.isfinite(windows).all(axis=1)]
    windows = 100 * windows / windows.mean(axis=1, keepdims=True)
    return np.unique(windows.round(4), axis=0)[:, :, None]


def roughness(rows: np.ndarray) -> np.ndarray:
    """Returns how much a window bends from year to year: smooth ones come first."""
    return np.diff(rows[:, :, 0], 2, axis=1).std(axis=1)


def data(scaler="pooled", smooth_first=False, **changes) -> Data:
    if smooth_first:
        changes["train_first"] = roughness
    return prepare(fertility_windows(), scaler=scaler, **changes)


def build(
    filters=16, code=3, activation="gelu", output="linear", optimizer="adam", learning_rate=5e-3, loss="mse",
    initializer="glorot_uniform", code_dropout=0.0,
):  # fmt: skip
    def conv(dilation):
        return layers.Conv1D(
            filters, 3, padding="causal", dilation_rate=dilation, activation=activation, kernel_initializer=initializer
        )

    model = keras.Sequential(
        [
            keras.Input((16, 1)),
            *[conv(dilation) for dilation in (1, 2, 4)],
            layers.Flatten(),
            layers.Dense(code, kernel_initializer=initializer),
            *([layers.Dropout(code_dropout)] if code_dropout else []),
            layers.Dense(16 * filters, activation, kernel_initializer=initializer),
            layers.Reshape((16, filters)),
            *[conv(dilation) for dilation in (2, 1)],
            layers.Conv1D(1, 1, activation=output, kernel_initializer=initializer),
        ]
    )
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "tanh": Variant(build={"activation": "tanh"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "standard": Variant(data={"scaler": "standard"}),
    "wider": Variant(build={"filters": 24}, search=True),
}
FAULTS = {
    "per_cent_as_they_are": Fault("data.scaling", data={"scaler": "none"}),
    "unknown_is_0": Fault("data.missing", data={"damage": Marked(0.03, 0.0)}),
    "slipped_commas": Fault("data.outliers", data={"damage": Spikes(0.004, 40.0)}),
    "smooth_countries_first": Fault("data.train_eval_shift", data={"smooth_first": True}),
    "code_of_1": Fault("model.capacity_too_small", build={"code": 1}),
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
    "dropout_on_code": Fault("model.regularization", build={"code_dropout": 0.3}),
    "rate_4e-4": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 4e-4}),
    "adadelta": Fault("optimizer.choice", build={"optimizer": "adadelta", "learning_rate": None}),
    "batch_of_256": Fault("optimizer.batch_size", fit={"batch_size": 256}),
    "next_window": Fault("code.target_mismatch", data={"target": Late()}),
}
COMPOUNDS = [("slipped_commas", "code_of_1"), ("smooth_countries_first", "rate_4e-4")]
