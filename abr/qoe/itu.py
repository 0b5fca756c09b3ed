"""ITU-T P.1203, where its open implementation is installed.

Recommendation ITU-T P.1203 models the quality of adaptive streaming: a mean opinion score
from 1 to 5 (its output O.46), from segments of audio (``I11``) and video (``I13``) with bit
rate, codec and picture, stalls by media time (``I23``) and the screen (``IGen``). The
implementation's licence allows research and forbids passing it on, so it is no part of
abrkit; this is the one module that calls it.

Startup is the stall at media time 0, as P.1203.3 counts initial loading.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from abr.errors import QoEError, ToolMissingError
from abr.log import SessionLog
from abr.media import FloatArray
from abr.qoe.additive import view
from abr.qoe.models import check_number, spell
from abr.qoe.viewing import Viewing

PICTURES: tuple[tuple[float, str], ...] = (
    (0.0, "416x234"),
    (0.5e6, "640x360"),
    (1.0e6, "854x480"),
    (1.6e6, "1280x720"),
    (3.5e6, "1920x1080"),
)
"""Picture size from this bit rate on, where a presentation does not say: an assumption."""

DEVICES = {"pc": ("1920x1080", "150cm"), "mobile": ("1920x1080", "40cm")}


@dataclass(frozen=True, slots=True, kw_only=True)
class P1203:
    """The model as a QoE."""

    name: str
    label: str
    params: Mapping[str, Any] = field(default_factory=dict)
    source: str = "ITU-T P.1203, mode 0, implementation itu_p1203"

    def formula(self, ladder_bps: FloatArray) -> str:
        """What it is."""
        del ladder_bps
        return "mean opinion score of ITU-T P.1203 (O.46), 1 to 5; picture sizes by bit rate"

    def score(self, of: SessionLog | Viewing) -> float:
        """Of one session; 1, the worst, when nothing was shown.

        Raises:
            ToolMissingError: the implementation is not installed.
            QoEError: it fails.
        """
        viewing = view(of, f"QoE {self.name}: score(of=...)")
        if not viewing.segments:
            return 1.0
        make = _implementation()
        given = p1203_input(viewing, **self.params)
        try:
            found = float(make(given, quiet=True).calculate_complete()["O46"])
        # What is not ours may raise anything, and this ends the process where input has faults.
        except (Exception, SystemExit) as exc:
            raise QoEError(
                f"{self.name}, session of {viewing.algorithm}: {type(exc).__name__}: {exc}"
            ) from exc
        if not math.isfinite(found):
            raise QoEError(f"{self.name}, session of {viewing.algorithm}: O.46 is {found}")
        return found


def p1203(*, audio_kbps: float = 128.0, fps: float = 24.0, device: str = "pc") -> P1203:
    """P.1203 as a QoE.

    Args:
        audio_kbps: Of the sound that went with it, which experiments leave out; 0: none.
        fps: Frames per second of the picture.
        device: ``pc`` or ``mobile``.

    Raises:
        ToolMissingError: the implementation is not installed.
        QoEError: there is no such device, or a number is none.
    """
    _check(audio_kbps, fps, device)
    _implementation()
    params = {"audio_kbps": audio_kbps, "fps": fps, "device": device}
    name = spell("p1203", params, p1203)
    return P1203(name=name, label=name, params=params)


def _check(audio_kbps: object, fps: object, device: object) -> None:
    check_number("p1203", "audio_kbps", audio_kbps)
    check_number("p1203", "fps", fps)
    if not fps:
        raise QoEError("QoE p1203: fps is 0; expected frames per second above 0")
    if not isinstance(device, str) or device not in DEVICES:
        raise QoEError(f"QoE p1203: device is {device!r}; expected {' or '.join(DEVICES)}")


def _implementation() -> Any:
    try:
        return import_module("itu_p1203").P1203Standalone
    except (ImportError, AttributeError) as exc:
        raise ToolMissingError(
            "QoE p1203 needs the open implementation of ITU-T P.1203, which its licence keeps "
            "out of abrkit: pip install git+https://github.com/itu-p1203/itu-p1203; or write its "
            "input with `abr bench p1203`"
        ) from exc


def picture_for(bitrate_bps: float) -> str:
    """The assumed picture of a rung."""
    return [size for least_bps, size in PICTURES if bitrate_bps >= least_bps][-1]


def p1203_input(
    viewing: Viewing, *, audio_kbps: float = 128.0, fps: float = 24.0, device: str = "pc"
) -> dict[str, Any]:
    """The input of P.1203 for one session; parameters as for ``p1203``.

    Raises:
        ArgumentError: it is no viewing.
        QoEError: as ``p1203``.
    """
    viewing = view(viewing, "p1203_input(viewing=...)")
    _check(audio_kbps, fps, device)
    video, start_s = [], 0.0
    for rate_bps, duration_s in zip(
        viewing.bitrates_bps.tolist(), viewing.durations_s.tolist(), strict=True
    ):
        video.append(
            {
                "start": round(start_s, 6),
                "duration": duration_s,
                "bitrate": rate_bps / 1000,
                "codec": "h264",
                "fps": fps,
                "resolution": picture_for(rate_bps),
            }
        )
        start_s += duration_s
    sound = {"start": 0, "duration": round(start_s, 6), "bitrate": audio_kbps, "codec": "aaclc"}
    startup = [] if viewing.startup_s is None else [[0, round(viewing.startup_s, 6)]]
    stalls = [[round(at_s, 6), round(length_s, 6)] for at_s, length_s in viewing.stalls]
    screen, distance = DEVICES[device]
    return {
        "I11": {"segments": [sound] if audio_kbps > 0 and video else [], "streamId": 0},
        "I13": {"segments": video, "streamId": 0},
        "I23": {"stalling": [*startup, *stalls], "streamId": 0},
        "IGen": {"displaySize": screen, "device": device, "viewingDistance": distance},
    }
