"""aetfx.comparison.sweep, choosing: what is tried, what is dropped, what fails, and that a pause changes nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from aetfx.comparison import lab
from aetfx.comparison.api import compare_study
from aetfx.comparison.choosing import chooser
from aetfx.comparison.sweep import rungs
from aetfx.errors import ModelError, StudyError
from aetfx.study import parse_study

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(120, 2)) @ RNG.normal(size=(2, 5)) + 0.1 * RNG.normal(size=(120, 5))


def study(tmp_path, compare, sweep=None, **training):
    np.save(tmp_path / "rows.npy", ROWS)
    tree = {
        "data": {"train": str(tmp_path / "rows.npy")},
        "model": {"hidden": [8], "bottleneck": 2},
        "training": {"epochs": 9, "processes": 1, **training},
        "compare": compare,
        "sweep": {"seeds": 2, **(sweep or {})},
    }
    return parse_study(tree)


def narrow():
    import keras

    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2), keras.layers.Dense(5)])
    model.compile("adam", "mse")
    return model


def broken():
    raise RuntimeError("no weights today")


def drawn(choose, count=12, seed=0):
    compare = {
        "training.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
        "model.bottleneck": {"low": 2, "high": 6},
        "model.activation": ["relu", "tanh"],
        "model.hidden": [[8], [8, 4]],
    }
    tree = {"data": {"train": "a.npy"}, "compare": compare, "training": {"seed": seed}}
    asked = chooser(parse_study({**tree, "sweep": {"choose": choose, "configurations": count}}))
    found = []
    while values := asked.ask():
        found += values
        asked.tell([abs(np.log10(item["training.learning_rate"]) + 2) for item in values])
    return found


def test_a_grid_is_the_product():
    compare = {"training.learning_rate": [0.001, 0.01], "model.bottleneck": [4, 8, 16]}
    asked = chooser(parse_study({"data": {"train": "a.npy"}, "compare": compare}))
    found = asked.ask()
    assert len(found) == 6
    assert found[1] == {"training.learning_rate": 0.001, "model.bottleneck": 8}
    asked.tell([None] * 6)
    assert asked.ask() == []


@pytest.mark.parametrize("choose", ["random", "tpe"])
def test_what_is_drawn_lies_in_the_ranges_and_depends_on_the_seed_alone(choose):
    found = drawn(choose)
    assert len(found) == 12
    assert all(1e-4 <= item["training.learning_rate"] <= 1e-1 for item in found)
    assert all(item["model.bottleneck"] in range(2, 7) for item in found)
    assert {item["model.activation"] for item in found} == {"relu", "tanh"}
    assert all(item["model.hidden"] in ([8], [8, 4]) for item in found)
    assert all(f"{item['training.learning_rate']:.4g}" == f"{item['training.learning_rate']:g}" for item in found)
    assert found == drawn(choose)
    assert found != drawn(choose, seed=1)


def test_tpe_learns_where_scores_are_low():
    rates = [np.log10(item["training.learning_rate"]) for item in drawn("tpe", 60)]
    assert np.mean(np.abs(np.array(rates[40:]) + 2)) < np.mean(np.abs(np.array(rates[:20]) + 2))


@pytest.mark.parametrize(
    ("compare", "sweep", "words"),
    [
        ({"training.learning_rate": {"low": 1e-3, "high": 1e-1}}, {}, "is a range, which a grid has no values for"),
        ({"training.learning_rate": {"low": 1, "high": 0.1}}, {"choose": "tpe"}, "must have low < high"),
        (
            {"training.epochs": {"low": 0, "high": 9}},
            {"choose": "tpe"},
            "training.epochs must be a whole number",
        ),
        ({"training.learning_rate": {"low": 0.1}}, {"choose": "tpe"}, "or a range {low: 0.001, high: 0.01}"),
    ],
)
def test_wrong_ranges_are_refused(compare, sweep, words, tmp_path):
    with pytest.raises(StudyError) as error:
        study(tmp_path, compare, sweep)
    assert words in str(error.value)


def test_rungs_are_a_ninth_and_a_third():
    assert rungs(90) == [10, 30]
    assert rungs(9) == [1, 3]
    assert rungs(1) == []


def trained_epochs(monkeypatch):
    """Lets `train` tell which epochs it trained, as (name, seed, epoch)."""
    real, found = lab.train, []

    def listening(recipe, *args, seed, on_epoch, **kwargs):
        def tell(epoch):
            found.append((recipe.name, seed, epoch))
            on_epoch(epoch)

        return real(recipe, *args, seed=seed, on_epoch=tell, **kwargs)

    monkeypatch.setattr(lab, "train", listening)
    return found


def test_halving_drops_the_worst_and_trains_no_epoch_twice(tmp_path, monkeypatch):
    epochs = trained_epochs(monkeypatch)
    rates = [1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.03]
    record = compare_study(study(tmp_path, {"training.learning_rate": rates}, {"halving": True}), tmp_path / "run")
    rows = {row["name"]: row for row in record["rows"] if row.get("kind") != "reference"}
    assert len(epochs) == len(set(epochs))
    assert next(iter(rows)) in ("learning_rate=0.01", "learning_rate=0.03")
    assert rows["learning_rate=1e-06"]["dropped_at"] == 1
    assert rows["baseline"]["score"] is not None, "everything is compared with it, so it is trained to the end"
    finished = [name for name, row in rows.items() if row["score"] is not None]
    assert len(epochs) == 6 * 1 + 3 * 2 + len(finished) * (6 + 9) - (0 if "baseline" in finished else 1)


def test_a_training_that_patience_ended_before_a_rung_is_ranked_by_its_score(tmp_path, monkeypatch):
    real, found = lab.Lab.rung, []
    monkeypatch.setattr(lab.Lab, "rung", lambda *given: found.append(real(*given)) or found[-1])
    stuck = {"learning_rate": 1e-30, "patience": 1}  # the baseline never moves, and ends after two epochs
    asked = study(tmp_path, {"training.learning_rate": [0.01]}, {"halving": True, "seeds": 1}, **stuck)
    compare_study(asked, tmp_path / "run")
    assert len(found) == 4
    assert np.isfinite(found).all()


def test_a_whole_sweep_gives_the_same_scores_as_the_survivors_of_a_halved_one(tmp_path):
    rates = {"training.learning_rate": [1e-5, 1e-4, 0.01, 0.03]}
    whole = compare_study(study(tmp_path, rates, {"seeds": 1}), tmp_path / "whole")
    given = study(tmp_path, rates, {"seeds": 1, "halving": True})
    halved = compare_study(given, tmp_path / "halved")
    again = compare_study(given, tmp_path / "whole")
    for mine, theirs in zip(again["rows"], halved["rows"], strict=True):
        assert {**mine, "seconds": 0} == {**theirs, "seconds": 0}, "trials that were finished before change no verdict"
    scores = {row["name"]: row["score"] for row in whole["rows"]}
    for row in halved["rows"]:
        if row["score"] is not None:
            assert row["score"] == scores[row["name"]], "bit for bit: a pause changes nothing"


def test_a_short_training_is_judged_at_a_later_rung_by_its_end(tmp_path):
    rates = {"training.epochs": [2, 9], "training.learning_rate": [1e-5, 1e-4, 0.01]}
    record = compare_study(study(tmp_path, rates, {"halving": True, "seeds": 1}), tmp_path / "run")
    rows = {row["name"]: row for row in record["rows"]}
    assert rows["epochs=2,learning_rate=0.01"]["score"] < rows["baseline"]["score"]
    assert rows["epochs=2,learning_rate=1e-05"]["dropped_at"] == 1


def test_values_that_train_the_same_are_one_configuration(tmp_path):
    given = study(tmp_path, {"model.family": ["dense", "auto"]}, {"seeds": 1}, epochs=1)
    record = compare_study(given, tmp_path / "run")
    assert [row["name"] for row in record["rows"] if row.get("kind") != "reference"] == ["baseline"]


def test_a_configuration_that_fails_is_told_and_stops_no_other(tmp_path):
    rates = {"training.learning_rate": [1e-3, 1e30]}
    record = compare_study(study(tmp_path, rates, optimizer="sgd", loss="mse"), tmp_path / "run")
    rows = {row["name"]: row for row in record["rows"]}
    assert "became NaN or infinite" in rows["learning_rate=1e+30"]["failed"]
    assert rows["learning_rate=1e+30"]["score"] is None
    assert rows["baseline"]["score"] < 1.5
    json.dumps(record, allow_nan=False)


@pytest.mark.parametrize("choose", ["random", "tpe"])
def test_a_drawn_configuration_that_cannot_be_built_is_told_and_stops_no_other(choose, tmp_path):
    np.save(tmp_path / "rows.npy", ROWS)
    factories = [f"{__name__}:narrow", f"{__name__}:broken"]
    tree = {
        "data": {"train": str(tmp_path / "rows.npy")},
        "model": {"factory": factories[0]},
        "training": {"epochs": 1, "processes": 1},
        "compare": {"model.factory": factories, "training.learning_rate": {"low": 1e-3, "high": 1e-2}},
        "sweep": {"choose": choose, "configurations": 6, "seeds": 1},
    }
    record = compare_study(parse_study(tree), tmp_path / "run")
    rows = {row["name"]: row for row in record["rows"] if row.get("kind") != "reference"}
    failed = {name for name, row in rows.items() if row.get("failed")}
    assert failed == {name for name in rows if "broken" in name}
    assert 0 < len(failed) < len(rows)
    assert all("no weights today" in rows[name]["failed"] for name in failed)


def test_a_listed_configuration_that_cannot_be_built_is_named_before_anything_is_trained(tmp_path, monkeypatch):
    epochs = trained_epochs(monkeypatch)
    with pytest.raises(ModelError, match="^family=lstm: .* takes sequences"):
        compare_study(study(tmp_path, {"model.family": ["dense", "lstm"]}), tmp_path / "run")
    assert not epochs


@pytest.mark.parametrize(
    "sweep",
    [
        pytest.param({}, marks=pytest.mark.slow),
        pytest.param({"halving": True}, marks=pytest.mark.slow),
        {"choose": "tpe", "configurations": 6, "halving": True},
    ],
)
def test_what_is_left_to_do_is_known_from_the_start(sweep, tmp_path):
    seen = []

    class Watching:
        def update(self, doing, done, total):
            if total > 1:  # before, it is told what is read and built
                seen.append((done, total))

    rates = [1e-5, 1e-4, 0.003, 0.01, 0.03]
    compare = {"training.learning_rate": rates if sweep.get("choose") != "tpe" else {"low": 1e-5, "high": 0.1}}
    compare_study(study(tmp_path, compare, sweep, epochs=18), tmp_path / "run", progress=Watching())
    assert seen[0][1] == pytest.approx(seen[-1][0], rel=0.1)


def test_a_board_is_told_how_all_configurations_stand(tmp_path):
    seen = []

    class Watching:
        def update(self, doing, done, total):
            pass

        def show(self, standings):
            seen.append({item.name: item for item in standings})

    given = study(tmp_path, {"training.learning_rate": [0.001, 0.01], "model.bottleneck": [1, 2]})
    compare_study(given, tmp_path / "run", progress=Watching())
    last = seen[-1]
    assert len(last) == 4
    assert all(0.0 <= item.part <= 1.0 for standings in seen for item in standings.values())
    parts = [sum(item.part for item in standings.values()) for standings in seen]
    assert parts == sorted(parts)
    assert parts[-1] > 3
