"""Tests of the dashboard's routes against a real TensorBoard process, without a browser."""

from __future__ import annotations

import gzip
import http.client
import json
import subprocess
import sys
import time
import tomllib
from importlib import import_module
from pathlib import Path
from urllib.parse import quote, urlsplit

import numpy as np
import pytest

from aetfx.tensorboard_plugin.assets import Assets
from tests.tensorboard_plugin.runs import HOSTILE

ROOT = Path(__file__).resolve().parents[2]
VIEWS = ("pair", "errors", "heat", "rows", "latent", "data", "diagnosis")


def ask(address, path, method="GET", headers=None):
    """Returns status, headers and content; the path is sent as it is, not normalised."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.request(method, path, headers={"Accept-Encoding": "gzip", **(headers or {})})
    answer = connection.getresponse()
    content = answer.read()
    if answer.headers.get("Content-Encoding") == "gzip" and content:
        content = gzip.decompress(content)
    return answer.status, answer.headers, content


def get(address, route, **parameters):
    query = "&".join(f"{key}={quote(str(value), safe='')}" for key, value in parameters.items())
    return ask(address, f"/data/plugin/aetfx/{route}?{query}")


def unpack(content):
    """Reads a pack, written out from its description."""
    length = int(np.frombuffer(content, "<u4", 1)[0])
    header = json.loads(content[4 : 4 + length])
    values, place = [], 4 + length
    for shape in header["arrays"]:
        size = int(np.prod(shape))
        values.append(np.frombuffer(content, "<f4", size, place).reshape(shape))
        place += 4 * size
    assert place == len(content)
    return header, values


def run_of(name):
    return f"{name}/tensorboard/aetfx"


def strict(content):
    """Parses JSON and refuses NaN and infinities."""

    def refuse(word):
        raise AssertionError(f"{word} in JSON")

    return json.loads(content, parse_constant=refuse)


def test_the_entry_point_loads_fast_without_tensorflow():
    value = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["tensorboard_plugins"][
        "aetfx"
    ]
    module, name = value.split(":")
    assert hasattr(import_module(module), name)
    script = f"""
import sys, time, tensorboard.plugins.base_plugin
started = time.process_time()
import {module}
print(time.process_time() - started, sorted({{"tensorflow", "pyarrow", "pandas", "numpy"}} & set(sys.modules)))
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    seconds, loaded = said.split(" ", 1)
    assert float(seconds) < 0.3
    assert loaded.strip() == "[]"


def test_the_backend_loads_neither_tensorflow_nor_what_reads_runs():
    script = """
import sys, aetfx.tensorboard_plugin.backend
print(sorted({"tensorflow", "pyarrow", "pandas", "scipy", "plotly"} & set(sys.modules)))
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert said.strip() == "[]"


def test_without_a_data_provider_the_plugin_stays_away():
    from types import SimpleNamespace

    from aetfx.tensorboard_plugin.plugin import AetfxLoader

    assert AetfxLoader().load(SimpleNamespace(data_provider=None)) is None


def test_runs_are_sorted_and_the_first_that_was_evaluated_is_shown(address, made):
    status, headers, content = get(address, "start")
    found = strict(content)
    names = [item["run"] for item in found["runs"]]
    assert status == 200
    assert headers["Content-Encoding"] == "gzip"
    assert names == sorted(names)
    assert {run_of(name) for name in made} <= set(names)
    assert found["run"] == names[0]


def test_the_board_holds_the_scores_of_the_file(address, made):
    evaluation = made["table"].evaluation
    board = strict(get(address, "start", run=run_of("table"))[2])["board"]
    assert [item["id"] for item in board["configurations"]] == [item["id"] for item in evaluation["configurations"]]
    for shown, given in zip(board["configurations"], evaluation["configurations"], strict=True):
        assert shown["score"] == pytest.approx(given["score"], rel=1e-3)
        assert shown["low"] == pytest.approx(given["low"], rel=1e-3)
    baseline = evaluation["configurations"][0]["id"]
    gains = {p["b"]: p["gain"] for p in evaluation["paired"] if p["a"] == baseline}
    for shown in board["configurations"][1:]:
        assert shown["gain"]["gain"] == pytest.approx(gains[shown["id"]], rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("kind", ["table", "picture", "wide"])
def test_the_heat_map_holds_the_score_of_every_feature(address, made, kind):
    header, (scores,) = unpack(get(address, "heat", run=run_of(kind))[2])
    truth = made[kind].features
    assert sorted(header["configurations"]) == list(range(len(truth)))
    if header["shape"]:
        assert header["shape"] == made[kind].evaluation["shape"]
    assert sorted(header["features"]) == list(range(truth.shape[1]))
    np.testing.assert_allclose(scores, truth[header["configurations"]][:, header["features"]], rtol=1e-5)


@pytest.mark.parametrize("kind", ["table", "picture", "sequence"])
def test_rows_are_worst_first_and_true_to_three_digits(address, made, kind):
    samples = made[kind].samples
    place = 1
    identity = made[kind].evaluation["configurations"][place]["id"]
    header, (scale, truth, restored) = unpack(get(address, "rows", run=run_of(kind), pick=identity, limit=5)[2])
    worst = np.argsort(-samples["error"][place], kind="stable")[:5]
    assert [row["at"] for row in header["rows"]] == worst.tolist()
    assert [row["place"] for row in header["rows"]] == samples["place"][worst].tolist()
    np.testing.assert_array_equal(truth, samples["truth"][worst].reshape(5, -1))
    gap = np.abs(restored - samples[f"restored_{place}"][worst].reshape(5, -1)) / scale[1]
    assert gap.max() < 0.01, "a hundredth of a column's spread"
    assert header["total"] == len(samples["truth"])


def test_rows_of_a_slice_are_those_of_the_file(address, made):
    samples = made["table"].samples
    header, _ = unpack(get(address, "rows", run=run_of("table"), slice=2, limit=48)[2])
    assert header["total"] == int(samples["slices"][2].sum())
    assert all(samples["slices"][2][row["at"]] for row in header["rows"])


def test_a_pair_that_was_not_measured_is_estimated_on_the_random_rows(address, made):
    from aetfx.tensorboard_plugin.pairs import estimated, measured

    assert measured({"paired": [{"a": "x", "b": "y", "gain": 0.5, "low": 0.2, "high": 0.6}]}, "y", "x") == {
        "gain": -1.0,
        "low": -1.5,
        "high": pytest.approx(-0.25),
    }
    samples = made["table"].samples
    first, second = samples["error"][0], samples["error"][5]
    random = (samples["why"] & 1) > 0
    found = estimated(first, second, samples["why"])
    assert found["gain"] == pytest.approx(1 - second[random].sum() / first[random].sum(), rel=1e-4)
    assert found["low"] < found["gain"] < found["high"]
    assert estimated(first[:10], second[:10], np.ones(10, np.uint8)) is None


@pytest.mark.parametrize("route", VIEWS)
@pytest.mark.parametrize("name", ["nan", HOSTILE, "table"])
def test_every_answer_is_strict_json_or_a_pack(address, route, name):
    status, headers, content = get(address, route, run=run_of(name))
    if route in ("data", "diagnosis") and name == "nan":
        assert status == (404 if route == "diagnosis" else 200)
        strict(content)
        return
    assert status == 200, content
    if headers["Content-Type"].startswith("application/json"):
        strict(content)
    else:
        assert headers["Content-Type"] == "application/octet-stream"
        unpack(content)
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("route", ["start", "rows", "index.js"])
def test_only_get_is_answered(address, method, route):
    status, headers, _ = ask(address, f"/data/plugin/aetfx/{route}", method)
    assert status == 405
    assert headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("prefix", ["", "static/", "static/x/", "plotly/", "start/", "rows/", "heat/", "index.js/"])
@pytest.mark.parametrize(
    "path",
    ["../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/plugin.py", "/etc/passwd", "backend.py"],
)
def test_no_path_leads_out(address, prefix, path):
    status, _, content = ask(address, f"/data/plugin/aetfx/{prefix}{path}")
    assert status == 404
    assert b"root:" not in content


@pytest.mark.parametrize("run", ["../table", "/etc", "nowhere", "table", "."])
def test_a_run_that_tensorboard_does_not_list_is_404(address, run):
    for route in VIEWS:
        status, _, content = get(address, route, run=run)
        assert status == 404, route
        assert "error" in strict(content)


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"slice": "x"}, 400),
        ({"offset": -1}, 400),
        ({"limit": "1e9"}, 400),
        ({"at": 10_000_000}, 404),
        ({"pick": "nobody"}, 404),
        ({"slice": 999_999}, 200),
        ({"offset": 999_999}, 200),
        ({"limit": 999_999}, 200),
    ],
)
def test_wild_parameters_are_refused_or_bounded(address, parameters, status):
    found, _, content = get(address, "rows", run=run_of("table"), **parameters)
    assert found == status, content
    if "limit" in parameters and status == 200:
        assert len(unpack(content)[0]["rows"]) <= 48


def test_static_files_are_kept_by_the_browser_and_the_entry_is_not(address):
    assets = Assets()
    _, headers, content = ask(address, "/data/plugin/aetfx/index.js")
    assert headers["Content-Type"].startswith("text/javascript")
    assert "no-cache" in headers["Cache-Control"]
    assert assets.version.encode() in content
    for name in assets.files:
        status, headers, _ = ask(address, f"/data/plugin/aetfx/static/{assets.version}/{name}")
        assert status == 200
        assert "max-age" in headers["Cache-Control"]
    status, headers, content = ask(address, f"/data/plugin/aetfx/plotly/{assets.plotly_version}.js")
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    assert len(content) > 1e6


def test_a_view_of_60_configurations_and_800_features_is_small_and_quick(address):
    for route, limit in (("start", 60_000), ("heat", 400_000), ("errors", 60_000), ("rows", 300_000)):
        started = time.perf_counter()
        size = int(get(address, route, run=run_of("wide"))[1]["Content-Length"])
        assert size < limit, route
        assert time.perf_counter() - started < 10
