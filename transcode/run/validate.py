"""The package as written, checked: read back, inspected, and decoded where that is asked for."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from abr.errors import ToolFailedError
from transcode.encoders.video import decoders_for
from transcode.encryption import ContentKey
from transcode.ffmpeg import decode_arguments
from transcode.inspection.judge import judge
from transcode.packaging.index import PresentationIndex, files_of
from transcode.packaging.layout import INDEX, split_variant, variant_b
from transcode.run.ffmpegtools import find
from transcode.run.inspecting import load_package
from transcode.run.process import Outcome, Tick, run_ffmpeg
from transcode.run.tracks import Folder
from transcode.verify import plain_line


async def read_back(folders: Sequence[Folder]) -> None:
    """Check that every file holds what was written to it.

    Raises:
        ToolFailedError: one does not.
    """
    for folder in folders:
        for name, digest in folder.digests.items():
            path = folder.path / name
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != digest:
                raise ToolFailedError(
                    f"{folder.path.name}/{name}: reads back otherwise than it was written; "
                    "expected the same bytes; check the disk, and run the command again"
                )
        await asyncio.sleep(0)  # so that an interruption is noticed between tracks


async def check_rules(package: Path, keys: Iterable[ContentKey] = ()) -> None:
    """Inspect what was written as ``abr inspect`` would, before anyone sees it.

    Args:
        package: Its folder.
        keys: Content keys, where it is encrypted.

    Raises:
        ToolFailedError: it breaks a rule.
    """
    by_kid = {key.kid: key.key for key in keys}
    facts = await load_package(str(package), key_of=lambda _title, kid: by_kid.get(kid))
    for finding in judge(facts, "media").findings:
        if finding.severity == "violation":
            raise ToolFailedError(
                f"{finding.file}: {finding.place or finding.rule}: {finding.measured}; expected "
                f"{finding.allowed} ({', '.join(finding.clauses)}); nothing was published; "
                "encode again, and report it if it happens again"
            )


@contextlib.contextmanager
def variants_b(package: Path, index: PresentationIndex) -> Iterator[Path]:
    """The package as somebody sees it who gets variant B of every segment, while it is needed."""
    files = {INDEX, *files_of(index)}
    with tempfile.TemporaryDirectory(dir=package.parent, prefix=f"{package.name}.b-") as folder:
        seen = Path(folder) / package.name
        for name in files:
            if split_variant(name)[1] is None:
                target = seen / name
                target.parent.mkdir(parents=True, exist_ok=True)
                twin = variant_b(name)
                os.link(package / (twin if twin in files else name), target)
        yield seen


async def decode_tracks(
    folders: Sequence[Folder],
    *,
    on_tick: Callable[[int, Tick], None],
    stall_limit_s: float,
) -> None:
    """Decode all that was written.

    Args:
        folders: The tracks.
        on_tick: Called with the number of the track and the progress in it.
        stall_limit_s: Most seconds without any progress.

    Raises:
        ToolFailedError: a track does not decode, or not to all of its frames.
        ToolMissingError: no ffmpeg decodes its codec.
    """
    program = find("ffmpeg", decoders_for(folder.codecs for folder in folders)).path
    for number, folder in enumerate(folders):
        for variant in "ab" if folder.has_variants else "a":
            outcome = await run_ffmpeg(
                _decode(folder.container, program),
                feed=folder.read_back(range(len(folder.segments)), variant=variant),
                on_tick=_of_track(number, on_tick),
                stall_limit_s=stall_limit_s,
            )
            _check_decode(folder, outcome)


def _decode(container: str, program: str) -> Callable[[Sequence[str]], list[str]]:
    return lambda _outputs: decode_arguments(container=container, program=program)


def _of_track(number: int, on_tick: Callable[[int, Tick], None]) -> Callable[[Tick], None]:
    return lambda tick: on_tick(number, tick)


def _check_decode(folder: Folder, outcome: Outcome) -> None:
    name = folder.path.name
    if not outcome.is_clean:
        raise ToolFailedError(
            f"{name}: does not decode: {plain_line(outcome.reason())}; encode again, "
            "and report it if it happens again"
        )
    if folder.is_video and outcome.frames != folder.frames:
        raise ToolFailedError(
            f"{name}: {outcome.frames} frames decode; expected {folder.frames}; encode again, "
            "and report it if it happens again"
        )
