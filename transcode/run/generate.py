"""A generated master on disk: scenes and sound through ffmpeg into one Matroska file."""

from __future__ import annotations

import contextlib
import os
import tempfile
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

from abr.arguments import as_path
from abr.errors import DiskFullError, ToolFailedError
from abr.shell import NO_ROOM_ERRORS
from transcode.ffmpeg import generate_arguments
from transcode.run.ffmpegtools import ENCODING_NEEDS, find
from transcode.run.process import run_ffmpeg
from transcode.scenes import SAMPLE_RATE, SceneSpec, pictures, sound
from transcode.verify import plain_line

GENERATED_NAME = "generated scenes"
"""Name of such a master in a package's index."""


async def write_master(
    path: str | os.PathLike[str],
    spec: SceneSpec | None = None,
    *,
    on_progress: Callable[[float], None] | None = None,
) -> Path:
    """Write the presentation of ``spec`` to ``path``: H.264 of high quality and PCM sound.

    Args:
        path: The file to write, usually ``.mkv``.
        spec: What to show; the defaults when None.
        on_progress: Told the fraction done.

    Raises:
        ToolMissingError, ToolFailedError: ffmpeg.
        DiskFullError: no room; nothing is left behind.
    """
    path, spec = as_path(path, "write_master(path=...)"), spec or SceneSpec()
    beside = path.with_name(f".{path.name}.partial")
    try:
        with beside.open("wb") as file, _sound_file(spec, path.parent) as wav:
            program = find("ffmpeg", ENCODING_NEEDS).path
            outcome = await run_ffmpeg(
                lambda outputs: generate_arguments(spec, wav, outputs[0], program=program),
                [lambda data: _write(file.write, data)],
                feed=_frames(spec, on_progress),
            )
        if not outcome.is_clean or outcome.frames != spec.frames:
            raise ToolFailedError(
                f"{path}: generating the master failed: {plain_line(outcome.reason())}; "
                "`abr doctor` shows which ffmpeg ran"
            )
        os.replace(beside, path)
    except OSError as exc:
        if exc.errno in NO_ROOM_ERRORS:
            raise DiskFullError(
                f"{path.parent}: no room left on the disk for a generated master; "
                "free some space or set TMPDIR to another folder"
            ) from exc
        raise
    finally:
        beside.unlink(missing_ok=True)
    return path


def _write(write: Callable[[bytes], int], data: bytes) -> None:
    write(data)


def _frames(spec: SceneSpec, on_progress: Callable[[float], None] | None) -> Iterator[bytes]:
    for number, picture in enumerate(pictures(spec), start=1):
        yield picture.tobytes()
        if on_progress is not None:
            on_progress(number / spec.frames)


@contextlib.contextmanager
def _sound_file(spec: SceneSpec, folder: Path) -> Iterator[str | None]:
    """The sound as a temporary WAV file; None for a silent spec."""
    if not spec.with_sound:
        yield None
        return
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".sound-", suffix=".wav") as file:
        with wave.open(file, "wb") as sheet:
            sheet.setnchannels(2)
            sheet.setsampwidth(2)
            sheet.setframerate(SAMPLE_RATE)
            sheet.writeframes(sound(spec))
        file.flush()
        yield file.name
