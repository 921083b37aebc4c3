"""benchmarks.evaluation at a tiny size: a real process for each tool, the same figures from both, and what is kept."""

from __future__ import annotations

import json
import sys

import pytest

from benchmarks import evaluation


@pytest.fixture
def run(tmp_path, monkeypatch):
    results = tmp_path / "results.json"

    def run(*arguments):
        given = ["evaluation", "--data", str(tmp_path), "--results", str(results), "--rounds", "1", *arguments]
        monkeypatch.setattr(sys, "argv", given)
        code = evaluation.main()
        return code, json.loads(results.read_text())["measured"]

    return run


def test_all_tools_give_the_same_figures_and_what_is_measured_is_kept(run, monkeypatch, capsys):
    cases = evaluation.cases
    wanted = ("speed: predict", "speed: aetfx, 1 worker", "speed: aetfx, 2 processes", "ranks")

    def in_this_process(what, path, models, flags):
        flags = [flag.replace("multi_processing", "multi_threading") for flag in flags]
        return json.loads(json.dumps(evaluation.measure_here(what, path, models, flags)))

    monkeypatch.setattr(evaluation, "cases", lambda given: [case for case in cases(given) if case.name in wanted])
    monkeypatch.setattr(evaluation, "measure", in_this_process)
    monkeypatch.setattr(evaluation, "_SPEED", 0.0)  # so few rows are done before the models are loaded
    code, measured = run("--rows", "600", "--models", "2", "--only", "s")
    said = capsys.readouterr().out
    assert code == 0, said
    assert set(measured) == {f"{name}, 600 x 784, 2 models" for name in wanted}
    assert "times the rows per second of bare predict calls" in said
    first = measured["speed: aetfx, 1 worker, 600 x 784, 2 models"][0]
    assert first["counts"][0] == 600
    assert len(first["figures"]) > 2 * 784

    monkeypatch.setattr(evaluation, "measure", lambda *_: pytest.fail("measured again"))
    assert run("--rows", "600", "--models", "2", "--only", "s")[1] == measured
    with pytest.raises(pytest.fail.Exception, match="measured again"):
        run("--rows", "601", "--models", "2", "--only", "s")

    found = {name: items[0] for name, items in measured.items()}
    names = {name: key for key in found for name in wanted if key.startswith(name)}
    found = {name: found[names[name]] for name in wanted}
    assert evaluation.unlike(found) == []
    two = found["speed: aetfx, 2 processes"]
    two["figures"][0] *= 1 + 1e-8
    two["counts"][0] += 1
    two["quantiles"][next(iter(found["ranks"]["bounds"]))] *= 2
    missed = evaluation.unlike(found)
    assert len(missed) == 3
    assert all(line.startswith("speed: aetfx, 2 processes: ") for line in missed)


def test_a_process_of_its_own_measures(tmp_path):
    path = tmp_path / "60x20.npy"
    evaluation.write_data(path, 60, 20)
    found = evaluation.measure("aetfx", str(path), evaluation.make_models(tmp_path, 1, 20), [])
    assert found["counts"][0] == 60
    assert found["peak_mb"] > 100
