"""Where a trial runs: one device, or several under `tf.distribute.MirroredStrategy`.

`--replicas N` takes the first N GPUs, or where there are none splits the CPU into N logical devices, so that the
distributed path is the same one on a laptop as on a machine with N GPUs.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

from aetfx.errors import StudyError
from aetfx.quiet import quiet_imports

_DRIVER = Path("/proc/driver/nvidia/gpus")  # one folder for each GPU that the driver knows


def prepare_devices(strategy: str = "auto", replicas: int | None = None) -> Any:
    """Chooses the distribution strategy. Must run before TensorFlow has touched a device for N > 1.

    Args:
      strategy: "auto" mirrors where there is more than one device to use, "mirrored" always, "one_device" never.
      replicas: devices to use; None for all GPUs, or the CPU as one device.

    Returns:
      A `tf.distribute.Strategy`.

    Raises:
      StudyError: there are fewer GPUs than replicas, TensorFlow's devices are already set up otherwise in this process,
        or TF_CONFIG asks for several hosts.
    """
    check_cluster(os.environ.get("TF_CONFIG"))
    with quiet_imports():
        import keras  # noqa: F401 - loads the rest of what TensorFlow logs about
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
    if strategy == "one_device":
        return tf.distribute.get_strategy()
    if not gpus and (said := unused_gpus()):
        warnings.warn(said, stacklevel=2)
    if gpus:
        return _on_gpus(len(gpus), strategy, replicas)
    if (replicas or 1) > 1:
        return _on_cpus(replicas or 1)
    return tf.distribute.MirroredStrategy(["/cpu:0"]) if strategy == "mirrored" else tf.distribute.get_strategy()


def _on_gpus(count: int, strategy: str, replicas: int | None) -> Any:
    import tensorflow as tf

    wanted = count if replicas is None else replicas
    if wanted > count:
        raise StudyError(
            f"training.replicas is {wanted}, but TensorFlow sees {count} GPU{'s' if count > 1 else ''}. "
            f"Ask for {count} at most, or hide the GPUs (CUDA_VISIBLE_DEVICES=-1) to train on the CPU."
        )
    if wanted == 1 and strategy != "mirrored":
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy([f"/gpu:{i}" for i in range(wanted)])


def _on_cpus(replicas: int) -> Any:
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        existing = tf.config.get_logical_device_configuration(cpu)
        if not existing or len(existing) < replicas:
            tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * replicas)
    except RuntimeError:
        raise StudyError(
            f"training.replicas is {replicas}, but TensorFlow was already set up with fewer devices in this process. "
            "Start a new process, or call aetfx before anything else uses TensorFlow."
        ) from None
    devices = [f"/cpu:{i}" for i in range(replicas)]
    # NCCL has no CPU kernels; a reduction on one device has.
    return tf.distribute.MirroredStrategy(devices, cross_device_ops=tf.distribute.ReductionToOneDevice())


def check_cluster(config: str | None) -> None:
    """Refuses a cluster of several hosts.

    Args:
      config: the value of TF_CONFIG, or None.

    Raises:
      StudyError: it names more than one worker.

    >>> check_cluster(None)
    >>> check_cluster('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}')
    """
    try:
        cluster = json.loads(config or "{}").get("cluster", {})
        hosts = sum(len(cluster.get(kind) or ()) for kind in ("chief", "worker"))
    except (ValueError, AttributeError, TypeError):
        return  # TensorFlow itself will say what is wrong with it, where it reads it
    if hosts > 1:
        raise StudyError(
            f"TF_CONFIG names {hosts} workers, but Keras 3 cannot train one model on several hosts "
            "(keras-team/keras#20585). Unset TF_CONFIG and let each host train configurations of its own: "
            "split 'compare:' into one study for each host, with the same data and seed."
        )


def unused_gpus() -> str:
    """Says that the machine has GPUs which TensorFlow does not see; "" where it has none."""
    count = len(list(_DRIVER.iterdir())) if _DRIVER.is_dir() else 0
    if not count or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return ""
    return (
        f"this machine has {count} NVIDIA GPU{'s' if count > 1 else ''}, but TensorFlow sees none, so that the CPU "
        'trains. Install TensorFlow with its CUDA libraries: pip install "tensorflow[and-cuda]".'
    )
