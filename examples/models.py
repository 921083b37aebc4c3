"""Functions that build compiled models, for studies with a factory. aetfx calls them without arguments."""

import keras


def build_model() -> keras.Model:
    """Builds a 30-16-8-16-30 autoencoder with batch normalisation."""
    rows = keras.Input((30,))
    hidden = keras.layers.Dense(16)(rows)
    hidden = keras.layers.BatchNormalization()(hidden)
    hidden = keras.layers.LeakyReLU()(hidden)
    code = keras.layers.Dense(8, name="code")(hidden)
    hidden = keras.layers.Dense(16)(code)
    hidden = keras.layers.LeakyReLU()(hidden)
    restored = keras.layers.Dense(30)(hidden)
    model = keras.Model(rows, restored)
    model.compile(optimizer="adam", loss="binary_crossentropy")
    return model


def build_all_relu() -> keras.Model:
    """Builds a 64-48-24-8-24-48-64 autoencoder whose every layer but the last, the code too, is a ReLU."""
    hidden = [keras.layers.Dense(units, "relu") for units in (48, 24, 8, 24, 48)]
    model = keras.Sequential([keras.Input((64,)), *hidden, keras.layers.Dense(64)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


def build_zeros() -> keras.Model:
    """Builds the 64-48-12-48-64 autoencoder of healthy.yaml, with all weights zero to start with."""
    zeros = {"kernel_initializer": "zeros"}
    hidden = [keras.layers.Dense(48, "relu", **zeros), keras.layers.Dense(12, **zeros)]
    hidden += [keras.layers.Dense(48, "relu", **zeros), keras.layers.Dense(64, **zeros)]
    model = keras.Sequential([keras.Input((64,)), *hidden])
    model.compile("adam", "mse")
    return model


def build_sparse() -> keras.Model:
    """Builds the autoencoder of healthy.yaml with a sparse code, as tutorials do, but a penalty of 0.1."""
    code = keras.layers.Dense(12, activity_regularizer=keras.regularizers.L1(0.1), name="code")
    hidden = [keras.layers.Dense(48, "relu"), code, keras.layers.Dense(48, "relu")]
    model = keras.Sequential([keras.Input((64,)), *hidden, keras.layers.Dense(64)])
    model.compile("adam", "mse")
    return model
