"""Evidently: `DataSummaryPreset` on the train rows and `DataDriftPreset` of eval against train, with default tests.

`DataSummaryPreset` can also compare eval with train: then mean, quantiles and extremes of each column must agree
within 10 %. Those tests fail on nearly every column of clean data, so that whatever else they see is lost; they are run
(`REFERENCE`) on clean pairs only, to count that.
"""

from __future__ import annotations

import re

from benchmarks.peers.loop import Alarm, Check, frame, run

REFERENCE = "summary against train: "


def prepare() -> Check:
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset, DataSummaryPreset

    def dataset(path: str) -> Dataset:
        rows = frame(path)
        return Dataset.from_pandas(rows, data_definition=DataDefinition(numerical_columns=list(rows.columns)))

    def failed(preset: object, current: Dataset, reference: Dataset | None, prefix: str = "") -> list[Alarm]:
        found = Report([preset], include_tests=True).run(current, reference).dict()["tests"]
        return [(prefix + _kind(test["name"]), _column(test)) for test in found if test["status"].value != "SUCCESS"]

    def check(train: str, evaluation: str | None, clean: str) -> list[Alarm]:
        rows = dataset(train)
        alarms = failed(DataSummaryPreset(), rows, None)
        if evaluation is not None:
            compared = dataset(evaluation)
            alarms += failed(DataDriftPreset(), compared, rows)
            if clean == train:
                alarms += failed(DataSummaryPreset(), compared, rows, REFERENCE)
        return alarms

    return check


def _kind(name: str) -> str:
    """ "Mean value of 'c3': Equal 0.1" is a failed "Mean value of column"."""
    return re.sub(r"([Cc]olumn )?'?\bc\d+\b'?", "column", name.split(":")[0])


def _column(test: dict) -> str | None:
    return test["metric_config"]["params"].get("column")


if __name__ == "__main__":
    run(prepare, ["evidently", "numpy", "pandas"])
