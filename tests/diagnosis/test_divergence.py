"""aetfx.diagnosis.divergence, the variational part of model.regularization: a KL that rules, and one that does not."""

from __future__ import annotations

import numpy as np
import pytest

import aetfx
from aetfx.diagnosis.causes import REGISTRY
from aetfx.diagnosis.divergence import collapse, has_divergence, heavy, weaker
from aetfx.study import parse_study
from aetfx.training.build import recipe_from_model
from tests.diagnosis.test_causes import MAY_CHANGE, PLANE, make_case, open_case
from tests.models import vaes

WIDE = np.tanh(
    np.random.default_rng(0).normal(size=(600, 4)) @ np.random.default_rng(1).normal(size=(4, 64)) / 2
) + 0.05 * np.random.default_rng(2).normal(size=(600, 64))
CAUSE = REGISTRY["model.regularization"]


def case_of(model, rows=PLANE, epochs=15):
    study = parse_study({"data": {"train": "x.npy"}, "training": {"epochs": epochs, "batch_size": 16}}, where="test")
    return open_case(recipe_from_model(model, study, rows.shape[1:])[0], rows)


WAYS = {
    "weight in the config": (
        lambda: vaes.keras_example(vaes.Weighted, 64, 4, rate=0.01, kl_weight=1.0),
        ["kl_weight=0.1", "kl_weight=0.0156", "kl_weight=0.01", "elbo,beta=1", "elbo,beta=0.1"],
    ),
    "weight in an attribute": (
        lambda: vaes.keras_example(vaes.Attribute, 64, 4, rate=0.01),
        ["kl_coef=0.2", "kl_coef=0.0312", "kl_coef=0.02", "elbo,beta=1", "elbo,beta=0.1"],
    ),
    "weight in the code": (
        lambda: vaes.keras_example(vaes.MeanReduced, 64, 4, rate=0.01),
        ["elbo,beta=1", "elbo,beta=0.1"],
    ),
    "weight of a layer": (
        lambda: vaes.functional_kl(64, 4, kl_weight=3.0),
        ["kl_weight=0.3", "kl_weight=0.0469", "kl_weight=0.03"],
    ),
    "weight in a layer's code": (
        lambda: vaes.functional_literal(64, 4),
        ["kl=x0.1", "reconstruction=summed", "kl=x0.01"],
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_ruling_divergence_is_seen_and_weakened(way):
    make, names = WAYS[way]
    case = case_of(make(), WIDE[:300])
    admission = CAUSE.admit(case)
    assert admission.admitted, admission.evidence
    assert "4 of 4 code units are inactive: the variance of their mean over rows is below 0.01" in admission.evidence
    assert case.pca is None, "PCA is no reference for what draws its code"
    experiments = CAUSE.experiments(case)
    assert [experiment.recipe.name for experiment in experiments][: len(names)] == names
    for experiment in experiments:
        assert experiment.remedy.endswith(".")
        assert max(map(len, experiment.keras.splitlines())) <= 110
        changed = {
            name
            for name in ("optimizer", "loss", "epochs", "batch_size", "preprocessing", "step", "objective")
            if getattr(experiment.recipe, name) != getattr(case.recipe, name)
        }
        changed |= {"source"} if experiment.recipe.source.identity != case.recipe.source.identity else set()
        assert changed
        assert changed <= MAY_CHANGE["model.regularization"]
    longer = experiments[len(names) - 1].recipe.changed(epochs=60)
    assert case.lab.score(case.lab.trial(longer)).value < 0.8 * case.select_score


def test_a_loss_of_its_own_that_brings_rows_back_worse_than_their_mean_is_no_matter_of_its_divergence():
    case = case_of(vaes.keras_example(vaes.CrossEntropy, 64, 4, rate=0.01), 3 * WIDE[:300], epochs=30)
    loss = REGISTRY["loss.mismatch"]
    assert "worse than their mean does" in loss.admit(case).evidence[0]
    experiments = loss.experiments(case)
    assert [experiment.recipe.name for experiment in experiments] == ["elbo,beta=1", "elbo,beta=0.1"]
    assert case.lab.score(case.lab.trial(experiments[0].recipe)).value < 0.8 < 1.5 < case.select_score
    assert CAUSE.experiments(case) == []
    collapsed = case_of(vaes.keras_example(vaes.MeanReduced, 64, 4, rate=0.01), WIDE[:300])
    assert not loss.admit(collapsed).admitted, "at the mean, to which a divergence leads"


def test_a_divergence_under_which_the_code_lives_is_no_fault():
    case = case_of(vaes.keras_example(vaes.VAE, 64, 4, rate=0.01), WIDE[:300], epochs=60)
    assert has_divergence(case)
    assert collapse(case) == []
    assert not CAUSE.admit(case).admitted
    assert CAUSE.is_generous(case), "less of it lowers any error, so that it is never a suspicion"
    inactive, units = case.inactive_units
    assert (inactive < 3, units) == (True, 4)


def test_a_weight_above_that_of_the_lower_bound_is_a_sign_where_train_rows_miss_the_target():
    """Half of the units may live on under six times the divergence, and digits still come back as blurs."""
    high, usual = (
        case_of(vaes.keras_example(vaes.Weighted, 64, 4, rate=0.01, kl_weight=weight), WIDE[:300], epochs=3)
        for weight in (6.0, 1.0)
    )
    assert high.train_score > high.target
    assert heavy(high)[0].startswith("kl_weight is 6, where the evidence lower bound has 1")
    assert heavy(usual) == []
    assert heavy(make_case(PLANE, epochs=2)) == []


@pytest.mark.parametrize(
    "make",
    [lambda weight: vaes.functional_kl(64, 4, kl_weight=weight), lambda weight: built(weight, times=1.0)],
    ids=["Keras's step", "a step of its own"],
)
def test_a_weight_beside_a_mean_counts_as_often_as_a_row_has_values(make):
    """A tenth of the divergence beside a mean over 64 values rules like 6.4 times the divergence beside their sum."""
    case = case_of(make(0.1), WIDE[:300], epochs=3)
    assert case.train_score > case.target
    said = (
        "kl_weight is 0.1 beside a mean over the 64 values of a row, as 6.4 beside their sum, where the evidence lower"
    )
    assert heavy(case)[0].startswith(said)
    assert heavy(case_of(make(0.01), WIDE[:300], epochs=3)) == [], "less than in the lower bound"


def test_a_step_may_count_the_mean_as_often_as_a_row_has_values():
    case = case_of(built(0.5, times=64.0), WIDE[:300], epochs=3)
    assert case.train_score > case.target
    assert heavy(case) == []


def built(weight, times):
    return vaes.compiled_vae(64, 4, rate=0.002, kl_weight=weight, times=times)


def test_other_models_have_none():
    case = make_case(PLANE, epochs=2)
    assert not has_divergence(case)
    assert weaker(case) == []
    assert case.pca is not None


def test_every_experiment_can_be_asked_of_a_model_that_trains_itself():
    case = case_of(vaes.keras_example(width=8), PLANE, epochs=2)
    for cause in REGISTRY.values():
        cause.admit(case)
        for experiment in cause.experiments(case):
            assert experiment.recipe.loss is None
            experiment.recipe.source.build()


def test_a_wider_code_widens_mean_and_spread_and_what_decodes_them():
    case = case_of(vaes.keras_example(width=8), PLANE, epochs=2)
    wider = next(item for item in REGISTRY["model.capacity_too_small"].experiments(case) if item.late)
    model = wider.recipe.source.build()
    assert model.encoder.output_shape[0][1] == model.encoder.output_shape[1][1] == 2 * vaes.CODE
    assert model.decoder.input_shape[1] == 2 * vaes.CODE


# End to end: real validation, real training, the verdict as a user gets it.


@pytest.mark.slow
def test_a_vae_that_takes_the_mean_over_64_columns_is_told_so():
    model = vaes.keras_example(vaes.MeanReduced, 64, 4, rate=0.01)
    before = [np.array(weight) for weight in model.variables]
    diagnosis = aetfx.diagnose(model, WIDE[:300], WIDE[300:], epochs=25, batch_size=32, budget=9)
    first = diagnosis.causes[0]
    assert (first.code, first.verdict) == ("model.regularization", "verified")
    assert first.experiment_name.startswith("elbo")
    assert first.score_before > 0.9
    assert first.score_after < 0.5
    assert any("code units are inactive" in line for line in first.evidence)
    assert diagnosis.record["baseline"]["pca_score"] is None
    assert diagnosis.fixed_model.predict(WIDE[:3], verbose=0).shape == (3, 64)
    for mine, then in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(mine, then)


@pytest.mark.slow
def test_a_healthy_vae_gives_no_alarm():
    model = vaes.keras_example(vaes.VAE, 64, 4, rate=0.01)
    diagnosis = aetfx.diagnose(model, WIDE[:300], WIDE[300:], epochs=60, batch_size=32, budget=3)
    assert diagnosis.causes == []
    assert diagnosis.suspected == []
    assert diagnosis.status == "healthy"
    out = {item["code"]: item["reason"] for item in diagnosis.ruled_out}
    assert "less of it would be a choice" in out["model.regularization"]
