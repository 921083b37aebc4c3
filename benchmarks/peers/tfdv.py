"""TFDV's anomalies: a schema inferred from the clean train rows, then both splits against it, eval also for drift.

The way of its guide (infer a schema, validate other statistics against it), with a drift comparator on every column.
"""

from __future__ import annotations

from benchmarks.peers.loop import Alarm, Check, frame, run

DIVERGENCE = 0.1  # Jensen-Shannon, from where on a column has drifted


def prepare() -> Check:
    import tensorflow_data_validation as tfdv

    def check(train: str, evaluation: str | None, clean: str) -> list[Alarm]:
        statistics = tfdv.generate_statistics_from_dataframe(frame(train))
        known = statistics if clean == train else tfdv.generate_statistics_from_dataframe(frame(clean))
        schema = tfdv.infer_schema(known)
        for feature in schema.feature:
            feature.drift_comparator.jensen_shannon_divergence.threshold = DIVERGENCE
        found = [tfdv.validate_statistics(statistics, schema)]
        if evaluation is not None:
            compared = tfdv.generate_statistics_from_dataframe(frame(evaluation))
            found.append(tfdv.validate_statistics(compared, schema, previous_statistics=statistics))
        alarms: list[Alarm] = []
        for anomalies in found:
            for name, info in anomalies.anomaly_info.items():
                alarms += [(reason.short_description, name) for reason in info.reason]
            alarms += [(reason.short_description, None) for reason in anomalies.dataset_anomaly_info.reason]
        return alarms

    return check


if __name__ == "__main__":
    run(prepare, ["tensorflow-data-validation", "tensorflow", "numpy"])
