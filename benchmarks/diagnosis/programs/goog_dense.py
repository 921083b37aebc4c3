"""Four years of Google's share: price, turnover and the indicators of a trader, 14 standardised columns."""

from dataclasses import dataclass, replace

import keras
import numpy as np
import pandas as pd
from keras import layers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense table"
DATASET = "GOOG"
COLUMNS = ("close", "volume", "turnover", "range", "change", "mean_20", "mean_50", "volatility", "bands", "rsi",
           "macd", "stochastic", "volume_20", "day")  # fmt: skip
IN_DOLLARS = ("close", "turnover", "range", "mean_20", "mean_50", "bands", "macd")
FIT = {"epochs": 50, "batch_size": 16}


def indicators() -> np.ndarray:
    """Returns the days of matplotlib's sample data that have all indicators: (998, 14)."""
    from matplotlib.cbook import get_sample_data

    days = get_sample_data("goog.npz")["price_data"]
    close, high, low = (pd.Series(days[name].astype(float)) for name in ("adj_close", "high", "low"))
    volume = pd.Series(days["volume"].astype(float))
    change, move = 100 * close.pct_change(), close.diff()
    gain, loss = (part.clip(lower=0).ewm(alpha=1 / 14).mean() for part in (move, -move))
    highest, lowest = high.rolling(14).max(), low.rolling(14).min()
    frame = pd.DataFrame(
        {
            "close": close,
            "volume": volume,
            "turnover": close * volume,
            "range": high - low,
            "change": change,
            "mean_20": close.rolling(20).mean(),
            "mean_50": close.rolling(50).mean(),
            "volatility": change.rolling(20).std(),
            "bands": 4 * close.rolling(20).std(),
            "rsi": 100 * gain / (gain + loss),
            "macd": close.ewm(span=12).mean() - close.ewm(span=26).mean(),
            "stochastic": 100 * (close - lowest) / (highest - lowest),
            "volume_20": volume.rolling(20).mean(),
            "day": np.arange(len(days)),
        }
    )
    return frame.dropna()[list(COLUMNS)].to_numpy(np.float64)


@dataclass(frozen=True)
class NotDropped:
    """The first 49 days were left in, whose moving averages are empty."""

    days: int = 49

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        first = rng.random(len(rows)) < self.days / 1047
        rows[first, COLUMNS.index("mean_50")] = np.nan
        for name in ("mean_20", "volatility", "bands", "volume_20"):
            rows[first & (rng.random(len(rows)) < 19 / self.days), COLUMNS.index(name)] = np.nan
        return rows


@dataclass(frozen=True)
class SlippedCommas:
    """A share of the cells is a hundred times too large."""

    share: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.where(rng.random(rows.shape) < self.share, 100 * rows, rows)


@dataclass(frozen=True)
class Actions:
    """Two more columns, of dividends and splits, of which there were none."""

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.concatenate([rows, np.zeros((len(rows), 2))], axis=1)


@dataclass(frozen=True)
class OffByOne:
    """The targets are one column off: the index was counted as a column."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.roll(x, 1, axis=1)


@dataclass(frozen=True)
class By:
    """Sorted by a column before the split."""

    column: str

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return rows[:, COLUMNS.index(self.column)]


def val_in_cents(made: Data) -> Data:
    """Returns the same with val and fresh rows from a source that counts in cents, scaled as the train rows are."""
    factor = np.array([100.0 if name in IN_DOLLARS else 1.0 for name in COLUMNS])
    shift = made.restore(np.zeros(len(COLUMNS)))
    spread = made.restore(np.ones(len(COLUMNS))) - shift

    def cents(fed: np.ndarray) -> np.ndarray:
        return ((made.restore(fed) * factor - shift) / spread).astype("float32")

    return replace(
        made,
        x_val=cents(made.x_val),
        x_fresh=cents(made.x_fresh),
        y_fresh=cents(made.y_fresh),
        fed_mean=cents(made.fed_mean),
        restore=lambda rows: made.restore(rows) / factor,
    )


def data(scaler="standard", cents=False, **changes) -> Data:
    made = prepare(indicators(), scaler=scaler, **changes)
    return val_in_cents(made) if cents else made


def build(
    extra=0, hidden=64, depth=1, code=6, activation="silu", output="linear", optimizer="adam",
    learning_rate=4e-3, loss="mse", initializer="glorot_uniform",
):  # fmt: skip
    def dense(units, activation=None, **more):
        return layers.Dense(units, activation, kernel_initializer=initializer, **more)

    columns = len(COLUMNS) + extra
    model = keras.Sequential(name="indicators")
    model.add(keras.Input((columns,)))
    for _ in range(depth):
        model.add(dense(hidden, activation))
    model.add(dense(code, name="code"))
    for _ in range(depth):
        model.add(dense(hidden, activation))
    model.add(dense(columns, output))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss, metrics=["mae"])
    return model


VARIANTS = {
    "elu": Variant(build={"activation": "elu"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "lecun": Variant(build={"initializer": "lecun_normal"}),
    "wide": Variant(build={"hidden": 128}, search=True),
}
FAULTS = {
    "raw_columns": Fault("data.scaling", data={"scaler": "none"}),
    "first_days_empty": Fault("data.missing", data={"damage": NotDropped()}),
    "slipped_commas": Fault("data.outliers", data={"damage": SlippedCommas(0.004)}),
    "no_dividends": Fault("data.constant_features", data={"damage": Actions(), "scaler": "bare"}, build={"extra": 2}),
    "calm_days_first": Fault("data.train_eval_shift", data={"train_first": By("bands")}),
    "val_in_cents": Fault("code.train_eval_preprocessing_mismatch", data={"cents": True}),
    "one_column_off": Fault("code.target_mismatch", data={"target": OffByOne()}),
    "code_of_1": Fault("model.capacity_too_small", build={"code": 1}),
    "twelve_layers_a_side": Fault("model.capacity_too_large", build={"depth": 12}),
    "bce": Fault("loss.mismatch", build={"loss": "binary_crossentropy"}),
    "linear": Fault("model.linear_activations", build={"activation": "linear"}),
    "rate_1e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-5}),
    "two_epochs": Fault("optimizer.undertrained", fit={"epochs": 2}),
}
COMPOUNDS = [("slipped_commas", "rate_1e-5"), ("one_column_off", "bce")]
