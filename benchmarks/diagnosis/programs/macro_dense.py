"""United States macroeconomic data, 203 quarters of twelve figures, through three numbers, standardised."""

import keras
from keras import layers
from statsmodels.datasets import macrodata

from benchmarks.diagnosis.damage import Mispaired
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense table"
DATASET = "macrodata"
FIT = {"epochs": 80, "batch_size": 8}


def data(scaler="standard", **changes) -> Data:
    table = macrodata.load_pandas().data.drop(columns=["year", "quarter"])
    return prepare(table.to_numpy(float), scaler=scaler, **{"val": False, **changes})


def build(
    width=24, activation="silu", output="linear", optimizer="adam", learning_rate=4e-3, loss="mse",
    initializer="glorot_uniform",
):  # fmt: skip
    model = keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(width, activation=activation, kernel_initializer=initializer),
            layers.Dense(3, kernel_initializer=initializer),
            layers.Dense(width, activation=activation, kernel_initializer=initializer),
            layers.Dense(12, activation=output, kernel_initializer=initializer),
        ]
    )
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {"nadam": Variant(build={"optimizer": "nadam"})}
FAULTS = {
    "raw_columns": Fault("data.scaling", data={"scaler": "none"}),
    "mispaired": Fault("code.target_mismatch", data={"target": Mispaired()}),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 162}),
    "narrow": Fault("model.capacity_too_small", build={"width": 2}),
}
COMPOUNDS = [("raw_columns", "mispaired")]
