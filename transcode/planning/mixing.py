"""How the channels of a sound become those of a rendition.

ffmpeg's resampler mixes the usual layouts: centre and surround at -3 dB, no LFE in stereo, one
channel at -3 dB on both sides. It leaves out most channels above, below and to the sides
of larger layouts, some without a word, and refuses others; those are mixed here by name.

Source: ITU-R BS.775-4, annex 4 (down-mixing); RFC 8486, 3.1 and 5.1 (order and scale of
ambisonic channels); measured with ffmpeg 9.0.2, one tone in each channel of every layout.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from transcode.masters.sound import AudioFacts

SAMPLE_RATE = 48_000
_HALF = 0.7071
_SUB = _HALF / 2
_BED = "FL+FR+FC+LFE"
_UNMIXED = {
    "5.1.4": f"{_BED}+SL+SR+TFL+TFR+TBL+TBR",
    "7.1.4": f"{_BED}+BL+BR+SL+SR+TFL+TFR+TBL+TBR",
    "7.2.3": f"{_BED}+BL+BR+SL+SR+TFL+TFR+TBC+LFE2",
    "9.1.4": f"{_BED}+BL+BR+FLC+FRC+SL+SR+TFL+TFR+TBL+TBR",
    "9.1.6": f"{_BED}+BL+BR+FLC+FRC+SL+SR+TFL+TFR+TBL+TBR+TSL+TSR",
    "cube": "FL+FR+BL+BR+TFL+TFR+TBL+TBR",
    "hexadecagonal": "FL+FR+FC+BL+BR+BC+SL+SR+TFL+TFC+TFR+TBL+TBC+TBR+WL+WR",
    "22.2": f"{_BED}+BL+BR+FLC+FRC+BC+SL+SR+TC+TFL+TFC+TFR+TBL+TBC+TBR+LFE2+TSL+TSR+BFC+BFL+BFR",
    "binaural": "BIL+BIR",
}
"""Layouts that ffmpeg mixes incompletely or not at all, with the order of their channels."""
_LEFT = {
    "FL": ("FL", 1.0), "FLC": ("FL", 1.0), "BIL": ("FL", 1.0), "DL": ("FL", 1.0),
    "WL": ("FL", _HALF), "TFL": ("FL", _HALF), "BFL": ("FL", _HALF),
    "BL": ("BL", 1.0), "SL": ("BL", 1.0), "TBL": ("BL", _HALF), "TSL": ("BL", _HALF),
}  # fmt: skip
"""Channels on the left: their place in 5.1 and how loud; the right mirrors them."""
_MIDDLE = {
    "FC": {"FC": 1.0}, "TFC": {"FC": _HALF}, "BFC": {"FC": _HALF},
    "LFE": {"LFE": 1.0}, "LFE2": {"LFE": _HALF},
    "BC": {"BL": _HALF, "BR": _HALF}, "TBC": {"BL": _SUB, "BR": _SUB},
    "TC": {"FL": _SUB, "FR": _SUB, "BL": _SUB, "BR": _SUB},
}  # fmt: skip
_TO_STEREO = {"FL": {"FL": 1.0}, "FR": {"FR": 1.0}, "FC": {"FL": _HALF, "FR": _HALF}, "LFE": {},
              "BL": {"FL": _HALF}, "BR": {"FR": _HALF}}  # fmt: skip
_LISTED = re.compile(r"\d+ channels(?: \(([A-Z0-9+]+)\))?")
"""How ffprobe names a layout that has no name."""
_GUESSED = 8
"""Most channels for which ffmpeg's guess of a layout is the usual one. Broadcast tracks of
more begin with the main pair (EBU R 123)."""
_THREE = ("FL", "FR", "FC")
"""Three channels without stated places (RFC 9639, 9.1.3). ffmpeg guesses 2.1, so that it would
leave out the third, which is where people speak."""
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}
"""Of renditions, by number of channels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """How a sound is mixed."""

    filters: str
    """For each of its streams; what comes out has the rendition's layout, or one channel."""
    may_clip: bool
    """Whether channels are added up, so that peaks may exceed full scale."""
    note: str = ""
    """What a person should know; empty when nothing is lost or guessed."""


def mix(sound: AudioFacts, channels: int) -> Mix:
    """How ``sound`` becomes a rendition of ``channels``: 2 or 6."""
    layout = LAYOUTS[channels]
    same = f"aresample={SAMPLE_RATE},aformat=sample_fmts=flt:channel_layouts="
    may_clip = sound.channels > channels
    if sound.joined:
        return Mix(filters=f"{same}mono", may_clip=may_clip)
    if sound.layout.startswith("ambisonic"):
        left, right = _cardioids(sound)
        return Mix(
            filters=f"pan=stereo|c0={left}|c1={right},{same}{layout}",
            may_clip=True,
            note=f"{sound.layout}: mixed to two microphones that point left and right",
        )
    names = _names_of(sound.layout)
    is_stated = bool(sound.layout) and not _LISTED.match(sound.layout)
    is_guess = not names and not is_stated and sound.channels > 2
    guess = f"{sound.channels} channels without stated places: taken for the usual ones"
    if is_guess and sound.channels == len(_THREE):
        names = list(_THREE)
    if names and sound.layout != "binaural":
        sums = "|".join(_sums(names, channels))
        return Mix(
            filters=f"pan={layout}|{sums},{same}{layout}",
            may_clip=True,
            note=guess if is_guess else "",
        )
    if names or (not is_stated and sound.channels > _GUESSED):
        note = f"{sound.channels} channels without stated places: the first two are used"
        return Mix(
            filters=f"channelmap=0|1:stereo,{same}{layout}",
            may_clip=False,
            note="" if names else note,
        )
    return Mix(filters=f"{same}{layout}", may_clip=may_clip, note=guess if is_guess else "")


def _names_of(layout: str) -> list[str]:
    """Channels of a layout that ffmpeg does not mix; empty for one that it does."""
    listed = _LISTED.fullmatch(layout)
    names = ((listed[1] or "") if listed else _UNMIXED.get(layout, "")).split("+")
    return names if all(_places(name) is not None for name in names) else []


def _places(name: str) -> dict[str, float] | None:
    """Where a channel goes in 5.1, and how loud; None for one that is not known."""
    if name in _MIDDLE:
        return _MIDDLE[name]
    if name in _LEFT:
        place, gain = _LEFT[name]
        return {place: gain}
    # FR mirrors FL, FRC mirrors FLC.
    mirrored = name.replace("R", "L")
    if mirrored in _LEFT:
        place, gain = _LEFT[mirrored]
        return {place.replace("L", "R"): gain}
    return None


def _sums(names: list[str], channels: int) -> list[str]:
    """Each channel of the rendition as a sum, in the words of the filter ``pan``."""
    order = ("FL", "FR") if channels == 2 else ("FL", "FR", "FC", "LFE", "BL", "BR")
    terms: dict[str, list[str]] = {target: [] for target in order}
    for number, name in enumerate(names):
        gains: defaultdict[str, float] = defaultdict(float)
        for place, gain in (_places(name) or {}).items():
            for target, more in (_TO_STEREO[place] if channels == 2 else {place: 1.0}).items():
                gains[target] += gain * more
        for target, gain in gains.items():
            # By number: the filter takes LFE2 for LFE.
            terms[target].append(f"{gain:.4g}*c{number}")
    return [f"{target}=" + ("+".join(terms[target]) or "0*c0") for target in order]


def _cardioids(sound: AudioFacts) -> tuple[str, str]:
    """Left and right of the ambisonic channels W, Y, Z, X, which come first in every order."""
    left, right = "0.5*c0+0.5*c1", "0.5*c0-0.5*c1"  # Y points to the left
    if sound.layout.endswith("+stereo"):  # a pair that does not turn with the head comes last
        left += f"+c{sound.channels - 2}"
        right += f"+c{sound.channels - 1}"
    return left, right
