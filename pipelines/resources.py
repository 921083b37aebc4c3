"""What each step may use of a machine. A pod that asks for nothing is the first that a full node evicts."""

from typing import Any


def light(task: Any, name: str) -> Any:
    """For steps that read and count: Beam does the work elsewhere where the data are large."""
    return _limited(task, name, cpu="2", memory="4Gi", asked_cpu="500m", asked_memory="2Gi")


def heavy(task: Any, name: str) -> Any:
    """For steps that train or predict."""
    return _limited(task, name, cpu="4", memory="8Gi", asked_cpu="2", asked_memory="4Gi")


def _limited(task: Any, name: str, *, cpu: str, memory: str, asked_cpu: str, asked_memory: str) -> Any:
    task.set_display_name(name)
    task.set_cpu_limit(cpu).set_memory_limit(memory).set_cpu_request(asked_cpu).set_memory_request(asked_memory)
    # A pod may be lost with its node; a mistake of the user's fails as fast the second time.
    task.set_retry(num_retries=1, backoff_duration="30s")
    return task
