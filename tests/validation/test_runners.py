"""The same file gives the same statistics whatever Beam runner reads it (aetfx.validation.pipeline, runner)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from aetfx.data import open_source
from aetfx.errors import AetfxError
from aetfx.validation.pipeline import compute
from aetfx.validation.runner import workers
from aetfx.validation.statistics import QUANTILES
from tests.data.test_sources import write_tfrecord
from tests.portable import job_service_flags

RNG = np.random.default_rng(3)
ROWS = RNG.lognormal(size=(3000, 4)) * [1, 10, 100, 1000]
ROWS[::7, 1] = np.nan
ROWS[::50, 2] = -999
BAD_LINES = 5
N_IMAGES = 40

# Each kind of file: a pattern, the rows in it, and those of them that cannot be used.
SOURCES = {
    "npy": ("part-*.npy", len(ROWS), 0),
    "npz": ("rows.npz", len(ROWS), 0),
    "csv": ("part-*.csv", len(ROWS), BAD_LINES),
    "parquet": ("part-*.parquet", len(ROWS), 0),
    "tfrecord": ("part-*.tfrecord", len(ROWS), 1),
    "images": ("images", N_IMAGES, 2),
}


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
        write_tfrecord(folder, f"part-{i}", part.astype(np.float32))
    np.savez(folder / "rows.npz", ROWS)
    damaged = bytearray((folder / "part-2.tfrecord").read_bytes())
    damaged[20] ^= 1  # inside the first record
    (folder / "part-2.tfrecord").write_bytes(damaged)
    (folder / "images").mkdir()
    for i, pixels in enumerate(RNG.integers(0, 256, (N_IMAGES, 3, 5), dtype=np.uint8)):
        Image.fromarray(pixels[:2] if i == 7 else pixels).save(folder / "images" / f"{i:02d}.png")
    (folder / "images" / "11.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(params=SOURCES)
def source(request, files):
    pattern, n_rows, n_bad = SOURCES[request.param]
    found = open_source(str(files / pattern))
    counts = compute(found).rows["train"]
    assert (counts.read, counts.counted, counts.quarantined) == (n_rows, n_rows - n_bad, n_bad)
    return found


@pytest.fixture
def several_shards(monkeypatch):
    """Small files are cut too, so that there is work for two workers."""
    monkeypatch.setattr("aetfx.data.sources.npy.SHARD_BYTES", 8000)
    monkeypatch.setattr("aetfx.data.sources.images.SHARD_BYTES", 600)


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


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "one thread"])
def test_threads_and_processes_change_nothing(source, mode, request):
    if mode != "two processes":  # a patch does not reach them
        request.getfixturevalue("several_shards")
    same(
        compute(source, eval_fraction=0.2, beam_flags=MODES["one thread"]),
        compute(source, eval_fraction=0.2, beam_flags=MODES[mode]),
    )


@pytest.fixture(scope="module")
def job_service():
    with job_service_flags() as flags:
        yield flags


def test_a_job_service_with_a_worker_process_of_its_own(source, job_service):
    same(compute(source, eval_fraction=0.2), compute(source, eval_fraction=0.2, beam_flags=job_service))


def test_worker_processes_leave_the_terminal_alone(files, capfd):
    compute(open_source(str(files / "part-*.npy")), beam_flags=MODES["two processes"])
    assert capfd.readouterr() == ("", "")


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


def written(source, folder, flags):
    from aetfx.validation.examples import write_examples

    found = write_examples(source, None, folder, eval_fraction=0.2, beam_flags=flags)
    return found, {name: (folder / name).read_bytes() for name in found.files}


def test_examples_are_the_same_bytes_on_every_runner(files, job_service, tmp_path):
    source = open_source(str(files / "part-*.csv"))
    one, theirs = written(source, tmp_path / "one", []), []
    for name, flags in (("processes", MODES["two processes"]), ("service", job_service)):
        theirs.append(written(source, tmp_path / name, flags))
    assert one[0].rows["train"].quarantined == BAD_LINES
    assert sum(counts.read for counts in one[0].rows.values()) == len(ROWS)
    assert all(other == one for other in theirs)
