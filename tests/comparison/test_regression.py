"""aetfx.comparison.regression: when a score counts as worse. The measuring itself: tests/test_pytest_plugin.py."""

from __future__ import annotations

import dataclasses

import pytest

from aetfx.comparison.regression import Measured, judge, read_reference, reference_path, write_reference
from aetfx.errors import RunError


def measured(*scores, **changes):
    base = Measured("wine", "fvu", dict(enumerate(scores)), "rows", "recipe", {"keras": "3.8"})
    return dataclasses.replace(base, **changes)


REFERENCE = measured(0.20, 0.21, 0.19)


@pytest.mark.parametrize(
    ("scores", "ok"),
    [
        ((0.20, 0.21, 0.19), True),
        ((0.10, 0.10, 0.10), True),
        ((0.21, 0.22, 0.20), True),  # 5 % worse, however surely
        ((0.30, 0.31, 0.29), False),
        ((0.17, 0.50, 0.19), True),  # one bad seed of three may be chance
        ((4.0, 4.0, 4.0), False),
    ],
)
def test_worse_is_ten_percent_and_no_chance(scores, ok):
    assert judge(measured(*scores), REFERENCE, target=0.3).ok is ok


def test_identical_scores_are_never_worse():
    steady = measured(0.2, 0.2, 0.2)
    assert judge(steady, steady, target=0.3).ok
    assert not judge(measured(0.23, 0.23, 0.23), steady, target=0.3).ok


def test_without_a_reference_the_target_decides():
    assert judge(measured(0.29, 0.30), None, target=0.3).ok
    failed = judge(measured(0.4, 0.5), None, target=0.3)
    assert not failed.ok
    assert failed.line == "score 0.45, above the target of 0.3 (no reference is kept)"


def test_what_else_changed_is_said():
    now = measured(0.3, 0.3, 0.31, rows="other", configuration="wider", versions={"keras": "3.9"})
    text = "\n".join(judge(now, REFERENCE, target=0.3).details)
    assert "the rows, the model or its training, keras 3.8 -> 3.9" in text
    other = judge(dataclasses.replace(REFERENCE, metric="deviance"), REFERENCE, target=0.3)
    assert not other.ok
    assert "deviance now and was fvu" in other.line


def test_a_reference_is_read_as_it_was_written(tmp_path):
    study = tmp_path / "wine.yaml"
    assert read_reference(study) is None
    assert write_reference(study, REFERENCE) == tmp_path / "wine.aetfx.json"
    assert read_reference(study) == REFERENCE
    for broken in ("{}", '{"scores": []}', "[1]"):
        reference_path(study).write_text(broken)
        with pytest.raises(RunError, match="not a reference of aetfx"):
            read_reference(study)
