"""Short waves of 16 steps through an LSTM autoencoder, as for anomaly detection in time series."""

import keras
from keras import layers

from benchmarks.diagnosis.damage import Late
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import waves

ARCHITECTURE = "LSTM"
DATASET = "waves"
FIT = {"epochs": 25, "batch_size": 32}


def data(amplitude=1.0, **changes) -> Data:
    return prepare(waves(1000, 16, amplitude=amplitude), **changes)


def build(output="linear", optimizer="adam", learning_rate=8e-3, loss="mse", initializer="glorot_uniform"):
    model = keras.Sequential()
    model.add(keras.Input((16, 1)))
    model.add(layers.LSTM(32, kernel_initializer=initializer))
    model.add(layers.RepeatVector(16))
    model.add(layers.LSTM(32, kernel_initializer=initializer, return_sequences=True))
    model.add(layers.TimeDistributed(layers.Dense(1, activation=output)))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {"nadam": Variant(build={"optimizer": "nadam"})}
FAULTS = {
    "relu_output": Fault("model.output_activation", build={"output": "relu"}),
    "two_epochs": Fault("optimizer.undertrained", fit={"epochs": 2}),
    "late_targets": Fault("code.target_mismatch", data={"target": Late()}),
    "in_millivolts": Fault("data.scaling", data={"amplitude": 1000.0}),
    "adadelta": Fault("optimizer.choice", build={"optimizer": "adadelta", "learning_rate": None}),
}
COMPOUNDS = [("relu_output", "two_epochs")]
