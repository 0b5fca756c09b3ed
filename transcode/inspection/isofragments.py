"""Fragments of anyone's fragmented MP4, as facts.

Several tracks, several runs in a fragment. Sizes are checked before they are used; whatever is
wrong becomes a ``MediaError``.

Source: ISO/IEC 14496-12:2022, 8.8 (fragments); ISO/IEC 14496-15 (samples of AVC and HEVC).
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from abr.errors import MediaError
from transcode.inspection.facts import Stretch, TrackFacts
from transcode.media.boxes import Box, boxes, find, read_header
from transcode.media.codecs import KeyFrameTest
from transcode.media.hevcslices import sei_types

MOST_SAMPLES = 1_000_000
"""In one segment; a fragment may claim four billion."""
_NOT_SYNC = 0x00010000
_PREFIX_SEI = 39


@dataclass(slots=True)
class _Budget:
    """Samples that may still be read, and whether some may lie outside the data."""

    samples: int
    is_part: bool


def _clipped(data: bytes) -> Iterator[Box]:
    """The boxes of a range that may end inside the last one."""
    at = 0
    while (head := read_header(data, at)) is not None:
        kind, header, size = head
        if at + size > len(data) and kind != b"mdat":
            raise MediaError(f"mp4 box {kind!r}: ends beyond the range; expected it whole")
        yield Box(kind, at, at + header, min(at + size, len(data)))
        at += size


@dataclass(slots=True)
class _Run:
    """The samples of one track in a segment, summed up as they are read."""

    track: TrackFacts
    start: int
    end: int
    shown: int
    shown_end: int
    frames: int
    keys: list[int]
    first: str
    starts_with_idr: bool | None
    lengths: Counter[int]
    jump: int = 0
    is_clear: bool = False
    sei: frozenset[int] = frozenset()


def read_fragments(
    data: bytes, tracks: Mapping[int, TrackFacts], *, is_part: bool = False
) -> tuple[Stretch, ...]:
    """What the fragments of one segment hold, by track.

    Args:
        data: The segment, decrypted where it was encrypted whole.
        tracks: The tracks of its initialisation section, by id.
        is_part: Whether it is the range of an I-frame, which may end inside ``mdat``: samples
            that it does not hold are left out.

    Raises:
        MediaError: it is cut off, points outside itself, or names a track that is not there.
    """
    runs: dict[int, _Run] = {}
    budget = _Budget(MOST_SAMPLES, is_part)
    seen = False
    try:
        for each in _clipped(data) if is_part else boxes(data):
            if each.kind == b"moof":
                seen = True
                for traf in boxes(data, each.body, each.end):
                    if traf.kind == b"traf":
                        _read_traf(data, each, traf, tracks, runs, budget)
    except (struct.error, IndexError) as exc:
        raise MediaError("mp4: a fragment's tables are cut off; expected whole ones") from exc
    if not seen:
        raise MediaError("mp4: no fragment (moof); expected at least one")
    return tuple(_stretch(run) for run in runs.values() if run.frames)


def _stretch(run: _Run) -> Stretch:
    scale = run.track.timescale
    # 8.6.6: presentation begins where the edit list says; empty time comes before it.
    shift = run.track.empty_edit_s - run.track.skipped_s
    return Stretch(
        track=run.track.id,
        kind=run.track.kind,
        start_s=run.start / scale,
        end_s=run.end / scale,
        first_shown_s=run.shown / scale + shift,
        shown_end_s=run.shown_end / scale + shift,
        frames=run.frames,
        key_times_s=tuple(key / scale + shift for key in run.keys),
        starts_with_idr=run.starts_with_idr,
        first_picture=run.first,
        frame_s=run.lengths.most_common(1)[0][0] / scale,
        jump_s=run.jump / scale,
        is_clear=run.is_clear,
        sei=run.sei,
    )


def _read_traf(
    data: bytes,
    moof: Box,
    traf: Box,
    tracks: Mapping[int, TrackFacts],
    runs: dict[int, _Run],
    budget: _Budget,
) -> None:
    tfhd = find(data, b"tfhd", start=traf.body, end=traf.end)
    flags, number = struct.unpack_from(">II", data, tfhd.body)
    if number not in tracks:
        known = ", ".join(map(str, tracks)) or "none"
        raise MediaError(f"mp4: samples of track {number}; its initialisation section has {known}")
    track = tracks[number]
    at, base, values = tfhd.body + 8, moof.start, list(track.defaults)
    if flags & 0x1:
        (base,) = struct.unpack_from(">Q", data, at)
        at += 8
    is_clear = False
    if flags & 0x2:
        is_clear = struct.unpack_from(">I", data, at)[0] in track.clear_entries
        at += 4
    for place, bit in enumerate((0x8, 0x10, 0x20)):
        if flags & bit:
            (values[place],) = struct.unpack_from(">I", data, at)
            at += 4
    run = runs.get(number)
    time = _decode_time(data, traf)
    if time is None:
        time = run.end if run else 0
    if run is None:
        run = _Run(track, time, time, 1 << 62, -(1 << 62), 0, [], "", None, Counter())
        run.is_clear = is_clear
        runs[number] = run
    if abs(time - run.end) > abs(run.jump):
        run.jump = time - run.end
    place = base
    for trun in boxes(data, traf.body, traf.end):
        if trun.kind == b"trun":
            time, place = _read_trun(data, trun, run, time, (base, place), values, budget)
    run.end = time


def _decode_time(data: bytes, traf: Box) -> int | None:
    for each in boxes(data, traf.body, traf.end):
        if each.kind == b"tfdt":
            form = ">Q" if data[each.body] == 1 else ">I"
            return int(struct.unpack_from(form, data, each.body + 4)[0])
    return None


def _read_trun(
    data: bytes,
    trun: Box,
    run: _Run,
    time: int,
    places: tuple[int, int],
    values: list[int],
    budget: _Budget,
) -> tuple[int, int]:
    flags, count = struct.unpack_from(">II", data, trun.body)
    budget.samples -= count
    if budget.samples < 0:
        raise MediaError(f"mp4: over {MOST_SAMPLES:,} samples in a segment; expected fewer")
    at, (base, place), first_flags = trun.body + 8, places, None
    if flags & 0x1:
        place = base + struct.unpack_from(">i", data, at)[0]
        at += 4
    if flags & 0x4:
        (first_flags,) = struct.unpack_from(">I", data, at)
        at += 4
    for number, (duration, size, own, offset) in enumerate(
        _samples(data, at, flags, count, values)
    ):
        own_flags = first_flags if number == 0 and first_flags is not None else own
        if place < 0 or place + size > len(data):
            if budget.is_part:
                break
            raise MediaError(
                f"mp4: a sample ends at byte {place + size:,}; the segment has {len(data):,}"
            )
        _take(run, data, place, size, time=time, offset=offset, duration=duration, flags=own_flags)
        time += duration
        place += size
    return time, place


def _samples(
    data: bytes, at: int, flags: int, count: int, values: list[int]
) -> Iterator[tuple[int, int, int, int]]:
    """Duration, size, flags and composition offset of each sample."""
    for _ in range(count):
        sample = [*values, 0]
        for index, bit in enumerate((0x100, 0x200, 0x400, 0x800)):
            if flags & bit:
                (sample[index],) = struct.unpack_from(">i" if bit == 0x800 else ">I", data, at)
                at += 4
        yield sample[0], sample[1], sample[2], sample[3]


def _take(
    run: _Run,
    data: bytes,
    place: int,
    size: int,
    *,
    time: int,
    offset: int,
    duration: int,
    flags: int,
) -> None:
    shown = time + offset
    is_first = run.frames == 0
    if run.track.kind == "video" and (is_first or not flags & _NOT_SYNC):
        can_begin, words = _picture(run.track, data[place : place + size], flags)
        if can_begin:
            run.keys.append(shown)
        if is_first:
            run.starts_with_idr, run.first = can_begin, words
            run.sei = _sei(run.track, data[place : place + size])
    run.frames += 1
    run.lengths[duration] += 1
    run.shown = min(run.shown, shown)
    run.shown_end = max(run.shown_end, shown + duration)


_HEVC_NAMES = {19: "an IDR", 20: "an IDR", 21: "a CRA", 16: "a BLA", 17: "a BLA", 18: "a BLA"}
_FAMILIES = {"avc1": b"avc1", "avc3": b"avc1", "hvc1": b"hvc1", "hev1": b"hvc1", "av01": b"av01"}


def _picture(track: TrackFacts, sample: bytes, flags: int) -> tuple[bool, str]:
    """Whether decoding can begin at a sample, and what it is."""
    family = _FAMILIES.get(track.entry)
    # Without a configuration box nobody knows where units of H.264 and HEVC begin.
    is_unreadable = track.scheme if family == b"av01" else not track.nal_length_bytes
    if family is None or is_unreadable:
        is_sync = not flags & _NOT_SYNC
        return is_sync, "a sync sample" if is_sync else "no sync sample"
    leads = KeyFrameTest(family, track.nal_length_bytes).passes(sample)
    if family == b"hvc1":
        kind = _first_hevc_slice(sample, track.nal_length_bytes)
        return leads, f"{_HEVC_NAMES.get(kind, 'another')} picture"
    return leads, "an IDR picture" if leads else "no IDR picture"


def _sei(track: TrackFacts, sample: bytes) -> frozenset[int]:
    """Payload types of the SEI messages before the first slice; encryption leaves them clear."""
    found: set[int] = set()
    at, head = 0, track.nal_length_bytes
    while head and _FAMILIES.get(track.entry) == b"hvc1" and at + head < len(sample):
        size = int.from_bytes(sample[at : at + head], "big")
        kind = sample[at + head] >> 1 & 63
        if kind < 32:
            break
        if kind == _PREFIX_SEI:
            found.update(sei_types(sample[at + head : at + head + size]))
        at += head + size
    return frozenset(found)


def _first_hevc_slice(sample: bytes, length_bytes: int) -> int:
    at = 0
    while at + length_bytes < len(sample):
        kind = sample[at + length_bytes] >> 1 & 63
        if kind < 32:
            return kind
        at += length_bytes + int.from_bytes(sample[at : at + length_bytes], "big")
    return -1
