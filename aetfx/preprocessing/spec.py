"""What the preprocessing part of a study may ask for."""

from __future__ import annotations

from collections.abc import Mapping

from aetfx.errors import StudyError, nearest

CHOICES = {
    "scaling": ("none", "standard", "minmax", "robust"),
    "missing": ("none", "mean", "median", "zero"),
    "outliers": ("none", "clip"),
    "constant": ("none", "drop"),
}


def check(spec: Mapping[str, str]) -> dict[str, str]:
    """Returns the spec with every default ("none") filled in.

    Raises:
      StudyError: an unknown key or value.
    """
    for key, value in spec.items():
        if key not in CHOICES:
            raise StudyError(f"preprocessing: unknown key '{key}'.{nearest(key, CHOICES)}")
        if value not in CHOICES[key]:
            raise StudyError(f"preprocessing.{key} is not known: got {value!r}.{nearest(str(value), CHOICES[key])}")
    return {key: spec.get(key, "none") for key in CHOICES}
