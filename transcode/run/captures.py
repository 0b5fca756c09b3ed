"""What a captured copy shows of a watermarked package: equal bytes if it can, pictures if it must.

First whole files are compared, then files one after the other in one, then encoded pictures, which
a change of container leaves alone. Only a copy that was encoded anew is decoded, and compared
with both variants; see ``transcode.watermark``.
"""

from __future__ import annotations

import asyncio
import hashlib
import mmap
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from abr.errors import MediaError, MissingFileError, ToolFailedError
from abr.shell import reason_of
from transcode.encoders.video import decoders_for
from transcode.packaging.index import Track
from transcode.run.ffmpegtools import find
from transcode.run.packagemedia import PackageMedia
from transcode.run.process import run_ffmpeg
from transcode.watermark.aligning import (
    ALIKE,
    COLUMNS,
    FOUND,
    REACH_FRAMES,
    ROWS,
    Mark,
    Pictures,
    Place,
    coarse,
    mark_of,
    place_of,
    shifted,
)
from transcode.watermark.commands import digest_arguments, digests_in, picture_arguments
from transcode.watermark.evidence import Evidence, Sight, gathered

Tell = Callable[[str, float], None]
"""Told what is done, and the share of it that is done."""
_HEAD_BYTES = 128
"""Of a segment: enough to know few others by."""
_AT_ONCE = 32
"""Segments that are decoded together."""
_STALL_S = 60.0


async def look_at(capture: Path, package: PackageMedia, *, tell: Tell) -> Evidence:
    """What ``capture``, a file or a folder of files, shows of ``package``.

    Raises:
        MissingFileError: there is no such file.
        MediaError: nothing in it is of this title, or it cannot be read as a film.
        KeyStoreError: the package is encrypted, and its keys are not there.
        ToolMissingError, ToolFailedError: ffmpeg.
    """
    if capture.is_dir():
        files = sorted(path for path in capture.rglob("*") if path.is_file())
        if not files:
            raise MissingFileError(f"{capture}: no file in it; expected segments of a title")
        found = await asyncio.to_thread(_equal_files, files, package, tell)
        if found.segments:
            return found
        with tempfile.TemporaryDirectory(prefix="abr-capture-") as folder:
            return await _look_inside(
                await asyncio.to_thread(_joined, files, Path(folder)), str(capture), package, tell
            )
    if not capture.is_file():
        raise MissingFileError(f"{capture}: no such file or folder; expected a captured copy")
    return await _look_inside(capture, str(capture), package, tell)


async def _look_inside(file: Path, where: str, package: PackageMedia, tell: Tell) -> Evidence:
    found = await asyncio.to_thread(_files_inside, file, package, tell)
    if not found.segments:
        found = await _equal_samples(file, package, tell)
    if not found.segments:
        found = await _alike_pictures(file, where, package, tell)
    return found


def _equal_files(files: list[Path], package: PackageMedia, tell: Tell) -> Evidence:
    """Whole files that are files of the package."""
    by_size: dict[int, list[bytes]] = {}
    for path in files:
        try:
            by_size.setdefault(path.stat().st_size, []).append(
                hashlib.sha256(path.read_bytes()).digest()
            )
        except OSError as exc:
            raise MissingFileError(f"{path}: {reason_of(exc)}; expected a readable file") from exc
    sights: list[Sight] = []
    places: Counter[str] = Counter()
    count = len(package.index.rungs)
    for number, track in enumerate(package.index.rungs):
        for segment, facts in enumerate(track.segments):
            captured = by_size.get(facts.size_bytes, ())
            if not captured:
                continue
            digests = [hashlib.sha256(package.stored(track, segment, b)).digest() for b in (0, 1)]
            for bit in (0, 1):
                if digests[bit] in captured and digests[0] != digests[1]:
                    sights.append(Sight(segment, bit))
                    places[track.folder] += 1
        tell("comparing files", (number + 1) / count)
    return gathered("files", sights, places)


def _joined(files: list[Path], folder: Path) -> Path:
    """All files one after the other, initialisation sections first."""
    path = folder / "joined.mp4"
    ordered = sorted(files, key=lambda each: ("init" not in each.name, each))
    with path.open("wb") as joined:
        for each in ordered:
            joined.write(each.read_bytes())
    return path


def _files_inside(file: Path, package: PackageMedia, tell: Tell) -> Evidence:
    """Files of the package that lie one after the other in another."""
    heads: dict[bytes, list[tuple[Track, int, int]]] = {}
    for track in package.index.rungs:
        for segment in range(len(track.segments)):
            for bit in (0, 1):
                head = package.stored(track, segment, bit, most_bytes=_HEAD_BYTES)
                heads.setdefault(head, []).append((track, segment, bit))
    inits = {package.init(track) for track in package.index.rungs}
    sights: list[Sight] = []
    places: Counter[str] = Counter()
    if not file.stat().st_size:
        raise MediaError(f"{file}: is empty; expected a captured copy")
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = 0
        while 0 <= at < len(data):
            matching = [
                (track, segment, bit)
                for track, segment, bit in heads.get(data[at : at + _HEAD_BYTES], ())
                if data[at : at + track.segments[segment].size_bytes]
                == package.stored(track, segment, bit)
            ]
            for track, segment, bit in matching:
                if len(matching) == 1:
                    sights.append(Sight(segment, bit))
                    places[track.folder] += 1
            tell("comparing bytes", at / len(data))
            if matching:
                track, segment, _ = matching[0]
                at += track.segments[segment].size_bytes
            else:
                init = next((each for each in inits if data[at : at + len(each)] == each), b"")
                at = at + len(init) if init else _next_begin(data, at)
    return gathered("joined", sights, places)


def _next_begin(data: mmap.mmap, at: int) -> int:
    """Where the next segment might begin, which is not encrypted as a whole; -1: nowhere."""
    found = data.find(b"styp", at + 5)
    return found - 4 if found >= 0 else -1


async def _equal_samples(file: Path, package: PackageMedia, tell: Tell) -> Evidence:
    """Encoded pictures of the package, in whatever container."""
    sights: list[Sight] = []
    places: Counter[str] = Counter()
    program = find("ffmpeg").path
    captured: dict[str, frozenset[bytes]] = {}
    rungs = package.index.rungs
    for number, track in enumerate(rungs):
        kind = track.codecs.partition(".")[0]
        if kind not in captured:
            captured[kind] = await _digests_of(file, track.codecs, program)
        seen: dict[bytes, set[tuple[int, int]]] = {}
        if captured[kind]:
            for bit in (0, 1):
                await _note_digests(track, bit, package, captured[kind], seen, program)
        for where in seen.values():
            if len(where) == 1:
                sights.append(Sight(*next(iter(where))))
                places[track.folder] += 1
        tell("comparing encoded pictures", (number + 1) / len(rungs))
    return gathered("samples", sights, places)


async def _digests_of(file: Path, codecs: str, program: str) -> frozenset[bytes]:
    """Digests of the encoded pictures of a capture; none where its codec is another."""
    listing = bytearray()
    try:
        await run_ffmpeg(
            lambda outputs: digest_arguments(codecs, str(file), outputs[0], program=program),
            [listing.extend],
            stall_limit_s=_STALL_S,
        )
    except ToolFailedError:
        return frozenset()
    return frozenset(digests_in(bytes(listing)))


async def _note_digests(
    track: Track,
    bit: int,
    package: PackageMedia,
    captured: frozenset[bytes],
    seen: dict[bytes, set[tuple[int, int]]],
    program: str,
) -> None:
    """Note where in a variant of a track the captured pictures are."""
    frames = _counts(track)
    listing = bytearray()
    await run_ffmpeg(
        lambda outputs: digest_arguments(track.codecs, "pipe:0", outputs[0], program=program),
        [listing.extend],
        feed=package.clear(track, range(len(track.segments)), bit),
        stall_limit_s=_STALL_S,
    )
    segments = np.repeat(np.arange(len(frames)), frames)
    for segment, digest in zip(segments.tolist(), digests_in(bytes(listing)), strict=False):
        if digest in captured:
            seen.setdefault(digest, set()).add((segment, bit))


def _counts(track: Track) -> list[int]:
    """Frames in each segment."""
    return [round(segment.duration_s * track.frame_rate) for segment in track.segments]


Small = NDArray[np.uint16]


async def _alike_pictures(file: Path, where: str, package: PackageMedia, tell: Tell) -> Evidence:
    """Marks in the decoded pictures."""
    tracks = package.index.video
    rate = Fraction(tracks[0].frame_rate).limit_denominator(1001)
    with tempfile.TemporaryDirectory(prefix="abr-pictures-") as folder:
        tell("decoding the capture", 0.0)
        capture = await _decoded(
            Path(folder) / "capture",
            lambda output, program: picture_arguments(
                str(file), output, program=program, rate=rate
            ),
        )
        if len(capture) < 2:
            raise MediaError(
                f"{where}: no film that can be decoded; expected segments or a copy of "
                f"{package.index.title}"
            )
        place = await _find(capture, tracks[0], package, Path(folder), tell)
        if not place.is_sure:
            raise MediaError(
                f"{where}: no part of {package.index.title} (likeness {place.likeness:.1f} and "
                f"{place.alike:.2f}, expected {FOUND:g} or {ALIKE:g}): another film, too short, "
                "cropped, mirrored, or played at another speed"
            )
        height = await _height_of(file)
        nearest = sorted(tracks, key=lambda each: abs(each.height - height))
        return await _marks(capture, place, nearest, package, Path(folder), tell)


async def _find(
    capture: Small, lowest: Track, package: PackageMedia, folder: Path, tell: Tell
) -> Place:
    """Where in the film the capture begins."""
    smalls = []
    count = len(lowest.segments)
    for first in range(0, count, _AT_ONCE):
        numbers = range(first, min(count, first + _AT_ONCE))
        smalls.append(coarse(await _segments(lowest, numbers, 0, package, folder)))
        tell("finding it in the film", numbers.stop / count)
    return await asyncio.to_thread(place_of, coarse(capture), np.concatenate(smalls))


async def _marks(
    capture: Small,
    place: Place,
    tracks: Sequence[Track],
    package: PackageMedia,
    folder: Path,
    tell: Tell,
) -> Evidence:
    """The variant of each segment that the capture shows, as it is clearest in any rung."""
    starts = np.concatenate([[0], np.cumsum(_counts(tracks[0]))])
    last = place.frame + len(capture)
    unclear = shown = [
        number
        for number, count in enumerate(_counts(tracks[0]))
        if min(last, starts[number + 1]) - max(place.frame, starts[number]) >= count / 2
    ]
    marks: dict[int, Mark] = {}
    for track in tracks:
        for done, numbers in enumerate(_runs(unclear)):
            tell(f"looking for marks in {track.folder}", done * _AT_ONCE / len(shown))
            pair = [await _segments(track, numbers, bit, package, folder) for bit in (0, 1)]
            for number in numbers:
                part = slice(*(starts[n] - starts[numbers[0]] for n in (number, number + 1)))
                first = int(starts[number]) - place.frame
                mark = _mark(capture, first, pair[0][part], pair[1][part])
                if number not in marks or abs(mark.strength) > abs(marks[number].strength):
                    marks[number] = mark
        unclear = [number for number in shown if marks[number].bit is None]
    return Evidence(
        how="pictures",
        bits={number: mark.bit for number, mark in marks.items() if mark.bit is not None},
        unclear=tuple(unclear),
        strength={number: round(mark.strength, 1) for number, mark in sorted(marks.items())},
    )


def _runs(numbers: Sequence[int]) -> Iterator[range]:
    """Numbers that follow each other, at most ``_AT_ONCE`` together."""
    begin = 0
    for at in range(1, len(numbers) + 1):
        is_end = at == len(numbers) or numbers[at] != numbers[at - 1] + 1
        if is_end or at - begin == _AT_ONCE:
            yield range(numbers[begin], numbers[at - 1] + 1)
            begin = at


def _mark(capture: Small, first: int, one: Small, other: Small) -> Mark:
    """The mark in a segment that begins about at the frame ``first`` of the capture."""
    begin = max(0, first - 2 * REACH_FRAMES)
    near = _levels(capture[begin : max(begin, first + len(one) + 2 * REACH_FRAMES)])
    own, twin = _levels(one), _levels(other)
    first += shifted(near, first - begin, np.float32(0.5) * (own + twin)) - begin
    here = slice(max(0, first), min(len(near), first + len(own)))
    there = slice(here.start - first, here.stop - first)
    return mark_of(near[here], own[there], twin[there])


def _levels(pictures: Small) -> Pictures:
    """Brightness in levels of 255."""
    return pictures.astype(np.float32) / np.float32(257)


async def _segments(
    track: Track, numbers: range, bit: int, package: PackageMedia, folder: Path
) -> Small:
    """Small pictures of some segments in one variant."""
    decoders = decoders_for([track.codecs])
    program = find("ffmpeg", decoders).path
    return await _decoded(
        folder / f"{track.folder}-{bit}",
        lambda output, _program: picture_arguments("pipe:0", output, program=program),
        feed=package.clear(track, numbers, bit),
    )


async def _decoded(
    path: Path,
    arguments: Callable[[str, str], list[str]],
    feed: Iterator[bytes] | None = None,
) -> Small:
    """Small pictures as ffmpeg writes them, by way of a file that is mapped."""
    program = find("ffmpeg").path
    with path.open("wb") as file:

        def keep(data: bytes) -> None:
            file.write(data)

        await run_ffmpeg(
            lambda outputs: arguments(outputs[0], program),
            [keep],
            feed=feed,
            stall_limit_s=_STALL_S,
        )
        size = file.tell()
    count = size // (2 * COLUMNS * ROWS)
    if not count:
        return np.empty((0, COLUMNS * ROWS), dtype=np.uint16)
    mapped = np.memmap(path, dtype="<u2", mode="r", shape=(count, COLUMNS * ROWS))
    if feed is None:
        return mapped
    return np.array(mapped)


async def _height_of(file: Path) -> int:
    """Lines of the pictures of a capture."""
    lines: list[str] = []
    program = find("ffmpeg").path
    listing = bytearray()
    await run_ffmpeg(
        lambda outputs: [
            program, "-hide_banner", "-nostats", "-progress", "pipe:1",
            "-loglevel", "repeat+level+info", "-i", f"file:{file}", "-map", "0:v:0",
            "-frames:v", "1", "-vf", "showinfo=checksum=0", "-f", "null", "-y", outputs[0],
        ],
        [listing.extend],
        on_line=lines.append,
    )  # fmt: skip
    for line in lines:
        if " s:" in line and "showinfo" in line:
            return int(line.partition(" s:")[2].split()[0].partition("x")[2])
    return 0
