"""Compositions of `components/`: `diagnosis`, `validation` and `sweep`. `python -m pipelines --help` tells the rest."""
