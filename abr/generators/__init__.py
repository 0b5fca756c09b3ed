"""Generate realistic traces from models of classes of networks.

``generate`` draws a trace from a model and a seed, ``generate_many`` several of them; ``fit``
fits a model to traces; ``read_model`` and ``write_model`` convert one from and to text.
``abr.files.models`` reads the bundled models, because this package does not access files.
"""

from abr.generators.draw import generate, generate_many
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
    "generate_many",
    "read_model",
    "write_model",
]
