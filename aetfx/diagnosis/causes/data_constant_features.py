"""Columns that say nothing, and yet reach the loss."""

from __future__ import annotations

import numpy as np

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.preprocessing.constant import constant_columns
from aetfx.preprocessing.transform import missing_cells
from aetfx.words import listed, percent


class ConstantFeatures(Cause):
    code = "data.constant_features"
    title = "Constant columns in the loss"
    meaning = (
        "Columns that hardly ever change are learnt at the expense of the others: as NaN, as jitter blown up by "
        "scaling, or as a large number that drowns the rest."
    )
    order = 21

    def admit(self, case: Case) -> Admission:
        if case.recipe.preprocessing.get("constant", "none") != "none":
            return Admission.no("constant columns are already left out")
        constant = _constant(case)
        n_columns = len(constant)
        if not constant.any():
            return Admission.no(f"none of the {n_columns} columns is constant or nearly so")
        if constant.all():
            return Admission.no(f"all of the {n_columns} columns rarely change: such are these data")
        fed = case.trial.preprocessing.apply(case.train_part.inputs).reshape(len(case.train_part), -1)
        names = [case.lab.names[j] for j in np.flatnonzero(constant)]
        which = f"{len(names)} of {n_columns} columns ({listed(names, 3)}) hardly ever change"
        evidence = [*_nothing(case, fed, constant), *_weight(case, fed, constant), *_level(case, fed, constant)]
        if not evidence:
            return Admission.no(f"{which}, but they weigh little in the loss, or no more than in the score")
        return Admission.yes(which, *evidence)

    def experiments(self, case: Case) -> list[Experiment]:
        recipe = case.recipe.changed(
            name="constant=drop",
            preprocessing={**case.recipe.preprocessing, "constant": "drop"},
            masked_loss=True,
        )
        return [
            Experiment(
                self.code,
                recipe,
                remedy=(
                    "Leave these columns out of what the network learns. Here it is fed 0 in their place, is not "
                    "asked for them, and their median comes back."
                ),
                keras=(
                    "moves = np.nanmean(x_train != np.nanmedian(x_train, axis=0), axis=0) >= 0.05\n"
                    "moves &= np.isfinite(x_train).any(axis=0)\n"
                    "x_train, x_val = x_train[:, moves], x_val[:, moves]  # and a model that much narrower"
                ),
                study={"preprocessing.constant": "drop"},
            )
        ]


def _constant(case: Case) -> np.ndarray:
    rows = case.train_part.inputs
    flat = np.asarray(rows, np.float64).reshape(len(rows), -1)
    return constant_columns(flat, missing_cells(flat, case.lab.sentinels))


def _nothing(case: Case, fed: np.ndarray, constant: np.ndarray) -> list[str]:
    """Columns that are NaN from top to bottom, as after a division by a spread of zero."""
    empty = np.flatnonzero(~np.isfinite(fed).any(axis=0) & constant)
    if not len(empty):
        return []
    names = [case.lab.names[j] for j in empty]
    what = "is NaN or infinite in every row" if len(names) == 1 else "are NaN or infinite in every row"
    return [f"{listed(names, 3)} {what}, as a constant column is that was divided by its spread of 0"]


def _weight(case: Case, fed: np.ndarray, constant: np.ndarray) -> list[str]:
    """Columns that weigh more in a squared loss than in the score."""
    t, scorer = case.thresholds, case.lab.scorer()
    with np.errstate(all="ignore"):
        in_loss = np.nan_to_num(np.where(np.isfinite(fed).all(axis=0), fed.astype(np.float64).var(axis=0), 0.0))
        in_score = np.nan_to_num(scorer.train_spread) if scorer.features == "tensor" else np.ones(len(constant))
    in_score = np.where(scorer.included, in_score, 0.0)
    if in_loss.sum() <= 0:
        return []
    share, due = (float(weight[constant].sum() / weight.sum()) for weight in (in_loss, in_score))
    if share < t.constant_weight or share < t.constant_undue * due:
        return []
    j = int(np.argmax(np.where(constant, np.abs(np.nan_to_num(fed)).max(axis=0), -1.0)))
    weights = (
        f"they make up {percent(share, 1)} of the variance that the loss sees, {percent(due, 1)} of what is scored"
    )
    return [f"{weights}; '{case.lab.names[j]}' reaches {float(np.nanmax(np.abs(fed[:, j]))):.3g}"]


def _level(case: Case, fed: np.ndarray, constant: np.ndarray) -> list[str]:
    """Columns that stand far from 0, where the others are near it."""
    with np.errstate(all="ignore"):
        size = np.sqrt(np.square(fed.astype(np.float64)).mean(axis=0))
    others = float(np.nanmedian(np.where(constant, np.nan, size)))
    far = constant & (np.nan_to_num(size, posinf=0.0) > case.thresholds.large_sd * others)
    if not others > 0 or not far.any():
        return []
    j = int(np.argmax(np.where(far, size, 0.0)))
    return [f"'{case.lab.names[j]}' stands at {size[j]:.4g} as fed, {size[j] / others:,.0f} times the others' size"]
