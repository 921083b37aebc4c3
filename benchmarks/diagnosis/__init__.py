"""The public fault suite: does `aetfx.diagnose` name the true cause, and stay silent where there is none?

`programs/` holds base programs, each a *good* autoencoder as people write it in Keras, with faults (one change that
spoils it), compounds (two faults at once) and variants (other settings that are as good). Nothing is declared by
hand: `python -m benchmarks.diagnosis.verify` measures with plain Keras and an own score that each fault costs at least
half as much again, and that a random search does not find much better than each healthy program. What holds is kept
in `verified/`, one file per program. `run` diagnoses every verified program, `summary` counts.
"""
