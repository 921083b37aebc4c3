"""Columns of unlike scales, or values far from what the network's layers can take."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from aetfx.diagnosis import symptoms
from aetfx.diagnosis.case import Case
from aetfx.diagnosis.causes.base import Admission, Cause, Experiment
from aetfx.diagnosis.causes.keras_code import asked, scaling_lines
from aetfx.validation.statistics import range_ratio
from aetfx.words import percent


class Scaling(Cause):
    code = "data.scaling"
    title = "Unscaled data"
    meaning = (
        "Values on unlike or unsuitable scales let a few columns own the loss, or lie where the output cannot reach; "
        "the rest is hardly learnt."
    )
    order = 22
    _kinds: ClassVar = {"standard": "(x - mean) / sd", "minmax": "(x - min) / (max - min)"}

    def admit(self, case: Case) -> Admission:
        if case.recipe.preprocessing.get("scaling", "none") != "none":
            return Admission.no(f"the rows are already scaled ({case.recipe.preprocessing['scaling']})")
        t, s = case.thresholds, case.statistics
        mean, sd = case.level
        evidence = []
        # A ratio over columns is about unlike units; pixels that are mostly black are not.
        for columns in case.tables:
            if range_ratio(s.ranges[columns]) > t.range_ratio:
                names, ranges = s.names[columns], np.where(s.ranges[columns] > 0, s.ranges[columns], np.nan)
                low, high = int(np.nanargmin(ranges)), int(np.nanargmax(ranges))
                evidence.append(
                    f"column ranges differ by a factor of {ranges[high] / ranges[low]:,.0f}: "
                    f"'{names[high]}' spans {ranges[high]:.4g}, '{names[low]}' spans {ranges[low]:.4g}"
                )
        for share, _, output, columns in case.outside:
            middle, spread = case.level_of(columns)
            least, most = float(np.nanmin(s.minimum[columns])), float(np.nanmax(s.maximum[columns]))
            off_scale = symptoms.off_scale(middle, spread, least, most, t)
            if share > t.outside_share and off_scale:
                evidence.append(
                    f"{percent(share)} of the values lie outside what a {output.name} output can give "
                    f"({output.low:g} to {output.high:g}); mean {middle:.4g}, sd {spread:.4g}"
                )
        if case.recipe.optimizer_name == "sgd" and not t.tiny_sd <= sd <= t.large_sd:
            evidence.append(f"values with sd {sd:.4g} under plain SGD, whose steps grow with the square of the scale")
        if case.is_recurrent and (abs(mean) > t.far_mean * sd or sd > t.large_sd):
            evidence.append(
                f"values with mean {mean:.4g} and sd {sd:.4g} drive the gates of recurrent layers to their ends"
            )
        if not evidence and not t.tiny_sd <= sd <= t.large_sd and not case.is_good:
            evidence.append(f"values with sd {sd:.4g}, where fresh layers take and give values of about 1")
        if not evidence and abs(mean) > t.far_mean * sd and not case.is_good:
            evidence.append(
                f"values with mean {mean:.4g} and sd {sd:.4g}: what all rows share is {abs(mean) / sd:.1f} times what "
                "tells them apart, and is learnt first"
            )
        if evidence:
            return Admission.yes(*evidence)
        if case.recipe.step.own and case.outside_share > t.outside_share:
            outside = f"{percent(case.outside_share)} of the values lie outside what a {case.worst_output.name} output"
            because = "can give, which the loss of the model's own train step may need: the rows are brought to it"
            return Admission.yes(f"{outside} {because}", has_sign=False)
        if case.is_noise and not t.tiny_sd <= sd <= t.large_sd:
            return Admission.yes(f"independent noise with sd {sd:.4g}: a uniform scale", report_only=True)
        return Admission.no(f"scales are alike (range ratio {case.range_ratio:.1f}, sd {sd:.3g}) and fit the output")

    def experiments(self, case: Case) -> list[Experiment]:
        if case.is_table:
            return [self._scaled(case, "column", "the rows")]
        found = [self._scaled(case, "pooled", "the rows")]
        if _share_a_picture(case):
            found.append(self._scaled(case, "column", "each value of the rows by itself", ",each"))
        return found

    def _scaled(self, case: Case, scope: str, what: str, mark: str = "") -> Experiment:
        kind = case.scaling_kind
        recipe = case.recipe.changed(
            name=f"scaling={kind}{mark}", preprocessing={**case.recipe.preprocessing, "scaling": kind, "scope": scope}
        )
        return Experiment(
            self.code,
            recipe,
            remedy=f"Scale {what} ({self._kinds[kind]}, fitted on the train rows) and undo it at the output.",
            keras=scaling_lines(kind, scope, asked(case, recipe)),
            study={"preprocessing.scaling": kind},
        )


def _share_a_picture(case: Case) -> bool:
    """Whether values of like units vary less around their own means than those differ, and none is nearly still.

    One mean for all of them then leaves most of what is fed the same in every row (the colours of a retina).
    """
    mean, sd = case.statistics.mean, case.statistics.sd
    if not (np.isfinite(mean).all() and np.isfinite(sd).all()):
        return False
    t, between, within = case.thresholds, float(np.var(mean)), float(np.mean(np.square(sd)))
    shared = between >= t.shared_part * (between + within)
    return bool(shared and sd.min() >= t.nearly_still * np.median(sd))
