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


def bidirectional():
    return keras.Sequential(
        [
            keras.Input((5, 3)),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="read"),
            layers.Bidirectional(layers.GRU(2), name="code"),
            layers.RepeatVector(5),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True), merge_mode="sum", name="write"),
            layers.TimeDistributed(layers.Dense(3, name="out")),
        ]
    )


def functions():
    """Activations as plain functions between the layers of a functional model."""
    rows = keras.Input((6,))
    wide = keras.activations.relu(layers.Dense(8, name="wide")(rows))
    code = layers.Dense(2, name="code")(wide)
    back = keras.ops.leaky_relu(layers.Dense(8, name="back")(code), negative_slope=0.2)
    return keras.Model(rows, keras.ops.sigmoid(layers.Dense(6, name="out")(back)))


@keras.saving.register_keras_serializable("zoo")
class FunctionsInCall(keras.Model):
    """A subclass that holds its layers in its configuration and applies the activations itself."""

    def __init__(self, wide, code, back, out, **kwargs):
        super().__init__(**kwargs)
        self.wide, self.code, self.back, self.out = wide, code, back, out

    def call(self, inputs):
        import tensorflow as tf

        back = tf.nn.elu(self.back(self.code(tf.nn.relu(self.wide(inputs)))))
        return tf.nn.sigmoid(self.out(back))

    def get_config(self):
        parts = {
            name: keras.saving.serialize_keras_object(getattr(self, name)) for name in ("wide", "code", "back", "out")
        }
        return {**super().get_config(), **parts}

    @classmethod
    def from_config(cls, config):
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in ("wide", "code", "back", "out")}
        return cls(**{**config, **parts})


def functions_in_call():
    model = FunctionsInCall(
        layers.Dense(8, name="wide"),
        layers.Dense(2, name="code"),
        layers.Dense(8, name="back"),
        layers.Dense(6, name="out"),
    )
    model(np.zeros((1, 6), "float32"))
    return model


def _block(x, name):
    """A transformer block: attention and a feed-forward part, each beside a connection that skips it."""
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4, name=f"{name}_attention")(x, x))
    inside = layers.Dense(4, "gelu", name=f"{name}_up")(x)
    return layers.LayerNormalization()(layers.Add()([x, layers.Dense(8, name=f"{name}_down")(inside)]))


def transformer():
    rows = keras.Input((6, 3))
    x = _block(layers.Dense(8, name="embed")(rows), "encoder")
    code = layers.Dense(2, name="code")(layers.Flatten()(x))
    x = layers.Reshape((6, 8))(layers.Dense(48, "relu", name="spread")(code))
    return keras.Model(rows, layers.Dense(3, name="out")(_block(x, "decoder")))


def unet():
    rows = keras.Input((8, 8, 1))
    one = layers.Conv2D(4, 3, padding="same", activation="relu", name="one")(rows)
    two = layers.Conv2D(6, 3, padding="same", activation="relu", name="two")(layers.MaxPooling2D()(one))
    deep = layers.Conv2D(2, 3, padding="same", activation="relu", name="deep")(layers.MaxPooling2D()(two))
    up = layers.Concatenate()([layers.UpSampling2D()(deep), two])
    up = layers.Conv2D(6, 3, padding="same", activation="relu", name="up")(up)
    up = layers.Concatenate()([layers.UpSampling2D()(up), one])
    return keras.Model(rows, layers.Conv2D(1, 1, activation="sigmoid", name="out")(up))


def pooled():
    """Convolutions only, as in Keras's own tutorial: the code is the smallest feature map."""
    same = {"padding": "same", "activation": "relu"}
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, name="first", **same),
            layers.MaxPooling2D(2, padding="same", name="half"),
            layers.Conv2D(4, 3, name="second", **same),
            layers.MaxPooling2D(2, padding="same", name="quarter"),
            layers.Conv2D(4, 3, name="third", **same),
            layers.UpSampling2D(2),
            layers.Conv2D(8, 3, name="fourth", **same),
            layers.UpSampling2D(2),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="out"),
        ]
    )


def shared():
    """One activation layer and one dense layer that are used twice."""
    rows, relu, twice_used = keras.Input((6,)), layers.ReLU(name="relu"), layers.Dense(8, name="again")
    wide = relu(layers.Dense(8, name="wide")(rows))
    wide = relu(twice_used(relu(twice_used(wide))))
    code = layers.Dense(2, name="code")(wide)
    return keras.Model(rows, layers.Dense(6, name="out")(relu(layers.Dense(8, name="back")(code))))


@keras.saving.register_keras_serializable("zoo")
class Transposed(layers.Layer):
    """A decoder layer that uses the kernel of an encoder layer."""

    def __init__(self, dense, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.dense, self.activation = dense, keras.activations.get(activation)

    def build(self, shape):
        self.bias = self.add_weight(shape=(self.dense.kernel.shape[0],), initializer="zeros", name="bias")

    def call(self, inputs):
        return self.activation(keras.ops.matmul(inputs, keras.ops.transpose(self.dense.kernel)) + self.bias)

    def get_config(self):
        dense = keras.saving.serialize_keras_object(self.dense)
        return {**super().get_config(), "dense": dense, "activation": keras.activations.serialize(self.activation)}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "dense": keras.saving.deserialize_keras_object(config["dense"])})


def tied():
    wide, code = layers.Dense(8, "relu", name="wide"), layers.Dense(2, name="code")
    return keras.Sequential(
        [keras.Input((6,)), wide, code, Transposed(code, "relu", name="back"), Transposed(wide, name="out")]
    )


def states():
    """Encoder and decoder of sequences: the states of the one start the other."""
    rows = keras.Input((5, 3))
    _, h, c = layers.LSTM(4, return_state=True, name="code")(rows)
    steps = layers.RepeatVector(5)(h)
    back = layers.LSTM(4, return_sequences=True, name="write")(steps, initial_state=[h, c])
    return keras.Model(rows, layers.TimeDistributed(layers.Dense(3, name="out"))(back))


def tanh_out():
    """A recurrent layer as the output, which cannot leave -1 to 1."""
    return keras.Sequential(
        [
            keras.Input((5, 3)),
            layers.Masking(0.0),
            layers.LSTM(2, name="code"),
            layers.RepeatVector(5),
            layers.LSTM(3, return_sequences=True, name="out"),
        ]
    )


def nested_conv():
    encoder = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="down"),
            layers.Conv2D(2, 3, strides=2, padding="same", name="code"),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input((2, 2, 2)),
            layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu", name="up"),
            layers.Conv2DTranspose(1, 3, strides=2, padding="same", name="out"),
        ]
    )
    rows = keras.Input((8, 8, 1))
    return keras.Model(rows, decoder(encoder(rows)))


def frames():
    """An encoder and a decoder that are repeated over the steps of a sequence."""
    encoder = keras.Sequential([keras.Input((4,)), layers.Dense(6, "relu", name="wide"), layers.Dense(2, name="code")])
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(6, "relu", name="back"), layers.Dense(4, name="out")])
    return keras.Sequential([keras.Input((5, 4)), layers.TimeDistributed(encoder), layers.TimeDistributed(decoder)])


def rescaled():
    """Scales in the model: what the last weighted layer gives is not what the model gives."""
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Rescaling(1 / 255),
            layers.Dense(2, name="code"),
            layers.Dense(6, "sigmoid", name="out"),
            layers.Rescaling(255.0),
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
    bidirectional: (5, 3),
    functions: (6,),
    functions_in_call: (6,),
    transformer: (6, 3),
    unet: (8, 8, 1),
    pooled: (8, 8, 1),
    shared: (6,),
    tied: (6,),
    states: (5, 3),
    tanh_out: (5, 3),
    nested_conv: (8, 8, 1),
    frames: (5, 4),
    rescaled: (6,),
}
