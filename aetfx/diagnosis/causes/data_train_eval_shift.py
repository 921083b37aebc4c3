"""Eval rows of another kind than the train rows."""

from __future__ import annotations

from aetfx.comparison.row_changes import added
from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.words import percent


class TrainEvalShift(Cause):
    code = "data.train_eval_shift"
    title = "Eval rows unlike the train rows"
    meaning = "The model is judged on rows of a kind that it has hardly seen in training."
    order = 24

    def admit(self, case: Case) -> Admission:
        found = case.separation
        if case.lab.eval_rows is None:
            return Admission.no("the held-out rows are a random part of the same rows")
        if found is None:
            return Admission.no(f"{len(case.lab.eval_rows)} eval rows are too few to be told from train rows")
        seen = f"a classifier tells eval rows from train rows with AUC {found.auc:.2f} (at least {found.low:.2f})"
        if found.low <= case.thresholds.shift_auc:
            return Admission.no(f"{seen}, 0.5 being chance")
        if "reserve" not in case.lab.split(0, case.recipe.rows).parts:
            return Admission.no(f"{seen}, but no eval rows were set aside to train on")
        return Admission.yes(seen, *(finding.message for finding in case.found(self.code)[:1]))

    def experiments(self, case: Case) -> list[Experiment]:
        split = case.lab.split(0, case.recipe.rows)
        reserve = split.parts.get("reserve")
        if not reserve:
            return []
        n_train = len(split.train)
        share = min(len(reserve), n_train // 2) / n_train
        recipe = case.recipe.changed(name="rows=with_eval", rows=added(case.recipe.rows, "with_reserve"))
        return [
            Experiment(
                self.code,
                recipe,
                remedy=(
                    "Train on rows like those in eval too: mix both sources and hold rows out by chance. "
                    f"(Here half of the eval rows took the place of {percent(share)} of the train rows.)"
                ),
                keras=(
                    "rows = np.random.default_rng(0).permutation(np.concatenate([x_train, x_val]))\n"
                    "x_train, x_val = rows[len(rows) // 5:], rows[:len(rows) // 5]\n"
                    "model.fit(x_train, x_train, validation_data=(x_val, x_val), ...)"
                ),
            )
        ]
