"""Noisy 10 x 10 patches of a stereo camera's disparity map in, clean patches out: a dense denoising autoencoder."""

from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense denoising"
DATASET = "motorcycle disparities"
FIT = {"epochs": 40, "batch_size": 32}
SIZE = 10


@dataclass(frozen=True)
class Shadow:
    """A share of the patches has a strip that only one camera saw; its cells hold a value for "no match"."""

    share: float
    value: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        for row in np.flatnonzero(rng.random(len(rows)) < self.share):
            start = rng.integers(SIZE - 1)
            rows[row, :, start : start + 2] = self.value
        return rows


@dataclass(frozen=True)
class BlownUp:
    """In a share of the cells the subpixel fit divided by next to nothing; size in pixels."""

    share: float
    size: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        off = self.size * rng.standard_cauchy(rows.shape)
        return np.where(rng.random(rows.shape) < self.share, rows + off, rows)


@dataclass(frozen=True)
class Framed:
    """The patches were padded with zeros to 12 x 12, two halvings of which come out even."""

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.pad(rows, ((0, 0), (1, 1), (1, 1)))


@dataclass(frozen=True)
class TurnedApart:
    """Inputs and targets were turned by quarters at random, by two generators with two seeds."""

    seed: int = 7

    def __call__(self, y: np.ndarray) -> np.ndarray:
        turns = np.random.default_rng(self.seed).integers(4, size=len(y))
        return np.stack([np.rot90(patch, turn) for patch, turn in zip(y, turns, strict=True)])


@cache
def patches(block: int = 4, least: float = 3.0, count: int = 3000) -> np.ndarray:
    """Returns patches of the map at a quarter of its size, in pixels of disparity, without those that have a cell with
    no match or are nearly flat: (n, 10, 10)."""
    with (resources.files("skimage") / "data" / "motorcycle_disp.npz").open("rb") as file:
        full = np.load(file)["arr_0"].astype(np.float64)
    high, wide = (length // block for length in full.shape)
    full = np.where(np.isfinite(full), full, np.nan)[: high * block, : wide * block]
    blocks = full.reshape(high, block, wide, block).swapaxes(1, 2).reshape(high * wide, -1)
    small = np.full(high * wide, np.nan)
    seen = np.isfinite(blocks).any(axis=1)
    small[seen] = np.nanmedian(blocks[seen], axis=1)
    cut = np.lib.stride_tricks.sliding_window_view(small.reshape(high, wide), (SIZE, SIZE)).reshape(-1, SIZE, SIZE)
    cut = cut[np.isfinite(cut).all(axis=(1, 2))]
    cut = cut[cut.std(axis=(1, 2)) > least]
    return cut[np.linspace(0, len(cut) - 1, count).astype(int)]


def by_relief(rows: np.ndarray) -> np.ndarray:
    return rows.std(axis=(1, 2))


def data(scaler="pooled", noise=0.25, asked=None, **changes) -> Data:
    made = prepare(patches(), scaler=scaler, noise=noise, **changes)
    return made if asked is None else replace(made, y_train=asked(made.y_train), y_val=asked(made.y_val))


def build(
    hidden=128, code=12, size=SIZE, activation="silu", output="linear", initializer="glorot_uniform", bias=0.0, l1=0.0,
    optimizer="adam", learning_rate=1e-3, loss="mse",
):  # fmt: skip
    if isinstance(initializer, tuple):
        low, high = initializer
        initializer = {"class_name": "RandomUniform", "config": {"minval": low, "maxval": high}}

    def dense(units, activation=None, bias=0.0, **named):
        penalty = keras.regularizers.L1(l1) if l1 else None
        return layers.Dense(units, activation, kernel_initializer=initializer, kernel_regularizer=penalty,
                            bias_initializer=keras.initializers.Constant(bias), **named)  # fmt: skip

    model = keras.Sequential([keras.Input((size, size)), layers.Flatten()], name="disparity")
    for units in (hidden, hidden // 2):
        model.add(dense(units, activation, bias))
    model.add(dense(code, name="code"))
    for units in (hidden // 2, hidden):
        model.add(dense(units, activation, bias))
    model.add(dense(size * size, output, name="clean"))
    model.add(layers.Reshape((size, size)))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "relu": Variant(build={"activation": "relu"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "cells_standardised": Variant(data={"scaler": "standard"}),
    "wider": Variant(build={"hidden": 192}, search=True),
}
FAULTS = {
    "per_65535": Fault("data.scaling", data={"scaler": 65535.0, "noise": 6e-5}),
    "shadow_is_-999": Fault("data.missing", data={"damage": Shadow(0.1, -999.0)}),
    "blown_up": Fault("data.outliers", data={"damage": BlownUp(0.02, 60.0)}),
    "zero_frame": Fault("data.constant_features", data={"scaler": "bare", "damage": Framed()}, build={"size": 12}),
    "smooth_first": Fault("data.train_eval_shift", data={"train_first": by_relief}),
    "twenty_patches": Fault("data.too_few_rows", data={"n_train": 20}, fit={"epochs": 2300}),
    "turned_apart": Fault("code.target_mismatch", data={"asked": TurnedApart()}),
    "eval_not_centred": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": 15.0}),
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
    "cosine": Fault("loss.mismatch", build={"loss": "cosine_similarity"}),
    "weights_0_to_1": Fault("model.initialization", build={"initializer": (0.0, 1.0)}),
    "bias_-5": Fault("model.dead_units", build={"bias": -5.0}, of="relu"),
    "l1_of_0.001": Fault("model.regularization", build={"l1": 0.001}),
    "code_1": Fault("model.capacity_too_small", build={"code": 1}),
    "rate_0.1": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.1}),
    "rate_5e-6": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 5e-6}),
    "sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": None}),
}
COMPOUNDS = [("blown_up", "sigmoid_output"), ("turned_apart", "shadow_is_-999")]
