"""Any source of rows as `tf.Example` in TFX's layout, written by the workers that read it (`aetfx.data.examples`)."""

from __future__ import annotations

import json
import os
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aetfx.data.examples import LAYOUT, layout_of, pattern
from aetfx.data.files import is_remote
from aetfx.data.sources import Source
from aetfx.data.split import check_sides
from aetfx.errors import DataError
from aetfx.run import content_hash, write_bytes
from aetfx.validation.exchange import Exchange
from aetfx.validation.pipeline import EVAL, TRAIN, RowCounts, working
from aetfx.validation.runner import Workers


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
      rows: of each split.
      digest: of the content of all files, 16 hex digits.
      files: names below the folder.
    """

    rows: dict[str, RowCounts]
    digest: str
    files: tuple[str, ...]


def write_examples(
    train: Source,
    evaluation: Source | None,
    out: str | os.PathLike[str],
    *,
    eval_fraction: float | None = None,
    seed: int = 0,
    beam_flags: Sequence[str] = (),
) -> Written:
    """Writes rows as Examples, the columns without numbers among them. The same rows give the same bytes.

    Shards that another call has left there and this one has not written are removed: readers take all that they find.

    Args:
      train: where train rows come from.
      evaluation: where eval rows come from; None holds out `eval_fraction` of the train rows, by row hash.
      out: a folder, or a place of a Beam file system where the workers are on other machines.
      seed: of the split.
      beam_flags: Beam's own options.

    Raises:
      DataError: files are damaged, or a split is left without rows.
      RunError: `out` cannot be written.
    """
    fraction = eval_fraction if evaluation is None else None
    sources = [(TRAIN, train.with_others(train.skipped_text))]
    if evaluation is not None:
        sources.append((EVAL, evaluation.with_others(train.skipped_text)))
    out = os.fspath(out)
    with working(beam_flags) as (hands, work):
        _run(hands, work, sources, out, fraction, seed)
        found = [json.loads(work.read(name) or b"{}") for name in work.names("examples-")]
    shards = [shard for one in found for shard in one["shards"]]
    rows = {}
    for split in (TRAIN, EVAL):
        counted = sum(shard["rows"] for shard in shards if shard["split"] == split)
        # Rows that cannot be read have no hash to be split by: they count where their file belongs.
        bad = sum(one["quarantined"] for one in found if one["split"] == split)
        rows[split] = RowCounts(counted + bad, counted, bad)
    for (_, source), split in zip(sources, (TRAIN, EVAL), strict=False):
        if not rows[split].counted and fraction is None:
            raise DataError(f"{source.path}: no row is left: all {rows[split].quarantined} are quarantined. Mend it.")
    if fraction is not None:
        check_sides(rows[TRAIN].counted, rows[EVAL].counted, fraction)
    _remove_others(out, {shard["name"] for shard in shards})
    write_place(out, LAYOUT, json.dumps(layout_of(train), indent=2).encode("utf-8") + b"\n")
    shards.sort(key=lambda shard: shard["name"])
    digest = content_hash([[shard["name"], shard["digest"]] for shard in shards] + [layout_of(train)])
    return Written(rows, digest, tuple(shard["name"] for shard in shards))


def add_steps(
    pipeline: Any, work: Exchange, sources: Sequence[tuple[str, Source]], out: str, fraction: float | None, seed: int
) -> None:
    """Adds the steps to a Beam pipeline. What travels is numbers of shards, not rows."""
    import apache_beam as beam

    from aetfx.validation.writing import WriteShard

    todo = [(i, k) for i, (_, source) in enumerate(sources) for k in range(len(source.shards()))]
    shards = pipeline | "Shards" >> beam.Create(todo, reshuffle=True)
    _ = shards | "Write" >> beam.ParDo(WriteShard(sources, work, out, fraction, seed))


def write_place(folder: str, name: str, content: bytes) -> None:
    """Writes a file below a local folder or a place of a Beam file system; one that is there is replaced.

    Raises:
      RunError: a local folder cannot be written.
    """
    if not is_remote(folder):
        write_bytes(Path(folder) / name, content)
        return
    Exchange(folder).write(name, content)


def _remove_others(folder: str, names: Container[str]) -> None:
    """Removes the shards of both splits but those of these names."""
    if not is_remote(folder):
        for split in (TRAIN, EVAL):
            for path in Path(folder).glob(pattern("", split).strip("/")):
                if f"{path.parent.name}/{path.name}" not in names:
                    path.unlink()
        return
    from apache_beam.io.filesystems import FileSystems

    matches = FileSystems.match([pattern(folder, split) for split in (TRAIN, EVAL)])
    found = [item.path for match in matches for item in match.metadata_list]
    stale = [path for path in found if "/".join(path.split("/")[-2:]) not in names]
    if stale:
        FileSystems.delete(stale)


def _run(
    hands: Workers, work: Exchange, sources: Sequence[tuple[str, Source]], out: str, fraction: float | None, seed: int
) -> None:
    import apache_beam as beam

    pipeline = beam.Pipeline(runner=hands.runner, options=hands.options)
    add_steps(pipeline, work, sources, out, fraction, seed)
    pipeline.run().wait_until_finish()
