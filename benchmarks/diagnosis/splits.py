"""Which split of the suite each base program belongs to, written down before anything of it was measured or tuned.

All cases of a base program are in one split, so that thresholds never see a program that they are reported on.

- `tuning`: rules and thresholds were made on these.
- `seen`: programs that were held out, and reported blind once (`results/2026-11-25`; aero_tanh, anes_table,
  autompg_dense, camera_conv, co2_lstm, housing_dense, mnist_conv, mnist_dense, mnist_denoise, ecg_conv1d,
  modechoice_dense, elnino_attention, spectra_denoising, ascent_conv, fertility_tcn, mnist_vae, affairs_dense,
  randhie_skip, glyphs_sparse, mri_conv, terrain_dense, goog_dense, digits_residual, hopper_conv, seattle_conv1d,
  medicare_dense, sanfrancisco_vae, births_dense, chess_batchnorm, demand_lstm, eeg_attention, logo_conv,
  topobathy_conv, membrane_vae, pigs_dense, present_conv, sunspots_gru, airfare_subclass, counties_lstm,
  brick_vae, schools_dense, colormaps_attention, retina_conv and wages_gru: docs/decisions/014, 015, 017, 018, 022, 023,
  024, 025, 026, 028, 029, 030, 031, 032, 033, 035).
  Then misses were read and asked for new rules, so that they are counted apart since.
- `held_out`: written when the rules of decision 012 were final, with nothing of them or of the package at hand, and
  looked at only for scoring.
"""

SPLITS = {
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
    "seen": (
        "aero_tanh",
        "affairs_dense",
        "airfare_subclass",
        "anes_table",
        "ascent_conv",
        "autompg_dense",
        "births_dense",
        "brick_vae",
        "camera_conv",
        "chess_batchnorm",
        "china_denoise",
        "china_dense",
        "co2_lstm",
        "colormaps_attention",
        "counties_lstm",
        "demand_lstm",
        "diabetes_sgd",
        "digits_binary",
        "digits_conv",
        "digits_few",
        "digits_relu",
        "digits_residual",
        "digits_sparse",
        "digits_vae",
        "ecg_conv1d",
        "eeg_attention",
        "elnino_attention",
        "fertility_tcn",
        "gapminder_gru",
        "glyphs_sparse",
        "goog_dense",
        "hopper_conv",
        "housing_dense",
        "logo_conv",
        "lowrank_dense",
        "macro_dense",
        "medicare_dense",
        "membrane_vae",
        "mnist_conv",
        "mnist_denoise",
        "mnist_dense",
        "mnist_vae",
        "modechoice_dense",
        "mri_conv",
        "pigs_dense",
        "plane_few",
        "plane_linear",
        "present_conv",
        "randhie_skip",
        "retina_conv",
        "sanfrancisco_vae",
        "schools_dense",
        "seattle_conv1d",
        "sensors_skip",
        "spectra_denoising",
        "stocks_dense",
        "sunspots_gru",
        "terrain_dense",
        "topobathy_conv",
        "wages_gru",
        "waves_lstm",
        "wdbc_subclass",
        "wine_dense",
    ),
    "held_out": (
        "coffee_conv",
        "disparity_denoising",
        "districts_lstm",
        "driving_skip",
        "moon_vae",
    ),
}


def split_of(base: str) -> str:
    """Returns "tuning", "seen" or "held_out".

    Raises:
      KeyError: the program is in none; it must be written down before it is measured.
    """
    for split, bases in SPLITS.items():
        if base in bases:
            return split
    raise KeyError(f"'{base}' is in no split: write it into benchmarks/diagnosis/splits.py first")
