"""Generate realistic traces from models of classes of networks.

``generate`` draws a trace from a model and a seed, ``fit`` fits a model to traces, and
``read_model`` and ``write_model`` convert a model from and to text. ``abr.files.models``
reads the bundled models, because this package does not access files.
"""

from abr.generators.draw import generate
from abr.generators.fit import fit
from abr.generators.model import KINDS, Chain, Copula, Goodness, Kind, Model, Quantiles
from abr.generators.text import read_model, write_model

__all__ = [
    "KINDS",
    "Chain",
    "Copula",
    "Goodness",
    "Kind",
    "Model",
    "Quantiles",
    "fit",
    "generate",
    "read_model",
    "write_model",
]
