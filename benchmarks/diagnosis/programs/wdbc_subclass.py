"""Breast cancer with a subclassed model, encoder and decoder as attributes, after the TensorFlow tutorial."""

import keras
from keras import layers
from sklearn.datasets import load_breast_cancer

from benchmarks.diagnosis.damage import Marked
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "subclass"
DATASET = "breast_cancer"
FIT = {"epochs": 40, "batch_size": 16}


@keras.saving.register_keras_serializable("wdbc_subclass")
class Autoencoder(keras.Model):
    def __init__(self, latent_dim=6, activation="relu", output="linear", initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.settings = {
            "latent_dim": latent_dim, "activation": activation, "output": output, "initializer": initializer
        }  # fmt: skip
        self.encoder = keras.Sequential(
            [
                layers.Dense(24, activation=activation, kernel_initializer=initializer),
                layers.Dense(latent_dim, kernel_initializer=initializer),
            ]
        )
        self.decoder = keras.Sequential(
            [
                layers.Dense(24, activation=activation, kernel_initializer=initializer),
                layers.Dense(30, activation=output, kernel_initializer=initializer),
            ]
        )

    def call(self, x):
        return self.decoder(self.encoder(x))

    def get_config(self):
        return {**super().get_config(), **self.settings}


def data(scaler="standard", **changes) -> Data:
    return prepare(load_breast_cancer().data, scaler=scaler, **changes)


def build(optimizer="adam", learning_rate=3e-3, loss="mse", **settings):
    autoencoder = Autoencoder(**settings)
    autoencoder.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    autoencoder(keras.ops.zeros((1, 30)))
    return autoencoder


VARIANTS = {"tanh": Variant(build={"activation": "tanh"})}
FAULTS = {
    "raw_columns": Fault("data.scaling", data={"scaler": "none"}),
    "relu_output": Fault("model.output_activation", build={"output": "relu"}),
    "empty_cells": Fault("data.missing", data={"damage": Marked(0.01, float("nan"))}),
    "rate_0.5": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.5}),
    "sgd_default": Fault("optimizer.choice", build={"optimizer": "adagrad", "learning_rate": None}),
}
COMPOUNDS = [("empty_cells", "relu_output")]
