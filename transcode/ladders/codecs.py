"""A ladder as it is encoded: at constant quality, and in every codec that is asked for.

Tables of bit rates were made for H.264 and for pictures of middling difficulty. At the constant
quality that such pictures have at the table's rate, easy ones take less and hard ones more,
up to the cap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from abr.errors import ConfigError
from transcode.encoders.video import VIDEO_ENCODERS
from transcode.ladders.rungs import PlannedRung

# x264 veryfast, measured on four masters (docs/codecs.md): bit/s of 416x234 at CRF 23 were 205,000
# to 520,000, with a geometric mean of 300,000; larger pictures took as many as their area to
# the power of 0.75; half the bits were 4.4 to 6.1 CRF away.
_TYPICAL_CRF, _TYPICAL_BPS, _TYPICAL_AREA = 23.0, 300_000, 416 * 234
_AREA_POWER = 0.75
CRF_OF_HALF = 5.5
"""Difference of the constant rate factor that halves the bits."""
_BETTER_CRF = 4.0
_CRF_RANGE = (10.0, 40.0)


def typical_crf(bitrate_bps: float, width: int, height: int) -> float:
    """x264's constant quality at which a typical film takes ``bitrate_bps``; to half a step."""
    typical_bps = _TYPICAL_BPS * (width * height / _TYPICAL_AREA) ** _AREA_POWER
    crf = _TYPICAL_CRF + CRF_OF_HALF * math.log2(typical_bps / bitrate_bps)
    least, most = _CRF_RANGE
    return round(2 * min(max(crf, least), most)) / 2


def at_constant_quality(rungs: Sequence[PlannedRung]) -> tuple[PlannedRung, ...]:
    """H.264 ``rungs`` with the constant quality that is typical of their bit rate."""
    return tuple(
        replace(rung, crf=typical_crf(rung.bitrate_bps, rung.width, rung.height)) for rung in rungs
    )


def at_stated_rate(rung: PlannedRung, *, preset: str) -> PlannedRung:
    """``rung`` with a quality better than is typical of its bit rate, and that rate as its cap.

    So it takes about the rate that is stated, or less where the picture needs less. An encoder
    that is to keep a mean would look for it anew in every chunk. A rung that has a quality is
    left as it is.
    """
    if rung.crf is not None:
        return rung
    encoder = VIDEO_ENCODERS[rung.codec]
    crf = typical_crf(rung.bitrate_bps / encoder.share, rung.width, rung.height) - _BETTER_CRF
    return replace(
        rung,
        crf=encoder.crf_as(crf, preset=preset),
        cap_bps=rung.cap_bps or rung.bitrate_bps,
    )


def in_codecs(
    rungs: Sequence[PlannedRung], codecs: Sequence[str], *, preset: str, rates_of: str = "h264"
) -> tuple[PlannedRung, ...]:
    """``rungs`` once for each of ``codecs``, one ladder after another.

    A ladder that names codecs other than H.264 itself is kept, its codecs in the order in
    which they first appear.

    Args:
        rungs: The ladder.
        codecs: What is asked for.
        preset: Speed of the encoders.
        rates_of: The codec that bit rates are stated for; others get their share of them.

    Raises:
        ConfigError: both the ladder and ``codecs`` name codecs.
    """
    named = tuple(dict.fromkeys(rung.codec for rung in rungs))
    if named != ("h264",):
        if tuple(codecs) not in (("h264",), named):
            raise ConfigError(
                f"codec: found {','.join(codecs)}, and a ladder whose rungs name "
                f"{','.join(named)}; expected one of the two to choose"
            )
        return tuple(rung for codec in named for rung in rungs if rung.codec == codec)
    return tuple(_in_codec(rung, codec, rates_of, preset) for codec in codecs for rung in rungs)


def _in_codec(rung: PlannedRung, codec: str, rates_of: str, preset: str) -> PlannedRung:
    encoder = VIDEO_ENCODERS[codec]
    share = encoder.share / VIDEO_ENCODERS[rates_of].share
    return replace(
        rung,
        codec=codec,
        bitrate_bps=round(rung.bitrate_bps * share),
        cap_bps=None if rung.cap_bps is None else round(rung.cap_bps * share),
        crf=None if rung.crf is None else encoder.crf_as(rung.crf, preset=preset),
        target=rung.target if codec == rates_of else None,
    )
