"""Autoencoders as people write them: one function each, all of rows that are small."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers


def sequential():
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, "relu", name="wide"),
            layers.Dense(2, name="code"),
            layers.Dense(8, "relu", kernel_initializer="he_normal", kernel_regularizer="l2", name="back"),
            layers.Dense(6, "sigmoid", name="out"),
        ]
    )


def skip():
    rows = keras.Input((6,))
    wide = layers.Dense(8, "relu", name="wide")(rows)
    code = layers.Dense(2, name="code")(wide)
    back = layers.Dense(8, name="back")(code)
    both = layers.Concatenate(name="both")([back, wide])
    return keras.Model(rows, layers.Dense(6, name="out")(both))


def nested():
    encoder = keras.Sequential([keras.Input((6,)), layers.Dense(8, "relu", name="wide"), layers.Dense(2, name="code")])
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(8, "relu", name="back"), layers.Dense(6, name="out")])
    rows = keras.Input((6,))
    return keras.Model(rows, decoder(encoder(rows)), name="whole")


def same_names():
    """Each half has its own layer `hidden`: allowed, and easily mixed up."""
    encoder = keras.Sequential(
        [keras.Input((6,)), layers.Dense(8, "relu", name="hidden"), layers.Dense(2, name="code")]
    )
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(9, "tanh", name="hidden"), layers.Dense(6, name="out")])
    rows = keras.Input((6,))
    return keras.Model(rows, decoder(encoder(rows)))


def separate():
    """Activations and normalisation as layers of their own."""
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, name="wide"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Dropout(0.1, seed=5, name="drop"),
            layers.Dense(2, name="code"),
            layers.Dense(8, name="back"),
            layers.LeakyReLU(name="leaky"),
            layers.Dense(6, name="out"),
            layers.Activation("tanh", name="squash"),
        ]
    )


def conv():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="down"),
            layers.Flatten(),
            layers.Dense(3, name="code"),
            layers.Dense(64, "relu", name="up"),
            layers.Reshape((4, 4, 4)),
            layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu", name="larger"),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="out"),
        ]
    )


def lstm():
    return keras.Sequential(
        [
            keras.Input((5, 3)),
            layers.LSTM(8, return_sequences=True, name="read"),
            layers.LSTM(2, name="code"),
            layers.RepeatVector(5),
            layers.LSTM(8, return_sequences=True, name="write"),
            layers.TimeDistributed(layers.Dense(3, name="out")),
        ]
    )


def normalised():
    """Learns its scaling from data with `adapt`, as Keras's guides do."""
    norm = layers.Normalization(name="norm")
    norm.adapt(np.random.default_rng(0).normal(50, 9, (200, 6)).astype("float32"))
    return keras.Sequential([keras.Input((6,)), norm, layers.Dense(2, name="code"), layers.Dense(6, name="out")])


@keras.saving.register_keras_serializable("zoo")
class Subclass(keras.Model):
    """A subclass that can describe itself; its layers are its own affair."""

    def __init__(self, code: int = 2, **kwargs):
        super().__init__(**kwargs)
        self.code = code
        self.encoder = keras.Sequential([layers.Dense(8, "relu"), layers.Dense(code)])
        self.decoder = keras.Sequential([layers.Dense(8, "relu"), layers.Dense(6)])

    def call(self, inputs):
        return self.decoder(self.encoder(inputs))

    def get_config(self):
        return {**super().get_config(), "code": self.code}


def subclass():
    model = Subclass(code=3)
    model(np.zeros((1, 6), "float32"))
    return model


def twice(x):
    """An activation of the user's own."""
    return 2 * keras.ops.relu(x)


def ones(shape, dtype=None):
    """An initialiser of the user's own."""
    return keras.ops.ones(shape, dtype)


class Halved(keras.layers.Layer):
    """A layer of the user's own, not registered with Keras."""

    def call(self, inputs):
        return inputs / 2


def custom():
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, twice, kernel_initializer=ones, name="wide"),
            Halved(name="half"),
            layers.Dense(2, name="code"),
            layers.Dense(6, name="out"),
        ]
    )


@keras.saving.register_keras_serializable("zoo")
class Gain(layers.Layer):
    """Registered, with a setting of its own and a weight."""

    def __init__(self, start=0.5, **kwargs):
        super().__init__(**kwargs)
        self.start = start

    def build(self, shape):
        self.gain = self.add_weight(shape=(shape[-1],), initializer=keras.initializers.Constant(self.start))

    def call(self, inputs):
        return inputs * self.gain

    def get_config(self):
        return {**super().get_config(), "start": self.start}


class Residual(layers.Layer):
    """A block of layers that leaves its config to Keras."""

    def __init__(self, units, activation="relu", **kwargs):
        super().__init__(**kwargs)
        self.units, self.inner = units, layers.Dense(units, activation)

    def call(self, inputs):
        return inputs + self.inner(inputs)


@keras.saving.register_keras_serializable("zoo")
def squashed(x):
    """A registered activation."""
    return x / (1 + keras.ops.abs(x))


def blocks():
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, squashed, name="wide"),
            Residual(8, activation="tanh", name="block"),
            Gain(0.25, name="gain"),
            layers.Dense(2, name="code"),
            layers.Dense(6, name="out"),
        ]
    )


SHAPES = {
    sequential: (6,),
    skip: (6,),
    nested: (6,),
    same_names: (6,),
    separate: (6,),
    conv: (8, 8, 1),
    lstm: (5, 3),
    normalised: (6,),
    subclass: (6,),
    custom: (6,),
    blocks: (6,),
}
