"""aetfx.diagnosis.halves: models whose one half was made bad on purpose."""

from __future__ import annotations

import numpy as np
import pytest

from aetfx.diagnosis.halves import which_half
from tests.diagnosis.test_causes import make_case

keras = pytest.importorskip("keras")

RNG = np.random.default_rng(3)
TRUE = RNG.normal(size=(600, 3))
MIXING = RNG.normal(size=(3, 8))
ROWS = TRUE @ MIXING


def case_of(encoder, decoder):
    """A case whose model has these weights: encoder (8, 3) and decoder (3, 8)."""
    case = make_case(ROWS, hidden=(), code=3, epochs=1)
    zero = [np.zeros(3, np.float32), np.zeros(8, np.float32)]
    case.trial.model.set_weights([encoder.astype(np.float32), zero[0], decoder.astype(np.float32), zero[1]])
    return case


def test_good_codes_behind_a_bad_decoder():
    found = which_half(case_of(np.linalg.pinv(MIXING), 0.1 * MIXING))
    assert found.own > 0.7
    assert found.fresh < 0.05
    assert found.at_fault == "decoder"
    assert "the decoder is at fault" in found.sentence


def test_what_the_encoder_lost_no_decoder_brings_back():
    lost = np.linalg.pinv(MIXING) * [1, 0, 0]
    found = which_half(case_of(lost, np.linalg.lstsq(ROWS @ lost, ROWS, rcond=None)[0]))
    assert found.at_fault == "encoder"
    assert found.fresh == pytest.approx(found.own, rel=0.2)


def test_a_bad_decoder_on_poor_codes_is_both():
    lost = np.linalg.pinv(MIXING) * [1, 1, 0]
    found = which_half(case_of(lost, 0.02 * MIXING))
    assert found.own > 0.9
    assert found.at_fault in ("both", "decoder")
    assert found.fresh < 0.75 * found.own


def test_codes_that_are_not_numbers_tell_nothing():
    assert which_half(case_of(np.full((8, 3), np.nan), MIXING)) is None
