"""aetfx.diagnosis.more_rows: what comes of the question whether more rows are missing."""

from __future__ import annotations

import dataclasses

import pytest

from aetfx.diagnosis import more_rows as asked
from aetfx.diagnosis.confirm import Confirmation
from aetfx.diagnosis.engine import Outcome, put_by_gain
from aetfx.diagnosis.learning_curve import SHARES, TWICE, more_rows
from tests.diagnosis.test_causes import known_by_heart


@pytest.fixture
def promise(monkeypatch):
    """The promise for rows known by heart, of which a smaller model was mended, with given scores by share."""
    case = dataclasses.replace(known_by_heart(), fixed=frozenset({"model.capacity_too_large"}))
    confirmation = Confirmation(case.lab, case.recipe, case.thresholds, 1, {})

    def make(scores, behind=True):
        monkeypatch.setattr(asked, "_measured", lambda *_: more_rows(scores))
        return asked.promise_of_more_rows(case, confirmation, [], allowance=1e9, behind=behind)

    return make


def test_a_verdict_comes_with_its_curve(promise):
    falling = {share: [0.4 / share] * 3 for share in SHARES}
    found = promise(falling)
    assert (found.verdict.code, found.verdict.verdict, found.surely) == ("data.too_few_rows", "supported", True)
    assert found.open is None
    assert [point["measured"] for point in found.points] == [True, True, True, False, False]
    assert found.points[3]["score"] == pytest.approx(0.2)
    measured = promise({**falling, TWICE: [0.1] * 3}).points
    assert [point["measured"] for point in measured] == [True, True, True, True, False]
    assert measured[3]["score"] == pytest.approx(0.1)
    low, high = measured[3]["interval"]
    assert low <= 0.1 <= high


def test_a_curve_that_leaves_it_open_is_no_verdict_but_a_suspicion_with_its_gain(promise):
    found = promise({0.25: [2.0, 0.5, 1.0], 0.5: [1.2, 0.4, 0.8], 1.0: [0.9, 0.25, 0.5]})
    assert found.verdict is None
    gain, (low, high) = found.open
    assert low < gain < high
    assert found.points


def test_causes_of_a_step_stand_by_what_they_gain(promise):
    rows = promise({share: [0.4 / share] * 3 for share in SHARES}).verdict
    earlier = dataclasses.replace(rows, step=rows.step - 1, gain=0.01)
    less, more = (dataclasses.replace(rows, gain=gain) for gain in (rows.gain - 0.1, rows.gain + 0.1))
    outcome = Outcome(causes=[earlier, more, less])
    put_by_gain(outcome, rows)
    assert outcome.causes == [earlier, more, rows, less]
