"""aetfx.diagnosis.status: the first that holds of faulty, inconclusive, healthy, limited."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from aetfx.diagnosis.engine import Outcome
from aetfx.diagnosis.status import decide
from aetfx.diagnosis.thresholds import Thresholds


def case(pca=None, target=0.3, noise=False, width=4, columns=20, drawn=None):
    return SimpleNamespace(
        linear_reference=pca, pca_of_any_code=drawn or pca, is_denoising=False, thresholds=Thresholds(),
        target=target, is_noise=noise, is_binary=False, behind=False, recipe=SimpleNamespace(loss_name="mse"),
        fed_cells=np.zeros((50, columns)), select_score=1.0,
        architecture=SimpleNamespace(code_width=width, output_range=SimpleNamespace(name="linear")),
    )  # fmt: skip


SUSPECT = {"code": "data.scaling"}


@pytest.mark.parametrize(
    ("outcome", "seen", "score", "word", "said"),
    [
        (Outcome(causes=["a cause"], suspected=[SUSPECT]), case(), 0.01, "faulty", ""),
        (Outcome(suspected=[SUSPECT]), case(), 0.01, "inconclusive", "data.scaling"),
        (Outcome(short_of_budget=True), case(), 0.3, "healthy", "below the target of 0.3"),
        (Outcome(short_of_budget=True), case(pca=0.5), 0.54, "healthy", "as well as PCA"),
        (Outcome(short_of_budget=True), case(drawn=0.5), 0.54, "healthy", "as well as PCA"),
        (Outcome(), case(drawn=0.5), 0.7, "inconclusive", "Nothing that was tried"),
        (Outcome(short_of_budget=True), case(pca=1.2), 1.26, "limited", "better than their mean"),
        (Outcome(), case(pca=0.95), 0.96, "healthy", "as well as PCA"),
        (Outcome(short_of_budget=True), case(pca=0.5), 0.7, "inconclusive", "diagnosis.budget"),
        (Outcome(), case(pca=0.5), 0.7, "limited", "Only a wider code keeps more"),
        (Outcome(), case(pca=0.5), 0.8, "inconclusive", "Nothing that was tried"),
        (Outcome(), case(), 0.31, "inconclusive", "Nothing that was tried"),
        (Outcome(), case(noise=True), 0.79, "limited", "1 - 4/20 = 0.800"),
        (Outcome(), case(noise=True, target=0.9), 0.8, "healthy", "below the target"),
        (Outcome(), case(noise=True), 0.6, "inconclusive", "independent noise"),
    ],
)
def test_the_first_that_holds(outcome, seen, score, word, said):
    status = decide(outcome, seen, score)
    assert status.word == word
    assert said in " ".join(status.statements)


def test_a_uniform_scale_on_noise_is_told_as_measured():
    screened = SimpleNamespace(
        experiment=SimpleNamespace(code="data.scaling", late=False), before=0.81, score=0.80, gain=0.01
    )
    step = SimpleNamespace(
        screened=[screened], admissions={"data.scaling": SimpleNamespace(report_only=True)},
        case=SimpleNamespace(
            recipe=SimpleNamespace(optimizer_name="adam"),
            architecture=SimpleNamespace(output_range=SimpleNamespace(name="linear")),
            select_score=0.81,
        ),
    )  # fmt: skip
    status = decide(Outcome(steps=[step]), case(noise=True), 0.81)
    assert status.word == "limited"
    assert "the best of the 2 trained models reached 0.800" in status.statements[0]
    assert status.statements[1] == (
        "A uniform scale did not matter to Adam with a linear output: 0.810 as given, 0.800 scaled."
    )


def test_the_floor_of_cross_entropy_on_grey_values_is_told():
    rng = np.random.default_rng(0)
    grey = case()
    grey.recipe, grey.fed_cells = SimpleNamespace(loss_name="bce"), rng.uniform(size=(4000, 5))
    grey.trial = SimpleNamespace(diverged=False, losses=np.array([0.7, 0.55]))
    [sentence] = [text for text in decide(Outcome(), grey, 0.2).statements if "entropy" in text]
    assert "cannot fall below their own entropy, 0." in sentence
    assert 0.48 < float(sentence.split("entropy, ")[1].split()[0]) < 0.52, "over [0, 1] it is a half on average"
    assert "ended at 0.550" in sentence
    grey.fed_cells = (grey.fed_cells > 0.5) * 1.0
    grey.is_binary = True
    assert not any("entropy" in text for text in decide(Outcome(), grey, 0.2).statements)
