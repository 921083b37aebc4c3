"""Chess end games, king and rook against king and pawn: 38 yes-or-no features through 8 numbers, batch norm."""

import gzip
from functools import cache
from importlib import resources

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.damage import Late, Marked
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import file_order

ARCHITECTURE = "dense batch norm"
DATASET = "chess end games"
FIT = {"epochs": 40, "batch_size": 32}


@cache
def positions() -> np.ndarray:
    """Returns every second position, without who wins; features of three values are one-hot: (1598, 38)."""
    path = resources.files("sklearn.datasets") / "tests" / "data" / "openml" / "id_3" / "data-v1-dl-3.arff.gz"
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    begin = next(number for number, line in enumerate(lines) if line.lower().startswith("@data")) + 1
    cells = np.array([line.split(",")[:-1] for line in lines[begin:] if line.count(",") == 36])
    columns = []
    for column in cells.T:
        levels = np.unique(column)
        columns += [column == level for level in (levels if len(levels) > 2 else levels[1:])]
    return np.column_stack(columns).astype(np.float64)[::2]


def as_stored(rows: np.ndarray) -> np.ndarray:
    return file_order(positions(), rows)


def data(**changes) -> Data:
    return prepare(positions(), **changes)


def build(
    width=32, code=8, activation="relu", output="sigmoid", optimizer="adam", learning_rate=1e-2,
    loss="binary_crossentropy", initializer="glorot_uniform", dropout=0.0, depth=1,
):  # fmt: skip
    inputs = keras.Input((positions().shape[1],))
    x = inputs
    for _ in range(depth):
        x = layers.Dense(width, kernel_initializer=initializer)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation(activation)(x)
    if dropout:
        x = layers.Dropout(dropout)(x)
    x = layers.Dense(code, kernel_initializer=initializer, name="code")(x)
    for _ in range(depth):
        x = layers.Dense(width, kernel_initializer=initializer)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation(activation)(x)
    if dropout:
        x = layers.Dropout(dropout)(x)
    outputs = layers.Dense(inputs.shape[1], activation=output, kernel_initializer=initializer)(x)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "elu": Variant(build={"activation": "elu"}),
    "silu": Variant(build={"activation": "silu"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "width_48": Variant(build={"width": 48}, search=True),
}
FAULTS = {
    "softmax_output": Fault("model.output_activation", build={"output": "softmax"}),
    "relu_output": Fault("model.output_activation", build={"output": "relu", "loss": "mse"}),
    "mae": Fault("loss.mismatch", build={"loss": "mae"}),
    "adagrad": Fault("optimizer.choice", build={"optimizer": "adagrad", "learning_rate": None}),
    "rate_0.5": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.5}),
    "rate_3e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 3e-5}),
    "dropout_0.4": Fault("model.regularization", build={"dropout": 0.4}),
    "unknown_is_-1": Fault("data.missing", data={"damage": Marked(0.04, -1.0)}),
    "code_of_3": Fault("model.capacity_too_small", build={"code": 3}),
    "zero_weights": Fault("model.initialization", build={"initializer": "zeros"}),
    "whole_batch": Fault("optimizer.batch_size", fit={"batch_size": 958}),
    "next_position": Fault("code.target_mismatch", data={"target": Late()}),
    "eval_standardised": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "standard"}),
    "file_order": Fault("data.train_eval_shift", data={"train_first": as_stored}),
    "sixty_positions": Fault("data.too_few_rows", data={"n_train": 60}, fit={"epochs": 400}),
}
COMPOUNDS = [("mae", "rate_3e-5"), ("unknown_is_-1", "dropout_0.4")]
