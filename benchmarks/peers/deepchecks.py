"""deepchecks: its suites `data_integrity` (train) and `train_test_validation` (train, eval), with their own conditions.

A check without a condition (outlier samples) shows figures and accuses nobody, so that it raises no alarm.
"""

from __future__ import annotations

import re

from benchmarks.peers.loop import Alarm, Check, frame, run


def prepare() -> Check:
    from deepchecks.core import CheckResult, ConditionCategory
    from deepchecks.tabular import Dataset
    from deepchecks.tabular.suites import data_integrity, train_test_validation

    passed = (ConditionCategory.PASS,)

    def check(train: str, evaluation: str | None, clean: str) -> list[Alarm]:
        rows = Dataset(frame(train), cat_features=[])
        results = [*data_integrity().run(rows).results]
        if evaluation is not None:
            results += train_test_validation().run(rows, Dataset(frame(evaluation), cat_features=[])).results
        alarms: list[Alarm] = []
        for result in results:
            # The others are checks of labels, dates and indices, which these data do not have.
            for condition in result.conditions_results if isinstance(result, CheckResult) else ():
                if condition.category not in passed:
                    named = set(re.findall(r"\bc\d+\b", condition.details))
                    name = type(result.check).__name__
                    alarms += [(name, column) for column in named] or [(name, None)]
        return alarms

    return check


if __name__ == "__main__":
    run(prepare, ["deepchecks", "numpy", "pandas", "scikit-learn"])
