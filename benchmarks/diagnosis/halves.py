"""Which half of the suite each base program belongs to, written down before anything was measured or tuned.

All cases of a base program are in its half, so that thresholds never see a program that they are reported on. Pairs of
programs of like kind were split between the halves by hand: each half has every cause, every architecture and at
least five real data sets where that could be had.
"""

HALVES = {
    "tuning": (
        "china_batchnorm",
        "curve_dense",
        "diabetes_few",
        "diabetes_raw",
        "digits_denoise",
        "digits_dense",
        "digits_lstm",
        "few_rows_table",
        "flower_conv",
        "flower_sparse",
        "flower_vae",
        "baskets_dense",
        "gapminder_table",
        "iris_small",
        "noise_dense",
        "sensors_dense",
        "waves_conv",
        "wdbc_dense",
    ),
    "held_out": (
        "china_dense",
        "china_denoise",
        "diabetes_sgd",
        "digits_binary",
        "digits_conv",
        "digits_few",
        "digits_relu",
        "digits_sparse",
        "digits_vae",
        "gapminder_gru",
        "lowrank_dense",
        "macro_dense",
        "plane_few",
        "plane_linear",
        "sensors_skip",
        "stocks_dense",
        "waves_lstm",
        "wdbc_subclass",
        "wine_dense",
    ),
}


def half_of(base: str) -> str:
    """Returns "tuning" or "held_out".

    Raises:
      KeyError: the program is in neither half; it must be written down before it is measured.
    """
    for half, bases in HALVES.items():
        if base in bases:
            return half
    raise KeyError(f"'{base}' is in neither half: write it into benchmarks/diagnosis/halves.py first")
