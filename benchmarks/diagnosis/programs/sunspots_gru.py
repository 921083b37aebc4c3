"""Sunspot numbers 1749 ... 2009 by quarter, windows of six years, through a GRU autoencoder."""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.damage import Marked, Spikes
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "GRU"
DATASET = "sunspots"
FIT = {"epochs": 16, "batch_size": 32}
QUARTERS = 24


def sunspot_windows() -> np.ndarray:
    """Returns all windows of the quarterly means of the monthly numbers that statsmodels ships: (1019, 24, 1)."""
    from statsmodels.datasets import sunspots

    lines = (Path(sunspots.__file__).parent / "src" / "sunspots_monthly.dat").read_text().splitlines()
    months = [float(number) for line in lines if line[:4].isdigit() for number in line.split()[1:]]
    quarters = np.reshape(months, (-1, 3)).mean(axis=1)
    return np.lib.stride_tricks.sliding_window_view(quarters, QUARTERS)[..., None].copy()


def activity(rows: np.ndarray) -> np.ndarray:
    """How active the sun is on average."""
    return rows.mean(axis=(1, 2))


@dataclass(frozen=True)
class StuckChannels:
    """So many further channels are stuck at one value but for a jitter in a few cells."""

    channels: int
    share: float = 0.01

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        shape = (*rows.shape[:2], self.channels)
        jitter = np.where(rng.random(shape) < self.share, rng.normal(size=shape), 0.0)
        return np.concatenate([rows, 20.0 + 1e-3 * jitter], axis=2)


@dataclass(frozen=True)
class Backwards:
    """The targets run back in time, as in some papers, and nobody turns the answers round."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x[:, ::-1].copy()


def data(scaler="standard", **changes) -> Data:
    return prepare(sunspot_windows(), scaler=scaler, **changes)


def build(
    units=32, channels=1, output="linear", dropout=0.0, optimizer="adam", learning_rate=7e-3, loss="mse",
    initializer="glorot_uniform",
):  # fmt: skip
    model = keras.Sequential()
    model.add(keras.Input((QUARTERS, channels)))
    model.add(layers.GRU(units, kernel_initializer=initializer))
    if dropout:
        model.add(layers.Dropout(dropout))
    model.add(layers.RepeatVector(QUARTERS))
    model.add(layers.GRU(units, kernel_initializer=initializer, return_sequences=True))
    model.add(layers.TimeDistributed(layers.Dense(channels, activation=output)))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "nadam": Variant(build={"optimizer": "nadam"}),
    "huber": Variant(build={"loss": "huber"}),
    "wide": Variant(build={"units": 48}, search=True),
}
FAULTS = {
    "raw_counts": Fault("data.scaling", data={"scaler": "none"}),
    "gaps_-999": Fault("data.missing", data={"damage": Marked(0.03, -999.0)}),
    "spikes": Fault("data.outliers", data={"damage": Spikes(0.01, 20.0)}),
    "stuck_channels": Fault("data.constant_features", data={"damage": StuckChannels(8)}, build={"channels": 9}),
    "quiet_sun": Fault("data.train_eval_shift", data={"train_first": activity}),
    "backwards": Fault("code.target_mismatch", data={"target": Backwards()}),
    "held_out_not_scaled": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "none"}),
    "two_units": Fault("model.capacity_too_small", build={"units": 2}),
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
    "dropout_0.8": Fault("model.regularization", build={"dropout": 0.8}),
    "rate_2e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 2e-5}),
    "two_epochs": Fault("optimizer.undertrained", fit={"epochs": 2}),
    "whole_batch": Fault("optimizer.batch_size", fit={"batch_size": 1024}),
}
COMPOUNDS = [("spikes", "rate_2e-5"), ("sigmoid_output", "two_epochs")]
