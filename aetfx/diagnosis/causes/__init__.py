"""The cause vocabulary: one file each, found by themselves."""

from __future__ import annotations

import importlib
import pkgutil

from aetfx.diagnosis.causes.base import REGISTRY, Admission, Cause, Experiment

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["REGISTRY", "Admission", "Cause", "Experiment", "in_order"]


def in_order() -> list[Cause]:
    """Returns all causes, those first that win ties."""
    return sorted(REGISTRY.values(), key=lambda cause: (cause.order, cause.code))
