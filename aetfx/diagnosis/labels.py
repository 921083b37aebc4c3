"""What the fix does for labels that the user has: nothing is trained or chosen by them, they only judge.

Two kinds, told from the labels themselves:

- *probe*: the train rows have several classes. A linear classifier (ridge, one against the rest, classes weighted
  alike) is fitted on the codes of the train rows and scored on the held-out rows: balanced accuracy, 1 is perfect and
  1 / classes chance.
- *anomaly_auc*: the train rows have one class and the held-out rows two. The error of a row is taken as its anomaly
  score: the probability that an anomalous row comes back worse than a normal one, 1 is perfect and 0.5 chance.

Both are means over the trainings that the user's recipe and the repaired one share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.comparison.lab import Lab
from aetfx.errors import DataError
from aetfx.models.reading import layer_outputs, read_architecture
from aetfx.training.recipe import Recipe
from aetfx.training.trial import Trial

_RIDGE = 1.0  # penalty on standardised codes, as scikit-learn's RidgeClassifier has it
_MOST_ROWS = 4096  # of the train rows, evenly spaced: a linear probe needs no more


@dataclass(frozen=True)
class Labels:
    """Labels in the order of the rows.

    Attributes:
      train: of `x_train`, (n,).
      held_out: of `x_val`; None where the held-out rows are a fraction of `x_train`.
    """

    train: np.ndarray
    held_out: np.ndarray | None


def check_labels(
    labels: Any,
    labels_val: Any,
    n_train: int,
    n_val: int | None,
    names: tuple[str, str, str, str] = ("labels", "labels_val", "x_train", "x_val"),
) -> Labels | None:
    """Checks labels against the rows before anything is trained.

    Args:
      labels: of the train rows, or None where all are normal.
      labels_val: of the held-out rows.
      n_train: rows of `x_train`.
      n_val: rows of `x_val`, None where there is none.
      names: what the user calls the labels and the rows, train first.

    Returns:
      None where no labels were given.

    Raises:
      DataError: they do not fit the rows, or there is nothing to tell apart.
    """
    if labels is None and labels_val is None:
        return None
    if (labels_val is None) is not (n_val is None):
        missing = "is missing, the labels of" if labels_val is None else "was given without"
        raise DataError(f"{names[1]} {missing} {names[3]}. Give both or neither.")
    if labels is None:
        if not set(np.unique(np.asarray(labels_val)).tolist()) <= {0, 1}:
            raise DataError(f"{names[1]}: without labels of {names[2]} they must be 0 (normal) and 1 (anomalous).")
        labels = np.zeros(n_train, dtype=int)
    found = [_checked(labels, n_train, names[0], names[2])]
    if labels_val is not None and n_val is not None:
        found.append(_checked(labels_val, n_val, names[1], names[3]))
    if any(part.dtype.kind not in "biuf" for part in found):
        found = [part.astype(str) for part in found]
    if len(np.unique(np.concatenate(found))) < 2:
        raise DataError(
            f"{names[0]}: all rows have the same label, so that there is nothing to tell apart. Leave them out."
        )
    return Labels(found[0], found[1] if len(found) > 1 else None)


def effect(lab: Lab, labels: Labels, before: Recipe, after: Recipe | None) -> dict[str, Any] | None:
    """Measures what the fix does for the labels.

    Args:
      lab: holds the trials of both recipes.
      labels: checked.
      before: the user's own recipe.
      after: the repaired one, or None.

    Returns:
      `{"kind": "probe" | "anomaly_auc", "before", "after", "trainings"}`, or None where it cannot be measured: the
      layers of the model cannot be seen, or the held-out rows have one class only.
    """
    trained, _ = _sides(lab, labels, 0)
    kind = "probe" if len(np.unique(trained)) > 1 else "anomaly_auc"
    keys = [key[1:] for key in lab.trials if key[0] == before.identity]
    if after is not None:
        keys = [key for key in keys if (after.identity, *key) in lab.trials]
    means = []
    for recipe in (before, after):
        if recipe is None:
            continue
        values = [_value(kind, lab, labels, lab.trials[(recipe.identity, *key)], key[1]) for key in keys]
        known = [value for value in values if value is not None]
        if not known:
            return None
        means.append(float(np.mean(known)))
    return {"kind": kind, "before": means[0], "after": means[1] if after is not None else None, "trainings": len(keys)}


def balanced_accuracy(codes: np.ndarray, labels: np.ndarray, new: np.ndarray, truth: np.ndarray) -> float:
    """Fits a linear probe on codes (n, k) and returns its balanced accuracy on others.

    >>> codes = np.array([[0.0], [0.1], [1.0], [1.1]])
    >>> balanced_accuracy(codes, np.array([0, 0, 1, 1]), np.array([[0.2], [0.9]]), np.array([0, 1]))
    1.0
    """
    classes, numbers = np.unique(labels, return_inverse=True)
    if not (np.isfinite(codes).all() and np.isfinite(new).all()):
        return 1.0 / len(classes)  # codes that are no numbers tell nothing
    mean, sd = codes.mean(axis=0), codes.std(axis=0)
    sd = np.where(sd > 1e-12 * np.maximum(1.0, np.abs(mean)), sd, np.inf)
    ones = np.ones((len(codes), 1))
    design = np.concatenate([(codes - mean) / sd, ones], axis=1)
    targets = np.where(numbers[:, None] == np.arange(len(classes)), 1.0, -1.0)
    weight = (len(codes) / len(classes) / np.bincount(numbers))[numbers][:, None]
    penalty = np.diag([_RIDGE] * codes.shape[1] + [0.0])
    solution = np.linalg.solve(design.T @ (weight * design) + penalty, design.T @ (weight * targets))
    guess = classes[np.argmax(np.concatenate([(new - mean) / sd, np.ones((len(new), 1))], axis=1) @ solution, axis=1)]
    return float(np.mean([np.mean(guess[truth == label] == label) for label in np.unique(truth)]))


def auc(scores: np.ndarray, anomalous: np.ndarray) -> float:
    """Returns the probability that an anomalous row scores above a normal one; ties count half.

    >>> auc(np.array([1.0, 2.0, 3.0, np.inf]), np.array([False, False, True, True]))
    1.0
    """
    from scipy.stats import rankdata

    ranks = rankdata(np.nan_to_num(scores, nan=np.inf, posinf=np.finfo(np.float64).max))
    n_odd, n_even = int(anomalous.sum()), int((~anomalous).sum())
    return float((ranks[anomalous].sum() - n_odd * (n_odd + 1) / 2) / (n_odd * n_even))


def _value(kind: str, lab: Lab, labels: Labels, trial: Trial, index: int) -> float | None:
    trained, held = _sides(lab, labels, index)
    split = lab.split(index)
    if len(np.unique(held)) < 2:
        return None
    if kind == "anomaly_auc":
        errors = lab.scorer(index).row_errors(split.held_out, trial.predict(split.held_out))
        return auc(errors, held != trained[0])
    step = -(-len(trained) // _MOST_ROWS)
    codes = [_codes(lab, trial, rows) for rows in (split.train[::step], split.held_out)]
    if codes[0] is None or codes[1] is None:
        return None
    return balanced_accuracy(codes[0], trained[::step], codes[1], held)


def _codes(lab: Lab, trial: Trial, rows: np.ndarray) -> np.ndarray | None:
    code = read_architecture(trial.model, lab.shape).code
    if code is None:
        return None
    outputs = layer_outputs(trial.model, trial.preprocessing.apply(rows), only=code.last)
    values = outputs.get(code.last)
    return None if values is None else np.asarray(values, np.float64).reshape(len(rows), -1)


def _sides(lab: Lab, labels: Labels, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels of the train rows and of the held-out rows of a split, in the order of the rows there."""
    kept, select, confirm = lab.positions(index)
    out = labels.train if labels.held_out is None else labels.held_out
    return labels.train[kept], out[np.concatenate([select, confirm])]


def _checked(labels: Any, n_rows: int, name: str, rows: str) -> np.ndarray:
    values = np.asarray(labels)
    values = values.reshape(-1) if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim != 1 or len(values) != n_rows:
        raise DataError(
            f"{name}: must be one label for each of the {n_rows} rows of {rows}, in their order, but got an array of "
            f"shape {values.shape}."
        )
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise DataError(
            f"{name}: {int((~np.isfinite(values)).sum())} labels are NaN. Leave those rows out, or name them."
        )
    return values
