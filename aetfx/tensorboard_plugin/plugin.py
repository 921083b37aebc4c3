"""What TensorBoard loads at its start, in the process of everybody who has aetfx installed.

An exception at the import of this module would end TensorBoard, so that it imports nothing that may be missing or
slow; an exception in `load` is logged by TensorBoard, which starts without the dashboard.
"""

from __future__ import annotations

from typing import Any

from tensorboard.plugins import base_plugin


class AetfxLoader(base_plugin.TBLoader):
    """Makes the dashboard when TensorBoard asks for it."""

    def load(self, context: Any) -> Any:
        """Returns the plugin; None where TensorBoard has no data provider (`--generic_data=false`)."""
        if context.data_provider is None:
            return None
        from aetfx.tensorboard_plugin.backend import AetfxPlugin

        return AetfxPlugin(context)
