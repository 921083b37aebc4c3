"""Where a trial runs: one device, or several under `tf.distribute.MirroredStrategy`.

`--replicas N` splits the CPU into N logical devices, so that the distributed path is the same one
on a laptop as on a machine with N GPUs.
"""

from __future__ import annotations

from typing import Any

from aetfx.errors import StudyError
from aetfx.quiet import quiet_imports


def prepare_devices(strategy: str = "auto", replicas: int = 1) -> Any:
    """Chooses the distribution strategy. Must run before TensorFlow has touched a device for N > 1.

    Args:
      strategy: auto | mirrored | one_device.
      replicas: logical CPU devices to use where there are no GPUs.

    Returns:
      A `tf.distribute.Strategy`.

    Raises:
      StudyError: TensorFlow's devices are already set up otherwise in this process.
    """
    with quiet_imports():
        import keras  # noqa: F401 - loads the rest of what TensorFlow logs about
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
    if strategy == "one_device":
        return tf.distribute.get_strategy()
    if len(gpus) > 1:
        return tf.distribute.MirroredStrategy()
    if replicas <= 1:
        return tf.distribute.get_strategy()
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
