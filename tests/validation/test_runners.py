"""The same file gives the same statistics whatever Beam runner reads it (aetfx.validation.pipeline, runner)."""

from __future__ import annotations

import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aetfx.data import open_source
from aetfx.errors import AetfxError
from aetfx.validation.pipeline import compute
from aetfx.validation.runner import workers
from aetfx.validation.statistics import QUANTILES

RNG = np.random.default_rng(3)
ROWS = RNG.lognormal(size=(3000, 4)) * [1, 10, 100, 1000]
ROWS[::7, 1] = np.nan
ROWS[::50, 2] = -999
BAD_LINES = 5


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    for i, part in enumerate(np.split(ROWS, 3)):
        np.save(folder / f"part-{i}.npy", part)
        pq.write_table(
            pa.table({f"c{j}": part[:, j] for j in range(4)}), folder / f"part-{i}.parquet", row_group_size=400
        )
        lines = [",".join("" if np.isnan(v) else repr(float(v)) for v in row) for row in part]
        if i == 1:
            lines[10 : 10 + BAD_LINES] = [f"{k}.5,x,1,2" for k in range(BAD_LINES)]
        (folder / f"part-{i}.csv").write_text("a,b,c,d\n" + "\n".join(lines) + "\n")
    np.savez(folder / "rows.npz", ROWS)
    return folder


MODES = {
    "one thread": [],
    "two in memory": ["--direct_num_workers=2", "--direct_running_mode=in_memory"],
    "two threads": ["--direct_num_workers=2", "--direct_running_mode=multi_threading"],
    "two processes": ["--direct_num_workers=2", "--direct_running_mode=multi_processing"],
}


def same(one, other):
    assert one.rows == other.rows
    assert one.quarantined == other.quarantined
    for split, mine in one.statistics.items():
        theirs = other.statistics[split]
        for name in ("n_missing", "n_infinite", "n_zero", "n_integer", "minimum", "maximum", "quantiles", "n_distinct"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name), err_msg=name)
        for name in ("mean", "sd"):
            np.testing.assert_allclose(getattr(mine, name), getattr(theirs, name), rtol=1e-9)
        assert mine.spikes == theirs.spikes


@pytest.mark.parametrize("pattern", ["part-*.npy", "rows.npz", "part-*.csv", "part-*.parquet"])
def test_threads_and_processes_change_nothing(files, pattern):
    source = open_source(str(files / pattern))
    expected = compute(source, eval_fraction=0.2)
    counts = expected.rows
    bad = BAD_LINES if pattern.endswith("csv") else 0
    assert counts["train"].read + counts["eval"].read == len(ROWS)
    assert counts["train"].counted + counts["eval"].counted == len(ROWS) - bad
    assert sum(map(len, expected.quarantined.values())) == bad
    # Processes cost seconds to start; one kind of file shows that descriptors and results travel.
    for mode in ("two in memory", "two threads") if pattern != "part-*.csv" else ("two processes",):
        same(expected, compute(source, eval_fraction=0.2, beam_flags=MODES[mode]))


def test_a_job_service_with_a_worker_process_of_its_own(files):
    """Beam's portable way, as on Flink: the job goes to a service, the work to another process."""
    from apache_beam.runners.portability import local_job_service

    service = local_job_service.LocalJobServicer()
    port = service.start_grpc_server()
    try:
        source = open_source(str(files / "part-*.npy"))
        flags = ["--runner=PortableRunner", f"--job_endpoint=localhost:{port}", "--environment_type=LOOPBACK"]
        same(compute(source), compute(source, beam_flags=flags))
    finally:
        threading.Thread(target=service.stop, daemon=True).start()


def test_beyond_the_budget_every_runner_is_within_half_a_percent(files, monkeypatch):
    monkeypatch.setattr("aetfx.validation.combiners.quantiles.EXACT_BYTES", 1000)
    source = open_source(str(files / "part-*.npy"))
    for flags in MODES["one thread"], MODES["two threads"]:
        statistics = compute(source, beam_flags=flags).statistics["train"]
        assert not statistics.exact
        for j, column in enumerate(ROWS.T):
            finite = np.sort(column[np.isfinite(column)])
            for level, value in zip(QUANTILES, statistics.quantiles[:, j], strict=True):
                low, high = np.searchsorted(finite, value, "left"), np.searchsorted(finite, value, "right")
                assert low / len(finite) - 0.005 <= level <= high / len(finite) + 0.005


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--direct_num_worker=2"], "Did you mean '--direct_num_workers'"),
        (["--direct_num_workers=two"], "direct_num_workers: invalid int value: 'two'"),
        (["--runner=FlinkRuner"], "--runner=FlinkRuner: no such Beam runner"),
    ],
)
def test_mistyped_flags_are_refused(flags, said):
    with pytest.raises(AetfxError, match=said):
        workers(flags)
