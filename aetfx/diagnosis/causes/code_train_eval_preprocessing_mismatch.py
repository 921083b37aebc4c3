"""Train rows prepared in one way and eval rows in another."""

from __future__ import annotations

import numpy as np

from aetfx.comparison.row_changes import EvalMap, added
from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.evaluation.layout import Layout


class TrainEvalPreprocessingMismatch(Cause):
    code = "code.train_eval_preprocessing_mismatch"
    title = "Train and eval rows prepared differently"
    meaning = "Eval rows reach the model on another scale, or in another order, than the rows that it was trained on."
    order = 12

    def admit(self, case: Case) -> Admission:
        if case.lab.eval_rows is None:
            return Admission.no("the held-out rows are a part of the same rows, prepared alike")
        if case.alignment is None:
            return Admission.no("no scale, offset or order of the cells lays the eval rows over those of train")
        found = case.alignment.sentence
        return Admission.yes(f"in the targets, {found}" if _of_targets(case) else found)

    def experiments(self, case: Case) -> list[Experiment]:
        found = case.alignment
        if found is None:
            return []
        recipe = case.recipe.changed(name="rows=aligned", rows=added(case.recipe.rows, "aligned"))
        # The training is the same, so there is nothing to be shortened.
        keras = _keras(found, "y" if _of_targets(case) else "x")
        return [Experiment(self.code, recipe, remedy=_remedy(found), keras=keras, shortenable=False)]


def _of_targets(case: Case) -> bool:
    """Whether only what eval rows should give is on another scale, and what goes in is not."""
    return case.lab.alignments[0] is None


def _remedy(found: EvalMap) -> str:
    if isinstance(found, Layout):
        return f"Give both in the same order: the eval rows are {found.words}."
    if found.kind == "some":
        which = ", ".join(str(column) for column in np.flatnonzero(found.compared))
        return f"Count in the same unit on both sides before anything is scaled: columns {which} (from 0) are not."
    if found.kind == "columns":
        return (
            "Prepare both in the same way: fit the scaling on the train rows alone and apply these same figures to the "
            "eval rows."
        )
    factor, offset = 1 / float(found.scale[0]), float(found.offset[0])
    if factor < 0:
        return f"Prepare both in the same way: the eval rows are {found.words}, so take them from {offset:.4g}."
    steps = "" if factor == 1 else f"divide by {factor:.4g}" if factor > 1 else f"multiply by {1 / factor:.4g}"
    if offset:
        shift = f"{'add' if offset > 0 else 'subtract'} {abs(offset):.4g}"
        steps = f"{steps}, then {shift}" if steps else shift
    return f"Prepare both in the same way: the eval rows are {found.words}, so {steps}."


def _keras(found: EvalMap, side: str) -> str:
    if isinstance(found, Layout):
        return f"{side}_val = {side}_val{found.code}  # in the order of the train rows"
    if found.kind == "some":
        columns = np.flatnonzero(found.compared)
        scale, offset = (", ".join(f"{value:.4g}" for value in of[columns]) for of in (found.scale, found.offset))
        return (
            f"columns = {columns.tolist()}\n"
            f"flat = {side}_val.reshape(len({side}_val), -1).copy()\n"
            f"flat[:, columns] = flat[:, columns] * [{scale}] + [{offset}]\n"
            f"{side}_val = flat.reshape({side}_val.shape)  # in the units of the train rows"
        )
    if found.kind == "columns":
        return (
            f"mean, sd = {side}_train_raw.mean(axis=0), {side}_train_raw.std(axis=0)  # of the train rows only\n"
            f"{side}_train, {side}_val = ((rows - mean) / sd for rows in ({side}_train_raw, {side}_val_raw))"
        )
    factor, offset = 1 / float(found.scale[0]), float(found.offset[0])
    if factor < 0:
        return f"{side}_val = {offset:.4g} - {side}_val  # as the train rows are"
    scaled = "" if factor == 1 else f" / {factor:.4g}" if factor > 1 else f" * {1 / factor:.4g}"
    shift = "" if not offset else f" {'+' if offset > 0 else '-'} {abs(offset):.4g}"
    return f"{side}_val = {side}_val{scaled}{shift}  # as the train rows are"
