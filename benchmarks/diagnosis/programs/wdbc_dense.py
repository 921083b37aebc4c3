"""Wisconsin breast cancer: 30 measurements of a tumour through 6 numbers, standardised."""

import keras
from sklearn.datasets import load_breast_cancer

from benchmarks.diagnosis.damage import Marked, Spikes
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense table"
DATASET = "breast_cancer"
FIT = {"epochs": 40, "batch_size": 16}


def data(scaler="standard", **changes) -> Data:
    return prepare(load_breast_cancer().data, scaler=scaler, **changes)


def build(
    hidden=24, activation="relu", output="linear", optimizer="adam", learning_rate=2e-3, loss="mse",
    initializer="glorot_uniform",
):  # fmt: skip
    model = keras.Sequential(
        [
            keras.Input((30,)),
            keras.layers.Dense(hidden, activation, kernel_initializer=initializer),
            keras.layers.Dense(6, kernel_initializer=initializer),
            keras.layers.Dense(hidden, activation, kernel_initializer=initializer),
            keras.layers.Dense(30, output, kernel_initializer=initializer),
        ]
    )
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "tanh": Variant(build={"activation": "tanh"}),
    "rmsprop": Variant(build={"optimizer": "rmsprop"}),
}
FAULTS = {
    "raw_columns": Fault("data.scaling", data={"scaler": "none"}),
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
    "rate_1e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-5}),
    "minus_999": Fault("data.missing", data={"damage": Marked(0.03, -999.0, every=3)}),
    "val_not_scaled": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "none"}),
    "msle": Fault("loss.mismatch", build={"loss": "msle"}),
    "relu_output": Fault("model.output_activation", build={"output": "relu"}),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 341}),
    "narrow": Fault("model.capacity_too_small", build={"hidden": 3}),
    "three_epochs": Fault("optimizer.undertrained", fit={"epochs": 3}),
    "typing_errors": Fault("data.outliers", data={"damage": Spikes(0.004, 60.0)}),
    "thirty_patients": Fault("data.too_few_rows", data={"n_train": 30}, fit={"epochs": 400}),
}
COMPOUNDS = [("sigmoid_output", "rate_1e-5"), ("minus_999", "sigmoid_output")]
