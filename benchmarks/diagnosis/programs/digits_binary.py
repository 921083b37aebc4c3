"""Digits thresholded to black and white: 64 bits with cross-entropy."""

import keras
from keras import layers
from sklearn.datasets import load_digits

from benchmarks.diagnosis.damage import Mispaired
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense image"
DATASET = "digits, thresholded"
FIT = {"epochs": 40, "batch_size": 32}


def data(**changes) -> Data:
    return prepare(load_digits().data > 7, **{"val": False, **changes})


def build(
    width=64, activation="relu", output="sigmoid", optimizer="adam", learning_rate=2e-3, loss="binary_crossentropy",
    initializer="he_normal",
):  # fmt: skip
    encoder = keras.Sequential([keras.Input((64,)), layers.Dense(width, activation, kernel_initializer=initializer),
                                layers.Dense(16)], name="encoder")  # fmt: skip
    decoder = keras.Sequential([keras.Input((16,)), layers.Dense(width, activation, kernel_initializer=initializer),
                                layers.Dense(64, output)], name="decoder")  # fmt: skip
    inputs = keras.Input((64,))
    model = keras.Model(inputs, decoder(encoder(inputs)))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {"silu": Variant(build={"activation": "silu"})}
FAULTS = {
    "mae": Fault("loss.mismatch", build={"loss": "mae"}),
    "kl_divergence": Fault("loss.mismatch", build={"loss": "kl_divergence"}),
    "tanh_output": Fault("model.output_activation", build={"output": "tanh"}),
    "mispaired": Fault("code.target_mismatch", data={"target": Mispaired()}),
    "narrow": Fault("model.capacity_too_small", build={"width": 4}),
    "rate_3e-6": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 3e-6}),
}
COMPOUNDS = [("kl_divergence", "mispaired")]
