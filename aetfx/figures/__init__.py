"""Each figure of aetfx once, as a plain Plotly specification.

A figure is a function from the files of a run (`diagnosis.json`, `samples.npz`, `histories.json`) to a
dictionary `{"data": [...], "layout": {...}}` that plotly.js, `plotly.graph_objects.Figure` and a TensorBoard
dashboard all draw alike; `layout.meta` holds its title and caption. A function returns None where the run
lacks what the figure would show. The colours are those of `theme.LIGHT`; `theme.recolour` gives the dark one.
Neither Plotly's Python classes nor TensorFlow are imported.
"""

from aetfx.figures.code_curve import code_curve
from aetfx.figures.curves import loss_curves, score_curves
from aetfx.figures.distributions import distributions
from aetfx.figures.errors import error_distribution, error_distributions
from aetfx.figures.features import feature_maps, feature_scores
from aetfx.figures.gains import gains
from aetfx.figures.ladder import ladder
from aetfx.figures.latent import latent, plane
from aetfx.figures.learning_curve import learning_curve
from aetfx.figures.row_pairs import row_pairs
from aetfx.figures.rows import rows
from aetfx.figures.theme import DARK, LIGHT, recolour

__all__ = [
    "DARK",
    "LIGHT",
    "code_curve",
    "distributions",
    "error_distribution",
    "error_distributions",
    "feature_maps",
    "feature_scores",
    "gains",
    "ladder",
    "latent",
    "learning_curve",
    "loss_curves",
    "plane",
    "recolour",
    "row_pairs",
    "rows",
    "score_curves",
]
