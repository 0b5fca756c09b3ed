"""Whether an encode is what was asked for.

Judgements only, on figures that ``run`` and ``package`` collect. An exit code proves nothing:
ffmpeg exits with 0 after a damaged master and on a full disk.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from abr.errors import AbrError, MediaError, ToolFailedError
from transcode.masters.damage import DamagedError
from transcode.masters.master import Master
from transcode.planning.plan import EncodePlan, frames_at

LONGEST_SOUND_FRAME_S = 1024 / 48_000
"""Of AAC; one of Opus lasts 20 ms."""
_OUR_SIDE = re.compile(
    r"\[(out#|[va]ost#|enc:|libx26[45]|libsvtav1|fc#|AVFormatContext)|x265 \[|Svt\[|"
    r"Error opening output"
)
_ADDRESSES = re.compile(r" @ 0x[0-9a-f]+")


def check_frames(master: Master, plan: EncodePlan, frames: Sequence[int]) -> None:
    """Check how many frames came out of every rung.

    Raises:
        MediaError: the master yielded too few or too many.
        ToolFailedError: rungs differ.
    """
    if len(set(frames)) != 1:
        raise ToolFailedError(
            f"{master.where}: rungs have {', '.join(map(str, frames))} frames; expected the same "
            "number; encode again, and report it if it happens again"
        )
    expected = frames_at(master, plan.pictures.frame_rate)
    if frames[0] != expected:
        raise MediaError(
            f"{master.where}: {frames[0]} frames came out; expected {expected}, as its times say; "
            "`ffmpeg -i IN -c copy OUT.mkv` writes them anew"
        )


def check_sound(where: str, picture_s: float, sounds_s: Mapping[str, float]) -> None:
    """Check that every sound lasts as long as the picture, to within one frame of sound.

    Raises:
        ToolFailedError: one does not.
    """
    for track, sound_s in sounds_s.items():
        if abs(sound_s - picture_s) > LONGEST_SOUND_FRAME_S:
            raise ToolFailedError(
                f"{where}: {track} lasts {sound_s:.3f} s and the picture {picture_s:.3f} s; "
                "expected the same; encode again, and report it if it happens again"
            )


def fault_of(where: str, reason: str) -> AbrError:
    """The error for a failed encode: the master's fault, or the tool's.

    Args:
        where: Path of the master, for the message.
        reason: The line of ffmpeg's log that best explains it.
    """
    line = plain_line(reason)
    if _OUR_SIDE.search(reason):
        return ToolFailedError(
            f"{where}: ffmpeg failed to encode it: {line}; `abr doctor` shows which ffmpeg ran"
        )
    return DamagedError(
        f"{where}: damaged or cut off: {line}; expected a file that decodes without errors"
    )


def plain_line(line: str) -> str:
    """A line of ffmpeg's log without addresses and level."""
    return _ADDRESSES.sub("", line).replace("[error] ", "").replace("[fatal] ", "").strip()
