"""Quality of experience of a playback: what a viewer got, and what that is worth.

``summary`` says what happened: startup, stalls, bit rate, switches. A QoE gives it one
number, and there are many of them: each is a value with a name, parameters, a formula and
a source.

>>> from abr.qoe import linear, log
>>> linear(stall_weight=20).score(session_log)     # doctest: +SKIP

``named("linear:stall_weight=20")`` finds one by its name; ``viewing_of`` shows what a QoE
sees of a session, for one of your own. Everything is computed from logs and results, so
another QoE needs no session played again.
"""

from abr.qoe.additive import Additive, Bound, Model, Weights
from abr.qoe.figures import (
    CHANGE_PENALTY,
    STALL_PENALTY,
    Interval,
    LiveLatency,
    QoE,
    ViewedQuality,
    played_of_each_s,
    qoe_lin,
    shortfall,
    stalls,
    summary,
    view_quality,
)
from abr.qoe.functions import Own, own
from abr.qoe.itu import P1203, p1203
from abr.qoe.models import QOE_LIN, hd, linear, log, sabre, ssim, vmaf
from abr.qoe.names import NAMES, as_dict, check_distinct, named, scores
from abr.qoe.viewing import Viewing, viewing_of

__all__ = [
    "CHANGE_PENALTY",
    "NAMES",
    "P1203",
    "QOE_LIN",
    "STALL_PENALTY",
    "Additive",
    "Bound",
    "Interval",
    "LiveLatency",
    "Model",
    "Own",
    "QoE",
    "ViewedQuality",
    "Viewing",
    "Weights",
    "as_dict",
    "check_distinct",
    "hd",
    "linear",
    "log",
    "named",
    "own",
    "p1203",
    "played_of_each_s",
    "qoe_lin",
    "sabre",
    "scores",
    "shortfall",
    "ssim",
    "stalls",
    "summary",
    "view_quality",
    "viewing_of",
    "vmaf",
]
