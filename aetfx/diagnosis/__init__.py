"""Diagnosis: the cause vocabulary, what admits each cause, its experiment, and the verdict."""
