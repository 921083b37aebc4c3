"""Elderly Americans of a survey of medical expenditure: twelve columns in unlike units through 5 numbers."""

from importlib import resources

import keras
import numpy as np
import pandas as pd
from keras import layers

from benchmarks.diagnosis.damage import Marked, Spikes, Stuck
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense table"
DATASET = "medicare survey"
FIT = {"epochs": 45, "batch_size": 32}
COLUMNS = [
    "age", "age2", "aget", "aget2", "educyr", "physician", "ldocvis", "ldocvisa", "income", "linc", "totchr", "ssiratio"
]  # fmt: skip


def people(count: int = 1800) -> np.ndarray:
    """Returns people of 65 to 90 years: (count, 12).

    Columns: age in years, squared, in decades above 65 and its square, schooling, visits to physicians and two logs of
    them, income in thousands of dollars and its log, chronic illnesses, share of social security in the income.
    """
    path = resources.files("statsmodels.sandbox.regression") / "tests" / "racd10data_with_transformed.csv"
    with path.open() as file:
        rows = pd.read_csv(file)[COLUMNS].dropna().to_numpy(np.float64)
    rows = rows[np.sort(np.unique(rows, axis=0, return_index=True)[1])]  # some answered alike
    return rows[np.random.default_rng(0).permutation(len(rows))[:count]]


def income_of(rows: np.ndarray) -> np.ndarray:
    """Returns the income: the file was sorted by it before the split."""
    return rows[:, COLUMNS.index("income")]


def data(scaler="standard", **changes) -> Data:
    return prepare(people(), scaler=scaler, **changes)


def build(
    width=32, depth=1, code=5, activation="relu", output="linear", l2=0.0, optimizer="adam",
    learning_rate=8e-3, loss="mse", initializer="glorot_uniform", extra=0,
):  # fmt: skip
    def hidden(x):
        penalty = keras.regularizers.L2(l2) if l2 else None
        for _ in range(depth):
            x = layers.Dense(width, activation, kernel_initializer=initializer, kernel_regularizer=penalty)(x)
        return x

    columns = len(COLUMNS) + extra
    inputs = keras.Input((columns,), name="person")
    code_layer = layers.Dense(code, kernel_initializer=initializer, name="code")
    output_layer = layers.Dense(columns, output, kernel_initializer=initializer, name="rebuilt")
    model = keras.Model(inputs, output_layer(hidden(code_layer(hidden(inputs)))), name="medicare")
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


NORMAL = {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 1.0}}
VARIANTS = {
    "gelu": Variant(build={"activation": "gelu", "optimizer": "nadam"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "huber": Variant(build={"loss": "huber"}),
    "wide": Variant(build={"width": 48}, search=True),
}
FAULTS = {
    "raw_columns": Fault("data.scaling", data={"scaler": "none"}),
    "refused_is_-99": Fault("data.missing", data={"damage": Marked(0.01, -99.0, every=3)}),
    "slipped_commas": Fault("data.outliers", data={"damage": Spikes(0.001, 60.0)}),
    "empty_questions": Fault(
        "data.constant_features", data={"damage": Stuck(3, 0.0), "scaler": "bare"}, build={"extra": 3}
    ),
    "sorted_by_income": Fault("data.train_eval_shift", data={"train_first": income_of}),
    "sixty_people": Fault("data.too_few_rows", data={"n_train": 60}, fit={"epochs": 450}),
    "val_minmax": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "minmax"}),
    "linear": Fault("model.linear_activations", build={"activation": "linear"}),
    "code_1": Fault("model.capacity_too_small", build={"code": 1}),
    "twelve_layers_a_side": Fault("model.capacity_too_large", build={"depth": 12}),
    "l2_0.2": Fault("model.regularization", build={"l2": 0.2}),
    "cosine": Fault("loss.mismatch", build={"loss": "cosine_similarity"}),
    "normal_weights": Fault("model.initialization", build={"initializer": NORMAL}),
    "rate_1e-4": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-4}),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 1080}),
}
COMPOUNDS = [("slipped_commas", "l2_0.2"), ("code_1", "rate_1e-4")]
