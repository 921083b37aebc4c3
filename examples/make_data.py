"""Writes the data of the examples to examples/data/, from the sets that scikit-learn brings along. No network.

    python examples/make_data.py               # what is missing
    python examples/make_data.py digits.npy    # these, anew

Rows and values are the published ones unless a function says what it adds to them; what is added comes
from a fixed seed, so that every machine writes the same files.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parent / "data"

Table = tuple[list[str], np.ndarray]


def _digits() -> np.ndarray:
    """1,797 handwritten digits of 8 x 8 pixels as 64 columns in [0, 1], float32."""
    from sklearn.datasets import load_digits

    return (load_digits().data / 16).astype("float32")


def _digits_times_1000() -> np.ndarray:
    """The digits as an instrument might store them: 0 to 1000, float32."""
    return _digits() * 1000


def _digits_other_rows() -> np.ndarray:
    """The digits in another order: row for row another digit, float32."""
    return _digits()[np.random.default_rng(0).permutation(1797)]


def _digits_most() -> np.ndarray:
    """1,300 digits, drawn at random, in [0, 1], float32."""
    return _digits_other_rows()[:1300]


def _digits_rest_grey() -> np.ndarray:
    """The other 497 as they were published, grey levels 0 to 16, float32."""
    return _digits_other_rows()[1300:] * 16


def _digits_few() -> np.ndarray:
    """150 digits, drawn at random, float32."""
    return _digits_other_rows()[:150]


def _digits_many() -> np.ndarray:
    """The 1,647 other digits, float32."""
    return _digits_other_rows()[150:]


def _digits_0_to_6() -> np.ndarray:
    """The zeros to sixes among the digits, float32."""
    return _digits()[_labels() < 7]


def _digits_7_to_9() -> np.ndarray:
    """The sevens to nines, float32."""
    return _digits()[_labels() >= 7]


def _labels() -> np.ndarray:
    from sklearn.datasets import load_digits

    return np.asarray(load_digits().target)


def _digits_8() -> np.ndarray:
    """The digits as images of 8 x 8 pixels, (1797, 8, 8) float32 in [0, 1]."""
    return _digits().reshape(-1, 8, 8)


def _digits_28() -> np.ndarray:
    """The digits enlarged to 28 x 28 pixels by linear interpolation, (1797, 28, 28) float32 in [0, 1]."""
    from scipy.ndimage import zoom

    images = zoom(_digits().reshape(-1, 8, 8), (1, 28 / 8, 28 / 8), order=1)
    return images.clip(0, 1).astype("float32")


def _digits_thresholded() -> np.ndarray:
    """The digits as black and white: 1 where a pixel is at least half ink, float32."""
    return (_digits() >= 0.5).astype("float32")


def _digits_brightest() -> np.ndarray:
    """The enlarged digits, 1 where the ink is full: 784 columns with 1.6 % ones, float32."""
    return (_digits_28() >= 0.97).reshape(-1, 28 * 28).astype("float32")


def _noise() -> np.ndarray:
    """Independent uniform noise from 0 to 1000: nothing in it can be compressed. Float64, (1000, 784)."""
    return np.random.default_rng(0).random((1000, 784)) * 1000


def _patches() -> np.ndarray:
    """2,000 patches of 8 x 8 pixels from the photograph of a temple, grey levels 0 to 255, float32."""
    grey = _photograph()
    rng = np.random.default_rng(0)
    tops, lefts = rng.integers(0, grey.shape[0] - 8, 2000), rng.integers(0, grey.shape[1] - 8, 2000)
    return np.stack([grey[i : i + 8, j : j + 8] for i, j in zip(tops, lefts, strict=True)]).astype("float32")


def _turning_camera() -> np.ndarray:
    """1,000 frames of 12 x 12 pixels of the temple's roof under a camera that turns about its own axis, float32."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    grey = gaussian_filter(_photograph() / 255, 6)
    angles = np.random.default_rng(0).random(1000) * 2 * np.pi
    y, x = (np.mgrid[:12, :12] - 5.5) * 6
    rows = np.cos(angles)[:, None, None] * y - np.sin(angles)[:, None, None] * x + 140
    columns = np.sin(angles)[:, None, None] * y + np.cos(angles)[:, None, None] * x + 250
    return map_coordinates(grey, [rows, columns], order=1).astype("float32")


def _photograph() -> np.ndarray:
    """The temple in grey levels, (427, 640) float64, 0 to 255."""
    from sklearn.datasets import load_sample_image

    return load_sample_image("china.jpg").astype(float).mean(axis=2)


def _wine() -> Table:
    """178 wines, 13 chemical measurements whose ranges go from 0.5 to 1,400."""
    from sklearn.datasets import load_wine

    table = load_wine()
    return list(table.feature_names), table.data


def _breast_cancer() -> Table:
    """569 tumours, 30 measurements."""
    from sklearn.datasets import load_breast_cancer

    table = load_breast_cancer()
    return list(table.feature_names), table.data


def _breast_cancer_holes() -> Table:
    """The same with 3 % of the cells empty, as when measurements were not taken."""
    names, values = _breast_cancer()
    values = values.copy()
    values[np.random.default_rng(0).random(values.shape) < 0.03] = np.nan
    return names, values


def _breast_cancer_counters() -> Table:
    """The same beside 30 counters of the instrument's errors, each 0 but for one tumour in 150."""
    names, values = _breast_cancer()
    rng = np.random.default_rng(0)
    counts = rng.poisson(3, size=(len(values), 30)) * (rng.random((len(values), 30)) < 1 / 150)
    return [*names, *(f"errors {i:02d}" for i in range(30))], np.concatenate([values, counts], axis=1)


def _breast_cancer_typos() -> Table:
    """The same with one cell in 300 a thousand times too large: a decimal point lost in typing."""
    names, values = _breast_cancer()
    values = values.copy()
    values[np.random.default_rng(0).random(values.shape) < 1 / 300] *= 1000
    return names, values


def _diabetes_few() -> Table:
    """60 of 442 patients, drawn at random, with 10 measurements, as from a first small study."""
    names, values = _diabetes()
    return names, values[:60]


def _diabetes_rest() -> Table:
    """The 382 other patients."""
    names, values = _diabetes()
    return names, values[60:]


def _diabetes() -> Table:
    """442 patients in a random order, 10 measurements."""
    from sklearn.datasets import load_diabetes

    table = load_diabetes()
    return list(table.feature_names), table.data[np.random.default_rng(0).permutation(len(table.data))]


FILES: dict[str, Callable[[], np.ndarray | Table]] = {
    "digits.npy": _digits,
    "digits_times_1000.npy": _digits_times_1000,
    "digits_other_rows.npy": _digits_other_rows,
    "digits_most.npy": _digits_most,
    "digits_rest_grey.npy": _digits_rest_grey,
    "digits_few.npy": _digits_few,
    "digits_many.npy": _digits_many,
    "digits_0_to_6.npy": _digits_0_to_6,
    "digits_7_to_9.npy": _digits_7_to_9,
    "digits_8.npy": _digits_8,
    "digits_28.npy": _digits_28,
    "digits_thresholded.npy": _digits_thresholded,
    "digits_brightest.npy": _digits_brightest,
    "noise.npy": _noise,
    "patches.npy": _patches,
    "turning_camera.npy": _turning_camera,
    "wine.csv": _wine,
    "breast_cancer.parquet": _breast_cancer,
    "breast_cancer_holes.csv": _breast_cancer_holes,
    "breast_cancer_counters.csv": _breast_cancer_counters,
    "breast_cancer_typos.csv": _breast_cancer_typos,
    "diabetes_few.csv": _diabetes_few,
    "diabetes_rest.csv": _diabetes_rest,
}


def make(names: list[str] | None = None, folder: Path = DATA) -> list[Path]:
    """Writes the named files, or those that are missing; a file appears whole or not at all.

    Args:
      names: keys of `FILES`; None for all that are not there.
      folder: where to.

    Returns:
      The paths written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [name for name in FILES if not (folder / name).exists()] if names is None else names
    for name in wanted:
        temporary = folder / f".{os.getpid()}-{name}"
        _write(temporary, FILES[name]())
        temporary.replace(folder / name)
    return [folder / name for name in wanted]


def _write(path: Path, content: np.ndarray | Table) -> None:
    if isinstance(content, np.ndarray):
        np.save(path, content)
    elif path.suffix == ".csv":
        names, values = content
        # repr() of a float64 is its shortest exact form; an empty cell is a missing one.
        rows = [",".join("" if np.isnan(value) else repr(float(value)) for value in row) for row in values]
        path.write_text("\n".join([",".join(names), *rows]) + "\n", encoding="utf-8")
    else:
        import pyarrow as pa
        from pyarrow import parquet

        names, values = content
        parquet.write_table(pa.table({name: values[:, j] for j, name in enumerate(names)}), path)


if __name__ == "__main__":
    unknown = [name for name in sys.argv[1:] if name not in FILES]
    if unknown:
        sys.exit(f"make_data.py: no file named {unknown[0]}. Known: {', '.join(FILES)}.")
    for written in make(sys.argv[1:] or None):
        print(written)
