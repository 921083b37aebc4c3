"""Trials in parallel: helper processes that train beside this one and leave their trials in the run directory.

Small models keep one core busy, whatever the machine has. A helper gets the laboratory once and then jobs, one at a
time; it writes each finished trial where this process looks for it, so that nothing but names and progress goes over
the pipe. A trial is the same to the last bit wherever it was trained, because seeds decide everything and TensorFlow
runs with as many threads in a helper as here (measured with TensorFlow 2.16: convolutions differ with their number).

Pipes of our own carry cloudpickle (a notebook's classes live in no module that another process could import).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aetfx.training import stopping

if TYPE_CHECKING:
    from aetfx.comparison.lab import Lab
    from aetfx.training.recipe import Recipe

_POLL_SECONDS = 0.1
_MOST_BYTES = 1 << 30  # of rows: each helper holds a copy
# A helper's start costs about this much processor time (importing TensorFlow, building the laboratory).
_START_SECONDS = 5.0
_STOP_SECONDS = 20.0  # machines that are taken away give thirty
_END_SECONDS = 20.0  # for a helper that has closed its pipe to be gone: gigabytes are given back first
_MOST_DEATHS = 2  # of helpers by one job


@dataclass(frozen=True)
class Job:
    """One trial to be trained.

    Attributes:
      recipe, seed, index, score_at: as of `Lab.trial`.
      until: as of `Lab.rung`; None to train to the end.
    """

    recipe: Recipe
    seed: int
    index: int = 0
    score_at: tuple[int, ...] = ()
    until: int | None = None

    @property
    def epochs(self) -> int:
        """How many there are to train, where none is trained yet."""
        return min(self.until or self.recipe.epochs, self.recipe.epochs)


def helpers_for(lab: Lab) -> int:
    """Returns how many helpers pay on this machine: one for each core beside this process's own."""
    if os.name != "posix" or lab.store.directory is None:
        return 0
    wanted = lab.processes or _cores()
    shared = lab.workshop is not None and (lab.workshop.strategy.num_replicas_in_sync > 1 or _has_gpu())
    return 0 if shared or lab.rows.nbytes > _MOST_BYTES else max(0, wanted - 1)


def is_worth_it(lab: Lab, jobs: Sequence[Job]) -> bool:
    """Whether jobs take long enough to share them out."""
    return len(jobs) > 1 and sum(lab.nominal_seconds(job.recipe, job.epochs) for job in jobs) > 2 * _START_SECONDS


class Pool:
    """Helper processes that share one queue of jobs with the process that owns them.

    Args:
      lab: what the helpers train in; sent once.
      count: number of helpers.

    Attributes:
      lost: by `id` of the jobs of the last `run` whose helper was killed twice, the signal.

    Raises:
      Exception: the laboratory holds something that cannot be sent to another process.
    """

    def __init__(self, lab: Lab, count: int):
        from cloudpickle import dumps

        self._state = dumps(lab.for_helper())
        self.lost: dict[int, int] = {}
        self._jobs: deque[Job] = deque()
        self._again: deque[Job] = deque()
        self._here: deque[Job] = deque()
        self._deaths: Counter[int] = Counter()
        self._done: dict[int, float] = {}
        self._changed = threading.Condition()
        self._busy = 0
        self._helpers = [_Helper(self._state) for _ in range(count)]
        self._finalizer = weakref.finalize(self, _close, self._helpers)
        for place in range(count):
            threading.Thread(target=self._serve, args=(place,), daemon=True).start()

    def run(self, jobs: Sequence[Job], here: Callable[[Job], Any], tell: Callable[[dict[int, float]], Any]) -> None:
        """Trains jobs in the helpers and in this process; returns when all are done.

        Args:
          jobs: dearest first.
          here: trains one in this process; also those that failed in a helper, so that the error is raised here. One
            whose helper came to an end is given to a fresh helper. Where that one is killed too it is `lost`, and never
            trained here, because what killed them may kill the other (memory that runs out).
          tell: called now and then with the part of each job (by its `id`) that a helper has done; may raise.
        """
        with self._changed:
            for known in (self._done, self.lost, self._deaths):
                known.clear()
            # The first is this process's own: helpers may have to start before they can do anything.
            self._here.extend(jobs[:1])
            self._jobs.extend(jobs[1:])
            self._changed.notify_all()
        try:
            while True:
                with self._changed:
                    if not (self._jobs or self._again or self._here or self._busy):
                        return
                    job = next((queue.popleft() for queue in (self._here, self._jobs) if queue), None)
                    if job is None:
                        self._changed.wait(_POLL_SECONDS)
                if job is not None:
                    here(job)
                tell(dict(self._done))
        except stopping.Stopped:
            _stop(self._helpers)
            self.close()
            raise
        except BaseException:
            self.close()  # what helpers are at is not wanted any more
            raise

    @property
    def alive(self) -> bool:
        """Whether any helper can still take a job."""
        return any(helper.process.poll() is None for helper in self._helpers)

    def close(self) -> None:
        """Ends the helpers at once; the trials that they had finished are in the run directory."""
        with self._changed:
            for queue in (self._jobs, self._again, self._here):
                queue.clear()
            self._changed.notify_all()
        self._finalizer()

    def _serve(self, place: int) -> None:
        """Gives jobs to one helper and takes its news, in a thread of this process."""
        helper = self._helpers[place]
        while True:
            with self._changed:
                while not self._jobs and not self._again:
                    if helper.process.poll() is not None:
                        return
                    self._changed.wait(_POLL_SECONDS)
                job = (self._again or self._jobs).popleft()
                self._busy += 1
            ended = "gone"
            try:
                ended = helper.train(job, lambda part, job=job: self._done.update({id(job): part}))
            finally:
                killed = self._killed(helper) if ended == "gone" else 0
                with self._changed:
                    self._busy -= 1
                    given_up = not self._finalizer.alive
                    if ended == "done":
                        self._done[id(job)] = 1.0
                    elif ended == "gone" and not given_up:
                        self._deaths[id(job)] += 1
                        if self._deaths[id(job)] < _MOST_DEATHS:
                            self._again.append(job)
                        elif killed:
                            self.lost[id(job)] = killed
                        else:  # helpers do not even start
                            self._here.append(job)
                            given_up = True
                        if not given_up:
                            self._helpers[place] = helper = _Helper(self._state)
                    elif not given_up:
                        self._here.append(job)
                    self._changed.notify_all()
            if given_up:
                return

    def _killed(self, helper: _Helper) -> int:
        """Returns the signal that ended a helper, 0 where none did or it was this process that ended it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            helper.process.wait(_END_SECONDS)
        return max(0, -(helper.process.poll() or 0)) if self._finalizer.alive else 0


class _Helper:
    """One process and the two pipes to it."""

    def __init__(self, state: bytes):
        job_in, job_out = os.pipe()
        news_in, news_out = os.pipe()
        path = f"import sys; sys.path[:] = {sys.path!r}"
        code = f"{path}; from aetfx.comparison.helper import main; main({job_in}, {news_out})"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            pass_fds=(job_in, news_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(job_in)
        os.close(news_out)
        self._to, self._from = os.fdopen(job_out, "wb"), os.fdopen(news_in, "rb")
        self._state: bytes | None = state

    def train(self, job: Job, told: Callable[[float], Any]) -> str:
        """Has a job done; returns "done", "failed" where the helper cannot do it, or "gone" where there is none."""
        from cloudpickle import dumps

        _ = job.recipe.identity  # hashed here, where the source of a notebook's classes can be read; it goes along
        try:
            packed = dumps(job)
        except Exception:  # something of the user's own that cannot leave this process
            return "failed"
        try:
            if self._state is not None:
                send(self._to, self._state)
                self._state = None
            send(self._to, packed)
            while True:
                kind, part = receive(self._from)
                if kind != "epoch":
                    return str(kind)
                told(part)
        except Exception:
            return "gone"

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self._to, self._from):
            with contextlib.suppress(OSError, ValueError):
                stream.close()


def send(stream: Any, message: bytes) -> None:
    """Writes one message: its length (8 bytes, little-endian) and its bytes."""
    stream.write(len(message).to_bytes(8, "little"))
    stream.write(message)
    stream.flush()


def receive(stream: Any) -> Any:
    """Reads one message.

    Raises:
      EOFError: the other side is gone.
    """
    from cloudpickle import loads

    head = stream.read(8)
    if len(head) < 8:
        raise EOFError
    return loads(stream.read(int.from_bytes(head, "little")))


def _stop(helpers: list[_Helper]) -> None:
    """Lets helpers write a checkpoint of what they are at, all at once, and end."""
    for helper in helpers:
        helper.process.terminate()
    latest = time.monotonic() + _STOP_SECONDS
    for helper in helpers:
        with contextlib.suppress(subprocess.TimeoutExpired):
            helper.process.wait(max(0.0, latest - time.monotonic()))


def _close(helpers: list[_Helper]) -> None:
    for helper in helpers:
        helper.close()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _has_gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
