"""What the configurations are compared with, beside each other: the mean, PCA, and the floor of cross-entropy.

PCA at the code width of each configuration is fitted on the train rows in the unit of the score (of a table each column
in its own spread), which makes it the best linear code for this score. It is left out where METHOD section 1 does: for
stochastic and sequence models, and where the code is wider than half of rows or columns.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable

import numpy as np

from aetfx.evaluation.baselines import MEAN_SCORE, entropy_floor, pca
from aetfx.evaluation.predictors import KerasPredictor, PcaPredictor
from aetfx.evaluation.score import Scorer
from aetfx.words import components

MEAN_NAME = "mean of the train rows"
MEAN = (MEAN_NAME, MEAN_SCORE)
_MOST_ROWS = 20_000  # for PCA
_MOST_WIDE_CELLS = 1 << 24  # of a Gram matrix
_CROSS_ENTROPIES = ("binary_crossentropy", "binarycrossentropy", "bce")


def pca_widths(predictors: Iterable[KerasPredictor], n_rows: int, n_columns: int) -> list[int]:
    """Returns the code widths at which PCA is a fair reference, ascending."""
    found = set()
    for predictor in predictors:
        architecture = predictor.architecture
        if architecture is None or architecture.code_width is None or architecture.over_time or predictor.stochastic:
            continue
        if architecture.code_width <= min(n_rows, n_columns) / 2:
            found.add(int(architecture.code_width))
    return sorted(found)


def fit_pca(scorer: Scorer, train: np.ndarray, widths: Iterable[int]) -> dict[str, PcaPredictor]:
    """Fits principal components on train rows (n, *shape) inside the fences; by the name of the reference."""
    widths, train = list(widths), train[:_MOST_ROWS]
    train = train[scorer.inlier_rows(train)]
    flat = np.asarray(train, np.float64).reshape(len(train), -1)
    if not widths or min(flat.shape) ** 2 > _MOST_WIDE_CELLS:
        return {}
    scored = scorer.mask(flat) & scorer.included
    mean = np.where(scorer.included, np.nan_to_num(scorer.train_mean), 0.0)
    unit = np.ones(flat.shape[1])
    if scorer.features != "tensor" or scorer.channels:
        unit = np.where(scorer.included & (scorer.train_spread > 0), np.sqrt(np.nan_to_num(scorer.train_spread)), 1.0)
    fed = np.where(scored, (flat - mean) / unit, 0.0)
    middle, directions = pca(fed, max(widths))
    mean = mean + middle * unit
    return {components(k): PcaPredictor(mean, unit, directions[:k]) for k in widths}


def cross_entropy_floor(train: np.ndarray, scorer: Scorer, paths: Iterable[str]) -> tuple[str, float] | None:
    """Returns the least cross-entropy (nats per value) that grey values allow, where a model was trained with it.

    None for other values, for zeros and ones alone, and where no model says that this is its loss.
    """
    if scorer.metric == "deviance" or not any(_loss(path) in _CROSS_ENTROPIES for path in paths):
        return None
    values = np.asarray(train[:_MOST_ROWS], np.float64).reshape(min(len(train), _MOST_ROWS), -1)[:, scorer.included]
    values = values[np.isfinite(values)]
    if not values.size or values.min() < 0 or values.max() > 1:
        return None
    return "least cross-entropy that these grey values allow, nats per value", entropy_floor(values)


def _loss(path: str) -> str:
    """Returns the loss that a `.keras` file was compiled with, in small letters; "" where it does not say."""
    try:
        with zipfile.ZipFile(path) as archive:
            told = (json.loads(archive.read("config.json")).get("compile_config") or {}).get("loss")
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, AttributeError):
        return ""
    if isinstance(told, dict):
        told = told.get("class_name") or (told.get("config") or {}).get("name")
    return str(told or "").lower()
