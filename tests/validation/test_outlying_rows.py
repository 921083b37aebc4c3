"""Tests of rows that break what columns have in common: row_sample, row_model, checks.outlying_rows, worst_rows."""

import gzip
import json
import pickle

import jsonschema
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from scipy.stats import norm, rankdata
from sklearn import datasets

from aetfx.data import open_source
from aetfx.data.split import held_out
from aetfx.report.validation import print_validation, write_views
from aetfx.validation import row_model
from aetfx.validation.api import validate
from aetfx.validation.checks import Context, outlying_rows
from aetfx.validation.combiners.base import Cells
from aetfx.validation.combiners.columns import Columns
from aetfx.validation.combiners.row_hashes import hash_rows
from aetfx.validation.combiners.row_sample import RowSample, most_rows
from aetfx.validation.findings import schema
from aetfx.validation.statistics import summarize

CANCER = datasets.load_breast_cancer()
CELLS = st.one_of(st.floats(-100, 100, width=32), st.sampled_from([0.0, -0.0, 1.0, np.nan, np.inf]))
TABLES = hnp.arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(2, 4)), elements=CELLS)


def factor(n=2000, width=8, noise=0.2, seed=0):
    """Columns with two factors in common; no row is odd."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)) @ rng.normal(size=(2, width)) + noise * rng.normal(size=(n, width))


SIZES = np.argsort(CANCER.data[:, 3], kind="stable")  # by mean area
ODD = SIZES[[28, 540, 57, 512, 85, 483]]  # small and large tumours in turn: the 5th, 95th, 10th, ... percentile


def crossed(values, rows):
    """The rows pass every second cell on to one another; each column holds what it held."""
    values = values.copy()
    values[rows, ::2] = values[np.roll(rows, 1), ::2]
    return values


def check(values, **context):
    with np.errstate(all="ignore"):
        return outlying_rows.check(summarize(values, deep=True), Context(**context))


def lines_of(values):
    return [",".join("" if np.isnan(v) else repr(float(v)) for v in row) for row in values]


class TestRowSample:
    @given(table=TABLES, cuts=st.lists(st.integers(0, 40), max_size=4), data=st.data())
    @settings(max_examples=40, deadline=None)
    def test_any_order_of_merging_gives_the_smallest_hashes(self, table, cuts, data):
        parts = [part for part in np.split(table, sorted(min(c, len(table)) for c in cuts)) if len(part)]
        merged = RowSample(table.shape[1], 5)
        for part in data.draw(st.permutations(parts)):
            merged.merge(pickle.loads(pickle.dumps(RowSample(table.shape[1], 5).add(Cells(part)))))
        hashes = hash_rows(table)[0]
        _, first = np.unique(hashes, return_index=True)
        np.testing.assert_array_equal(merged.result(), table[first[:5]])
        added = RowSample(table.shape[1], 5)
        for part in parts:
            added.add(Cells(part))
        np.testing.assert_array_equal(added.result(), merged.result())

    def test_memory_stays_flat_and_the_sample_is_fair(self):
        values = np.random.default_rng(0).normal(size=(50_000, 3)).astype(np.float32)
        values[::2] = 7.0  # half of the rows are one row
        sample = RowSample(3, 500)
        held = 0
        for start in range(0, 50_000, 1000):
            sample.add(Cells(values[start : start + 1000]))
            held = max(held, sum(map(len, sample.rows)))
        found = sample.result()
        assert held <= 2 * 500
        assert found.shape == (500, 3)
        assert found.dtype == np.float64
        assert (found == 7.0).all(axis=1).sum() <= 1
        assert abs(found.mean()) < 0.15

    def test_the_size_of_a_sample_is_bounded(self):
        for width in (1, 30, 784, 8192):
            assert most_rows(width) * width * 8 <= 16 << 20
            assert most_rows(width) >= 256
        assert Columns(8193, deep=True).add(Cells(np.zeros((3, 8193)))).result().row_sample is None


class TestRowModel:
    def test_distances_are_mahalanobis_of_normal_scores(self):
        values = np.exp(factor(4000, 5, noise=0.5))
        model, found = row_model.fit(values)
        scores = norm.ppf((np.apply_along_axis(rankdata, 0, values) - 0.5) / len(values))
        precision = np.linalg.inv(np.cov(scores, rowvar=False))
        expected = np.sqrt(np.einsum("ij,jk,ik->i", scores, precision, scores))
        expected /= np.maximum(1, np.sqrt((scores**2).mean(axis=1)))
        inner = (np.abs(scores) < 2).all(axis=1)  # farther out the unsureness of scores is taken off
        assert np.corrcoef(found[inner], expected[inner])[0, 1] > 0.98
        np.testing.assert_allclose(model.distances(values), found)

    def test_monotone_changes_of_columns_change_nothing(self):
        values = factor()
        bent = np.column_stack([np.exp(values[:, 0]), values[:, 1] ** 3, values[:, 2:]])
        np.testing.assert_allclose(row_model.fit(bent)[1], row_model.fit(values)[1], rtol=0.15)

    def test_a_missing_cell_never_adds_to_the_distance(self):
        values = factor()
        model, found = row_model.fit(values)
        holed = values.copy()
        holed[np.arange(len(values)), np.arange(len(values)) % 8] = np.nan
        fewer = model.distances(holed)
        # A row's size and the unsureness of its scores are of the cells that are there: they move a little.
        assert np.mean(fewer <= found * 1.02) > 0.9
        assert model.distances(np.full((1, 8), np.nan)) == [0.0]

    def test_the_missing_cells_are_filled_with_their_expectation(self):
        values = factor(width=6)
        (half, _) = row_model.fit(values)[0].halves
        rows = np.random.default_rng(1).normal(size=(20, 6))
        missing = np.random.default_rng(2).random((20, 6)) < 0.4
        filled = half.centred(rows, missing)
        precision = half.times(np.eye(6))
        for row, holes, full in zip(rows - half.centre, missing, filled, strict=True):
            expected = -np.linalg.solve(precision[np.ix_(holes, holes)], precision[np.ix_(holes, ~holes)] @ row[~holes])
            np.testing.assert_allclose(full[holes], expected, rtol=1e-5, atol=1e-7)

    def test_the_odd_cell_is_named(self):
        values = factor()
        values[7, 3] = np.sort(values[:, 3])[-2 if values[7, 3] < 0 else 1]
        model, found = row_model.fit(values)
        assert found.argmax() == 7
        assert model.oddness(values[7:8]).argmax() == 3

    def test_wide_rows_are_judged_by_rows_that_they_had_no_part_in(self):
        values = np.random.default_rng(3).normal(size=(256, 3000))
        _, found = row_model.fit(values)
        assert found.max() / np.median(found) < 1.1  # in their own fit the rows left out would stand far apart
        assert row_model.fit(values[:40]) is None
        assert row_model.fit(np.repeat(values[:, :2], [1, 0], axis=1)) is None


class TestCheck:
    def test_crossed_rows_are_found_and_their_columns_named(self):
        values = crossed(CANCER.data, ODD)
        np.testing.assert_array_equal(np.sort(values, axis=0), np.sort(CANCER.data, axis=0))
        (finding,) = check(values)
        assert (finding.code, finding.severity, finding.split) == ("data.outliers.rows", "warning", "train")
        assert finding.study == [{"training": {"loss": "huber"}}]
        assert 3 <= finding.evidence["far_rows"] <= 6
        assert finding.evidence["rows_looked_at"] == 569
        assert "of 569 rows" in finding.message
        scorer = outlying_rows.find_scorer(summarize(values, deep=True))
        far = np.flatnonzero(scorer.distances(values) > 1)
        assert len(far) == finding.evidence["far_rows"]
        assert set(far) <= set(ODD)

    @pytest.mark.parametrize("name", ["breast_cancer", "wine", "iris", "digits", "linnerud"])
    def test_clean_sets_are_quiet(self, name):
        assert not check(getattr(datasets, f"load_{name}")().data.astype(float))

    @pytest.mark.parametrize(
        "draw",
        [
            lambda rng, n: rng.normal(size=(n, 8)),
            lambda rng, n: factor(n) / np.sqrt(rng.chisquare(3, (n, 1)) / 3),
            lambda rng, n: factor(n, noise=0.01),
            lambda rng, n: np.exp(2 * factor(n)),
            lambda rng, n: rng.standard_t(3, (n, 3)) @ rng.normal(size=(3, 8)) + 0.3 * rng.normal(size=(n, 8)),
            lambda rng, n: rng.poisson(np.exp(factor(n))).astype(float),
            lambda rng, n: np.where(rng.random((n, 8)) < 0.1, np.nan, factor(n)),
        ],
        ids=["normal", "Student's t", "nearly a line", "lognormal", "heavy factors", "counts", "cells missing"],
    )
    @pytest.mark.parametrize("n", [200, 4000])
    def test_clean_columns_of_all_shapes_are_quiet(self, draw, n):
        assert not check(draw(np.random.default_rng(5), n))

    def test_gross_cells_missing_cells_and_sentinels_are_left_to_their_own_checks(self):
        values = factor()
        values[5, 2], values[6, 1], values[20:60, 4] = 1e6, np.nan, -999.0
        values[9, 3] = np.inf
        assert not check(values)

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize(
        "values", [np.full((90, 2), np.nan), np.zeros((90, 3)), np.array([[1e308, -1e308]] * 90), np.zeros((1, 1))]
    )
    def test_empty_and_constant_data_are_borne(self, values):
        assert not check(values)


class TestPositions:
    """Row k of the values read is row k of the file; a marker in column 0 tells which."""

    def located(self, path):
        source = open_source(path)
        found = {}
        for shard in source.shards():
            for batch, where in source.read_located(shard):
                assert len(where()) == batch.n_rows
                found |= dict(zip(batch.values()[:, 0].tolist(), where(), strict=True))
        return found

    def test_csv_lines_with_blank_long_and_bad_records(self, tmp_path, monkeypatch):
        monkeypatch.setattr("aetfx.data.sources.csv.BLOCK_BYTES", 300)
        text, expected, line = ["", "m,b,note"], {}, 3
        for k in range(120):
            if k % 17 == 5:
                text, line = [*text, ""], line + 1
            if k % 60 == 7:
                text, line = [*text, "oops,1,x"], line + 1
            note = '"two\nlines"' if k % 13 == 4 else "x"
            expected[float(k)] = line
            text, line = [*text, f"{k},1,{note}"], line + 1 + note.count("\n")
        (tmp_path / "a.csv").write_text("\n".join(text) + "\n")
        with gzip.open(tmp_path / "a.csv.gz", "wt") as file:
            file.write("\n".join(text) + "\n")
        for name in ("a.csv", "a.csv.gz"):
            found = self.located(tmp_path / name)
            assert found == {k: (str(tmp_path / name), n) for k, n in expected.items()}

    def test_arrays_and_tables_count_rows_over_shards(self, tmp_path, monkeypatch):
        monkeypatch.setattr("aetfx.data.sources.npy.SHARD_BYTES", 400)
        values = np.column_stack([np.arange(90.0), np.ones(90)])
        np.save(tmp_path / "a.npy", values)
        np.savez(tmp_path / "a.npz", values)
        pq.write_table(pa.table({"m": values[:, 0], "b": values[:, 1]}), tmp_path / "a.parquet", row_group_size=25)
        for name in ("a.npy", "a.npz", "a.parquet"):
            assert self.located(tmp_path / name) == {k: (str(tmp_path / name), int(k)) for k in values[:, 0]}

    def test_quarantined_records_and_images_keep_their_place(self, tmp_path):
        import tensorflow as tf

        with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
            for k in range(40):
                floats = tf.train.Feature(float_list=tf.train.FloatList(value=[k, 1.0]))
                example = tf.train.Example(features=tf.train.Features(feature={"x": floats}))
                writer.write(b"no example" if k in (0, 9, 10) else example.SerializeToString())
        name = str(tmp_path / "a.tfrecord")
        assert self.located(name) == {float(k): (name, k) for k in range(40) if k not in (0, 9, 10)}
        (tmp_path / "images").mkdir()
        for k in range(6):
            Image.fromarray(np.full((2, 2), k, np.uint8)).save(tmp_path / "images" / f"{k}.png")
        (tmp_path / "images" / "3.png").write_bytes(b"damaged")
        assert self.located(tmp_path / "images") == {
            float(k): (str(tmp_path / "images" / f"{k}.png"), None) for k in range(6) if k != 3
        }


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """Two CSV files: six crossed rows, three gross cells, and a bad line in between."""
    values = CANCER.data.copy()
    values = crossed(values, ODD)
    values[[40, 300, 500], 4] = [900.0, 700.0, 800.0]
    lines = lines_of(values)
    folder = tmp_path_factory.mktemp("rows")
    header = ",".join(name.replace(" ", "_") for name in CANCER.feature_names)
    (folder / "a.csv").write_text("\n".join([header, *lines[:200], "oops" + lines[0], *lines[200:290]]) + "\n")
    (folder / "b.csv").write_text("\n".join([header, *lines[290:]]) + "\n")
    # Row k stands in line k + 2; behind the bad line of a.csv in k + 3; in b.csv in k - 288.
    where = {k: ("a.csv", k + 2 if k < 200 else k + 3) if k < 290 else ("b.csv", k - 288) for k in range(569)}
    return folder, values, where


@pytest.fixture(scope="module")
def found(broken):
    validation = validate(broken[0] / "*.csv")
    return validation, {finding.code: finding for finding in validation.findings}


def places(finding, folder):
    return [(row["file"].removeprefix(f"{folder}/"), row["position"]) for row in finding.evidence["rows"]]


class TestWorstRows:
    def test_gross_cells_stand_by_file_and_line(self, broken, found):
        folder, _, where = broken
        finding = found[1]["data.outliers"]
        assert places(finding, folder) == [where[40], where[500], where[300]]
        assert [row["columns"] for row in finding.evidence["rows"]] == [
            [{"column": "mean_smoothness", "value": value}] for value in (900.0, 800.0, 700.0)
        ]
        assert finding.evidence["rows"][0]["distance"] == pytest.approx(finding.evidence["farthest"])
        assert finding.evidence["all_far_rows"] == 3

    def test_crossed_rows_stand_by_file_and_line(self, broken, found):
        folder, _, where = broken
        finding = found[1]["data.outliers.rows"]
        assert len(finding.evidence["rows"]) == finding.evidence["all_far_rows"] >= 3
        assert set(places(finding, folder)) <= {where[k] for k in ODD}
        distances = [row["distance"] for row in finding.evidence["rows"]]
        assert distances == sorted(distances, reverse=True)
        assert all(1 <= len(row["columns"]) <= 3 for row in finding.evidence["rows"])

    def test_only_rows_of_the_finding_s_split_are_listed(self, broken):
        folder, values, where = broken
        validation = validate(folder / "*.csv", eval_fraction=0.4, seed=1)
        held = held_out(values, 0.4, seed=1)
        splits = {"train": {where[k] for k in np.flatnonzero(~held)}, "eval": {where[k] for k in np.flatnonzero(held)}}
        findings = [f for f in validation.findings if "rows" in f.evidence]
        assert findings
        for finding in findings:
            assert set(places(finding, folder)) <= splits[finding.split]

    def test_several_workers_find_the_same_rows(self, broken, found):
        flags = ["--direct_num_workers=2", "--direct_running_mode=multi_threading"]
        again = validate(broken[0] / "*.csv", beam_flags=flags).findings
        assert [f.evidence.get("rows") for f in again] == [f.evidence.get("rows") for f in found[0].findings]

    def test_rows_from_memory_are_named_by_what_they_are(self, broken):
        frame = pd.DataFrame(broken[1], columns=CANCER.feature_names)
        (finding,) = [f for f in validate(frame).findings if f.code == "data.outliers"]
        assert [(row["file"], row["position"]) for row in finding.evidence["rows"]] == [
            ("data", 40), ("data", 500), ("data", 300),
        ]  # fmt: skip

    def test_eval_data_of_their_own_are_searched(self, tmp_path):
        rng = np.random.default_rng(0)
        np.save(tmp_path / "train.npy", rng.normal(size=(500, 4)))
        odd = rng.normal(size=(300, 4))
        odd[123, 2] = 1e4
        np.save(tmp_path / "eval.npy", odd)
        (finding,) = [
            f for f in validate(tmp_path / "train.npy", tmp_path / "eval.npy").findings if f.code == "data.outliers"
        ]
        assert finding.split == "eval"
        assert [(r["file"], r["position"]) for r in finding.evidence["rows"]] == [(str(tmp_path / "eval.npy"), 123)]

    def test_clean_data_are_read_once(self, tmp_path, monkeypatch):
        np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(500, 4)))
        monkeypatch.setattr("aetfx.validation.worst_rows.add_worst_rows", None)
        assert not [f for f in validate(tmp_path / "a.npy").findings if "rows" in f.evidence]

    def test_page_terminal_and_schema_show_them(self, found, tmp_path, capsys):
        validation, by_code = found
        validation.save(tmp_path)
        written = json.loads((tmp_path / "findings.json").read_text())
        jsonschema.validate(written, schema())
        write_views(tmp_path)
        print_validation(tmp_path)
        page, printed = (tmp_path / "validation.html").read_text(), capsys.readouterr().out
        first = by_code["data.outliers"].evidence["rows"][0]
        assert f'title="{first["file"]}">a.csv:{first["position"]}</td>' in page
        assert "mean_smoothness 900" in page
        assert "worst: a.csv:42, b.csv:212, b.csv:12" in " ".join(printed.split())
