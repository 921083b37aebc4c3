"""A batch so large that there are too few updates, or so small that they are noise."""

from __future__ import annotations

import math

from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.diagnosis.causes.keras_code import fit_line


class BatchSize(Cause):
    code = "optimizer.batch_size"
    title = "Unsuitable batch size"
    meaning = "A huge batch leaves too few updates per epoch; a tiny one makes each update, or batch norm, noise."
    order = 85
    generous = True

    def admit(self, case: Case) -> Admission:
        t, batch = case.thresholds, case.recipe.batch_size
        if case.large_batch:
            updates = math.ceil(case.n_train / batch)
            return Admission.yes(
                f"a batch of {batch} of {case.n_train} train rows: {updates} update{'s' if updates > 1 else ''} per "
                f"epoch, {updates * case.recipe.epochs} in all"
            )
        if case.architecture.has_batch_norm and batch < t.batch_norm_batch:
            return Admission.yes(f"batch normalisation over batches of {batch} rows")
        if batch <= t.small_batch:
            return Admission.yes(f"batches of {batch} rows")
        return Admission.no(f"a batch of {batch} of {case.n_train} train rows is usual")

    def experiments(self, case: Case) -> list[Experiment]:
        t = case.thresholds
        sizes = [int(t.good_batch)]
        if t.good_batch >= t.large_batch_share / 2 * case.n_train:
            sizes.append(int(t.least_batch))  # of so few rows the usual batch is a large one too
        return [self._experiment(case, size) for size in sizes if size != case.recipe.batch_size]

    def _experiment(self, case: Case, batch: int) -> Experiment:
        if case.large_batch:
            # Equal epochs: the missing updates are the fault (METHOD section 3: at equal updates nothing changes).
            recipe = case.recipe.changed(name=f"batch_size={batch}", batch_size=batch)
            how = "at the same number of epochs"
        else:
            updates = math.ceil(case.n_train / case.recipe.batch_size) * case.recipe.epochs
            epochs = math.ceil(updates / math.ceil(case.n_train / batch))
            recipe = case.recipe.changed(name=f"batch_size={batch}", batch_size=batch, epochs=epochs)
            how = "at the same number of updates"
        return Experiment(
            self.code,
            recipe,
            remedy=f"Use a batch of {batch} rows instead of {case.recipe.batch_size}, {how}.",
            keras=fit_line(case, recipe),
            study={"training.batch_size": batch, "training.epochs": recipe.epochs},
        )

    def comes_before_more(self, case: Case) -> bool:
        return case.large_batch

    def unusual(self, case: Case) -> bool:
        norm = case.architecture.has_batch_norm and case.recipe.batch_size < case.thresholds.batch_norm_batch
        return case.large_batch or norm or case.recipe.batch_size < case.thresholds.least_batch
