"""Reads runs from TensorBoard's data provider and keeps what was read: one report, and tensors within a bound.

Nothing is read from files here: what the provider gives works for local, remote and fast-loaded log directories alike.
TensorBoard answers in several threads, so that all that is kept is kept under a lock.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.tensorboard_plugin import payload

_MOST_BYTES = 192_000_000  # of tensors that are kept between requests


class NotThereError(Exception):
    """Raised when a run or one of its tensors is not there, or not yet."""


@dataclass
class Report:
    """The report of a run.

    Attributes:
      run: as TensorBoard names it.
      step: of its writing.
      content: its JSON.
    """

    run: str
    step: int
    content: dict[str, Any]

    @property
    def configurations(self) -> list[dict[str, Any]]:
        """Returns the configurations, the baseline first."""
        return (self.content.get("evaluation") or {}).get("configurations") or []

    def place(self, identity: str) -> int | None:
        """Returns where a configuration stands, None where there is none of that id."""
        return next((i for i, item in enumerate(self.configurations) if item["id"] == identity), None)


class Store:
    """What the provider holds for the dashboard.

    Args:
      provider: TensorBoard's data provider.
    """

    def __init__(self, provider: Any):
        self._provider = provider
        self._lock = threading.Lock()
        self._reports: dict[tuple[str, str], Report] = {}
        self._tensors: OrderedDict[tuple[str, str, str, int], np.ndarray] = OrderedDict()

    def runs(self, context: Any, experiment: str) -> list[dict[str, Any]]:
        """Returns every run with a report, sorted by name, with what its summary says of it."""
        found = []
        for run, tags in self._series(context, experiment, None).items():
            series = tags[payload.REPORT]
            try:
                about = json.loads(series.plugin_content or b"{}")
            except ValueError:
                about = {}
            found.append({"run": run, "step": int(series.max_step), **(about if isinstance(about, dict) else {})})
        return sorted(found, key=lambda item: item["run"])

    def report(self, context: Any, experiment: str, run: str) -> Report:
        """Returns the newest report of a run.

        Raises:
          NotThereError: there is no such run.
        """
        listed = self._series(context, experiment, [run]).get(run)
        if listed is None:
            self._forget(experiment, run)
            raise NotThereError("this run is not there any more")
        step = int(listed[payload.REPORT].max_step)
        with self._lock:
            known = self._reports.get((experiment, run))
        if known is not None and known.step == step:
            return known
        content = self._read(context, experiment, run, payload.REPORT)
        try:
            record = json.loads(content.ravel()[0])
            made = Report(run, int(record["step"]), record)
        except (ValueError, KeyError, IndexError, TypeError):
            raise NotThereError("the report of this run cannot be read") from None
        if record.get("format") != payload.FORMAT:
            raise NotThereError("this run was written by another version of aetfx; run the same command again")
        with self._lock:
            self._reports[(experiment, run)] = made
        return made

    def tensor(self, context: Any, experiment: str, report: Report, tag: str) -> np.ndarray:
        """Returns a tensor of the same writing as a report.

        Raises:
          NotThereError: it is not there, or not yet.
        """
        key = (experiment, report.run, tag, report.step)
        with self._lock:
            if key in self._tensors:
                self._tensors.move_to_end(key)
                return self._tensors[key]
        values = self._read(context, experiment, report.run, tag, report.step)
        with self._lock:
            self._tensors[key] = values
            while sum(item.nbytes for item in self._tensors.values()) > _MOST_BYTES and len(self._tensors) > 1:
                self._tensors.popitem(last=False)
        return values

    def _series(self, context: Any, experiment: str, runs: list[str] | None) -> dict[str, Any]:
        from tensorboard.data import provider

        listed = self._provider.list_tensors(
            context,
            experiment_id=experiment,
            plugin_name=payload.PLUGIN,
            run_tag_filter=provider.RunTagFilter(runs=runs, tags=[payload.REPORT]),
        )
        return {run: tags for run, tags in listed.items() if payload.REPORT in tags}

    def _read(self, context: Any, experiment: str, run: str, tag: str, step: int | None = None) -> np.ndarray:
        from tensorboard.data import provider

        read = self._provider.read_tensors(
            context,
            experiment_id=experiment,
            plugin_name=payload.PLUGIN,
            downsample=100,
            run_tag_filter=provider.RunTagFilter(runs=[run], tags=[tag]),
        )
        found = read.get(run, {}).get(tag) or []
        if step is not None:
            found = [item for item in found if int(item.step) == step]
        if not found:
            raise NotThereError("these rows are still being read, or their file ends early")
        return max(found, key=lambda item: (item.step, item.wall_time)).numpy

    def _forget(self, experiment: str, run: str) -> None:
        with self._lock:
            self._reports.pop((experiment, run), None)
            for key in [key for key in self._tensors if key[:2] == (experiment, run)]:
                del self._tensors[key]
