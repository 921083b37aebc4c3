"""How well rows are given back: the score of a study, its baselines, and its uncertainty over rows."""
