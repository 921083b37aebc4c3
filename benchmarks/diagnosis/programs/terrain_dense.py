"""Terrain around Jacksboro: height, slope, aspect, relief and hillshades of 1,500 points through 5 numbers."""

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.damage import Marked, Spikes, Stuck
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense table"
DATASET = "jacksboro terrain"
FIT = {"epochs": 60, "batch_size": 32}


def terrain(count=1500) -> np.ndarray:
    """Derives a table from matplotlib's elevation model of the Jacksboro fault: (count, 13).

    Columns: elevation (m), slope (degrees), northness, eastness, hillshade at 9, 12 and 15 o'clock (0 ... 255),
    curvature (1/km), height above the mean, lowest and highest point, relief and roughness (m) of the surroundings.
    """
    from matplotlib import cbook
    from scipy import ndimage

    with cbook.get_sample_data("jacksboro_fault_dem.npz") as model:
        height = np.asarray(model["elevation"], np.float64)
    height = ndimage.gaussian_filter(height, 1.0)
    north_m, east_m = 92.5, 74.4  # 3 arc seconds at 36.6 degrees north
    down, right = np.gradient(height, north_m, east_m)
    slope = np.arctan(np.hypot(down, right))
    aspect = np.arctan2(-right, down)  # direction of the fall, clockwise from north

    def hillshade(azimuth, altitude):
        azimuth, altitude = np.radians(azimuth), np.radians(altitude)
        light = np.sin(altitude) * np.cos(slope) + np.cos(altitude) * np.sin(slope) * np.cos(azimuth - aspect)
        return 255 * np.clip(light, 0, 1)

    lowest, highest = ndimage.minimum_filter(height, 9), ndimage.maximum_filter(height, 9)
    mean = ndimage.uniform_filter(height, 9)
    rough = np.sqrt(np.maximum(ndimage.uniform_filter(height**2, 9) - mean**2, 0))
    columns = [
        height, np.degrees(slope), np.cos(aspect), np.sin(aspect),
        hillshade(120, 35), hillshade(180, 65), hillshade(240, 35),
        1e3 * ndimage.laplace(height) / (north_m * east_m),
        height - mean, height - lowest, highest - height, highest - lowest, rough,
    ]  # fmt: skip
    inner = np.stack([column[8:-8, 8:-8].ravel() for column in columns], axis=1)
    return inner[np.random.default_rng(0).permutation(len(inner))[:count]]


def height_of(rows: np.ndarray) -> np.ndarray:
    """Returns the elevation: a survey that began at the bottom of the valleys."""
    return rows[:, 0]


def data(scaler="standard", **changes) -> Data:
    return prepare(terrain(), scaler=scaler, **changes)


def build(
    hidden=(32,), code=5, activation="relu", code_activation=None, output="linear", optimizer="adam",
    learning_rate=5e-3, loss="mse", initializer="glorot_uniform", dropout=0.0, columns=13,
):  # fmt: skip
    def dense(units):
        return layers.Dense(units, activation, kernel_initializer=initializer)

    model = keras.Sequential(
        [
            keras.Input((columns,)),
            *[dense(units) for units in hidden],
            *([layers.Dropout(dropout)] if dropout else []),
            layers.Dense(code, code_activation, kernel_initializer=initializer),
            *[dense(units) for units in reversed(hidden)],
            layers.Dense(columns, output, kernel_initializer=initializer),
        ]
    )
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "silu": Variant(build={"activation": "silu"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "huber": Variant(build={"loss": "huber"}),
    "wide_dropout": Variant(build={"hidden": (64,), "dropout": 0.02}, search=True),
}
FAULTS = {
    "raw_units": Fault("data.scaling", data={"scaler": "none"}),
    "no_data": Fault("data.missing", data={"damage": Marked(0.02, -9999.0, every=4)}),
    "spikes": Fault("data.outliers", data={"damage": Spikes(0.001, 25.0)}),
    "stuck": Fault("data.constant_features", data={"damage": Stuck(2)}, build={"columns": 15}),
    "valleys_first": Fault("data.train_eval_shift", data={"train_first": height_of}),
    "points_150": Fault("data.too_few_rows", data={"n_train": 150}, fit={"epochs": 360}),
    "linear": Fault("model.linear_activations", build={"activation": "linear"}),
    "code_4": Fault("model.capacity_too_small", build={"code": 4}),
    "dropout_0.2": Fault("model.regularization", build={"dropout": 0.2}),
    "cosine": Fault("loss.mismatch", build={"loss": "cosine_similarity"}),
    "rate_0.05": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.05}),
    "six_epochs": Fault("optimizer.undertrained", fit={"epochs": 6}),
}
COMPOUNDS = [("code_4", "linear"), ("dropout_0.2", "six_epochs")]
