"""Loudness measured: of the master's sounds before they are encoded, and of what was written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from abr.errors import ToolFailedError
from transcode.ffmpeg import meter_arguments, package_meter_arguments
from transcode.loudness import Loudness, Meter, gain_db
from transcode.planning.plan import AudioPlan, EncodePlan
from transcode.run.ffmpegtools import LOOPBACK, find
from transcode.run.process import run_ffmpeg
from transcode.run.tracks import Folder
from transcode.verify import fault_of, plain_line

_NEEDS = ("ebur128", "ametadata", LOOPBACK)


async def bring_to(
    plan: EncodePlan, target_lufs: float, master: Path, where: str, *, stall_limit_s: float
) -> EncodePlan:
    """``plan`` with the gain of each rendition that makes it as loud as ``target_lufs``.

    Raises:
        MediaError: the sound does not decode.
        ToolMissingError, ToolFailedError: ffmpeg.
    """
    heard: dict[tuple[tuple[int, ...], int], Loudness] = {}
    renditions: list[AudioPlan] = []
    for audio in plan.audio:
        mix = (audio.sound.indices, audio.channels)
        if mix not in heard:
            heard[mix] = await _measure(audio, master, where, stall_limit_s)
        measured = heard[mix]
        renditions.append(
            replace(
                audio,
                gain_db=round(gain_db(measured, target_lufs), 2),
                measured_lufs=measured.integrated_lufs,
            )
        )
    return replace(plan, audio=tuple(renditions))


async def _measure(audio: AudioPlan, master: Path, where: str, stall_limit_s: float) -> Loudness:
    program = find("ffmpeg", _NEEDS).path
    meter = Meter()
    outcome = await run_ffmpeg(
        lambda outputs: meter_arguments(audio, str(master.absolute()), outputs[0], program=program),
        [meter.feed],
        stall_limit_s=stall_limit_s,
    )
    if not outcome.is_complete:
        raise fault_of(where, outcome.reason())
    return meter.reading()


async def loudness_of(folder: Folder, *, stall_limit_s: float) -> Loudness:
    """Loudness of a rendition as written.

    Raises:
        ToolFailedError: it does not decode.
    """
    program = find("ffmpeg", _NEEDS).path
    meter = Meter()
    outcome = await run_ffmpeg(
        lambda outputs: package_meter_arguments(
            outputs[0], container=folder.container, program=program
        ),
        [meter.feed],
        feed=folder.read_back(range(len(folder.segments))),
        stall_limit_s=stall_limit_s,
    )
    if not outcome.is_clean:
        raise ToolFailedError(
            f"{folder.path.name}: does not decode: {plain_line(outcome.reason())}; encode again, "
            "and report it if it happens again"
        )
    return meter.reading()
