"""Noisy spectra of two shifting peaks in, clean spectra out: a dense denoising autoencoder."""

from dataclasses import replace

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.damage import Stuck
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense denoising"
DATASET = "spectra"
CHANNELS = 64
FIT = {"epochs": 60, "batch_size": 16}


def spectra(count: int = 1000) -> np.ndarray:
    """Returns detector counts of samples with two peaks on a sloping ground; heat shifts and widens the peaks."""
    rng = np.random.default_rng(11)
    at = np.linspace(0, 1, CHANNELS)
    heat, first, second, ground, slope = rng.uniform(0, 1, (5, count, 1))
    rows = (0.3 + 0.7 * first) * np.exp(-0.5 * ((at - 0.2 - 0.2 * heat) / (0.04 + 0.03 * heat)) ** 2)
    rows += (0.3 + 0.7 * second) * np.exp(-0.5 * ((at - 0.8 + 0.25 * heat**2) / 0.06) ** 2)
    return np.round(3000 * (rows + 0.15 * ground + 0.15 * slope * at))


def data(scaler=3000.0, noise=0.1, target_factor=1.0, **changes) -> Data:
    made = prepare(spectra(), scaler=scaler, noise=noise, **changes)
    return replace(made, y_train=target_factor * made.y_train, y_val=target_factor * made.y_val)


def build(
    width=64, code=6, activation="silu", code_activation=None, output="linear", optimizer="adam",
    learning_rate=1.5e-3, loss="mse", initializer="he_normal", dropout=0.0, sparsity=0.0, channels=CHANNELS,
):  # fmt: skip
    def dense(units, activation=None, **more):
        return layers.Dense(units, activation, kernel_initializer=initializer, **more)

    inputs = keras.Input((channels,))
    x = dense(width, activation)(inputs)
    x = layers.Dropout(dropout)(x) if dropout else x
    x = dense(width // 2, activation)(x)
    penalty = keras.regularizers.L1(sparsity) if sparsity else None
    x = dense(code, code_activation, activity_regularizer=penalty)(x)
    x = dense(width // 2, activation)(x)
    x = dense(width, activation)(x)
    model = keras.Model(inputs, dense(channels, output)(x))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "nadam": Variant(build={"optimizer": "nadam"}),
    "channels_standardised": Variant(data={"scaler": "standard", "noise": 0.35}, search=True),
    "wider": Variant(build={"width": 96}, search=True),
}
FAULTS = {
    "no_activations": Fault("model.linear_activations", build={"activation": "linear"}),
    "relu_everywhere": Fault(
        "model.dead_units", build={"activation": "relu", "code_activation": "relu", "output": "relu"}
    ),
    "sparse_code": Fault("model.regularization", build={"sparsity": 1e-2}),
    "zero_weights": Fault("model.initialization", build={"initializer": "zeros"}),
    "code_2": Fault("model.capacity_too_small", build={"code": 2}),
    "rate_0.05": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.05}),
    "default_sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": None}),
    "batch_256": Fault("optimizer.batch_size", fit={"batch_size": 256}),
    "crossentropy": Fault("loss.mismatch", build={"loss": "binary_crossentropy"}),
    "target_per_4096": Fault("code.target_mismatch", data={"target_factor": 3000.0 / 4096.0}),
    "eighty_spectra": Fault("data.too_few_rows", data={"n_train": 80}, fit={"epochs": 450}),
    "dead_channels": Fault(
        "data.constant_features", data={"damage": Stuck(16)}, build={"channels": 80}, of="channels_standardised"
    ),
}
COMPOUNDS = [("no_activations", "batch_256"), ("code_2", "default_sgd")]
