"""A function that builds a compiled model, for factory.yaml. aetfx calls it without arguments."""

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
