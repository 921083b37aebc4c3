"""Reference autoencoders with good defaults by the shape of the rows: one file each, found by themselves."""

from __future__ import annotations

import importlib
import pkgutil

from aetfx.models.families.base import REGISTRY, Family, build, catalogue, check, chosen

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["REGISTRY", "Family", "build", "catalogue", "check", "chosen"]
