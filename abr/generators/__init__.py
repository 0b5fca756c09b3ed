"""Credible traces for those who have none: models of networks, and draws from them.

``generate`` draws a trace from a model and a seed, ``fit`` makes a model of traces,
``read_model`` and ``write_model`` are its file. The models that come along are read by
``abr.files.models``, as this package touches no files.
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
