"""Initialisation sections and fragments of anyone's fragmented MP4, as facts.

Several tracks, several runs in a fragment, encrypted sample entries: what other packagers
write. Sizes are checked before they are used; whatever is wrong becomes a ``MediaError``.

Source: ISO/IEC 14496-12:2022, 8.8 (fragments), 8.6.6 (edit lists); ISO/IEC 23001-7 (encryption);
ISO/IEC 14496-15 (avcC, hvcC); RFC 6381 and the codecs' own registrations for names.
"""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from abr.errors import MediaError
from transcode.inspection.bits import Sps, read_sps
from transcode.inspection.facts import InitFacts, Stretch, TrackFacts
from transcode.media.boxes import Box, boxes, find, read_header
from transcode.media.codecs import KeyFrameTest, aac_configuration, codec_name
from transcode.media.hevcslices import hevc_colours, sei_in, sei_types
from transcode.media.obus import sequence_header

MOST_SAMPLES = 1_000_000
"""In one segment; a fragment may claim four billion."""
_KINDS = {b"vide": "video", b"soun": "audio", b"text": "text", b"subt": "text", b"sbtl": "text"}
_VISUAL_BYTES, _AUDIO_BYTES = 78, 28
_NOT_SYNC = 0x00010000
_ENCRYPTED = frozenset([b"encv", b"enca"])
_PREFIX_SEI = 39


def read_init(data: bytes, uri: str) -> InitFacts:
    """Facts of an initialisation section.

    Raises:
        MediaError: it is not one.
    """
    try:
        moov = find(data, b"moov")
        defaults = _defaults(data, moov)
        tracks = tuple(
            _track(data, each, defaults)
            for each in boxes(data, moov.body, moov.end)
            if each.kind == b"trak"
        )
    except (struct.error, IndexError, StopIteration) as exc:
        raise MediaError("mp4: a box of moov is cut off; expected a whole one") from exc
    if not tracks:
        raise MediaError("mp4: moov without a track; expected one")
    return InitFacts(uri=uri, tracks=tracks, digest=hashlib.sha256(data).hexdigest()[:16])


def _defaults(data: bytes, moov: Box) -> dict[int, tuple[int, int, int]]:
    found = {}
    for mvex in boxes(data, moov.body, moov.end):
        if mvex.kind != b"mvex":
            continue
        for trex in boxes(data, mvex.body, mvex.end):
            if trex.kind == b"trex":
                track, _, *values = struct.unpack_from(">5I", data, trex.body + 4)
                found[track] = (values[0], values[1], values[2])
    return found


def _track(data: bytes, trak: Box, defaults: Mapping[int, tuple[int, int, int]]) -> TrackFacts:
    inside = {"start": trak.body, "end": trak.end}
    tkhd = find(data, b"tkhd", **inside)
    wide = data[tkhd.body] == 1
    (number,) = struct.unpack_from(">I", data, tkhd.body + (20 if wide else 12))
    mdhd = find(data, b"mdia", b"mdhd", **inside)
    (timescale,) = struct.unpack_from(">I", data, mdhd.body + (20 if data[mdhd.body] == 1 else 12))
    if not timescale:
        raise MediaError("mp4: a timescale of 0; expected units per second")
    hdlr = find(data, b"mdia", b"hdlr", **inside)
    kind = _KINDS.get(data[hdlr.body + 8 : hdlr.body + 12], "other")
    stsd = find(data, b"mdia", b"minf", b"stbl", b"stsd", **inside)
    entries = list(boxes(data, stsd.body + 8, stsd.end))
    entry = next(iter(entries))
    empty_s, skipped_s = _edits(data, trak, timescale)
    base = TrackFacts(
        id=number,
        kind=kind,
        codec="",
        timescale=timescale,
        empty_edit_s=empty_s,
        skipped_s=skipped_s,
        defaults=defaults.get(number, (0, 0, 0)),
    )
    track = _described(data, entry, base)
    if not track.scheme:
        return track
    # A clear lead: samples choose the entry that is not encrypted.
    clear = frozenset(n for n, box in enumerate(entries, 1) if box.kind not in _ENCRYPTED)
    return replace(track, clear_entries=clear)


def _edits(data: bytes, trak: Box, timescale: int) -> tuple[float, float]:
    """Seconds of an empty edit at the start, and media skipped after it."""
    try:
        elst = find(data, b"edts", b"elst", start=trak.body, end=trak.end)
    except MediaError:
        return 0.0, 0.0
    # 8.6.6.2: durations are in units of mvhd, media times in units of mdhd.
    mvhd = find(data, b"moov", b"mvhd")
    (movie_scale,) = struct.unpack_from(">I", data, mvhd.body + (20 if data[mvhd.body] else 12))
    wide = data[elst.body] == 1
    (count,) = struct.unpack_from(">I", data, elst.body + 4)
    form, size = (">Qq", 20) if wide else (">Ii", 12)
    empty = 0
    for number in range(min(count, 16)):
        duration, media_time = struct.unpack_from(form, data, elst.body + 8 + number * size)
        if media_time >= 0:
            return empty / max(1, movie_scale), media_time / timescale
        empty += duration
    return empty / max(1, movie_scale), 0.0


@dataclass(frozen=True, slots=True)
class _Entry:
    """A sample entry with encryption taken off."""

    kind: bytes
    body: int
    end: int
    scheme: str
    pattern: tuple[int, int] | None


def _described(data: bytes, box: Box, base: TrackFacts) -> TrackFacts:
    entry = _Entry(box.kind, box.body, box.end, "", None)
    if box.kind in _ENCRYPTED:
        entry = _opened(data, box, _VISUAL_BYTES if box.kind == b"encv" else _AUDIO_BYTES)
    named = replace(
        base,
        entry=entry.kind.decode("latin-1"),
        codec=entry.kind.decode("latin-1").strip(),
        scheme=entry.scheme,
        pattern=entry.pattern,
    )
    if base.kind == "video":
        return _visual(data, entry, named)
    if base.kind == "audio":
        channels, rate = _audio_figures(data, entry)
        codec = _audio_codec(data, entry) or named.codec
        found = replace(named, codec=codec, channels=channels, sample_rate=rate)
        return _with_aac(data, entry, found)
    if entry.kind == b"stpp":
        return replace(named, codec="stpp.ttml.im1t")
    return named


def _opened(data: bytes, box: Box, fields: int) -> _Entry:
    """ISO/IEC 23001-7, 4: the format before encryption, the scheme and its pattern."""
    sinf = find(data, b"sinf", start=box.body + fields, end=box.end)
    frma = find(data, b"frma", start=sinf.body, end=sinf.end)
    schm = find(data, b"schm", start=sinf.body, end=sinf.end)
    tenc = find(data, b"schi", b"tenc", start=sinf.body, end=sinf.end)
    pattern = None
    if data[tenc.body] >= 1:
        blocks = data[tenc.body + 5]
        pattern = (blocks >> 4, blocks & 15)
    scheme = data[schm.body + 4 : schm.body + 8].decode("latin-1")
    return _Entry(data[frma.body : frma.body + 4], box.body, box.end, scheme, pattern)


def _child(data: bytes, entry: _Entry, kind: bytes, fields: int) -> Box | None:
    inside = boxes(data, entry.body + fields, entry.end)
    return next((each for each in inside if each.kind == kind), None)


def _visual(data: bytes, entry: _Entry, base: TrackFacts) -> TrackFacts:
    width, height = struct.unpack_from(">HH", data, entry.body + 24)
    pasp = _child(data, entry, b"pasp", _VISUAL_BYTES)
    if pasp is not None:
        across, down = struct.unpack_from(">II", data, pasp.body)
        if across and down:
            width = round(width * Fraction(across, down))
    facts = replace(base, width=width, height=height, codec=_video_codec(data, entry))
    colr = _child(data, entry, b"colr", _VISUAL_BYTES)
    if colr is not None and data[colr.body : colr.body + 4] in (b"nclx", b"nclc"):
        primaries, transfer, matrix = struct.unpack_from(">HHH", data, colr.body + 4)
        facts = replace(facts, primaries=primaries, transfer=transfer, matrix=matrix)
    avcc = _child(data, entry, b"avcC", _VISUAL_BYTES)
    if avcc is not None:
        facts = replace(facts, nal_length_bytes=(data[avcc.body + 4] & 3) + 1)
        sps = _sps(data, avcc)
        if sps is not None:
            facts = replace(
                facts,
                sps=sps,
                is_progressive=sps.is_progressive,
                primaries=sps.primaries if facts.primaries is None else facts.primaries,
                transfer=sps.transfer if facts.transfer is None else facts.transfer,
                matrix=sps.matrix if facts.matrix is None else facts.matrix,
            )
    hvcc = _child(data, entry, b"hvcC", _VISUAL_BYTES)
    if hvcc is not None:
        facts = _with_hevc(data[hvcc.body : hvcc.end], facts)
    av1c = _child(data, entry, b"av1C", _VISUAL_BYTES)
    header = sequence_header(data[av1c.body + 4 : av1c.end]) if av1c is not None else None
    return facts if header is None else _coloured(facts, header.colour)


def _with_hevc(hvcc: bytes, base: TrackFacts) -> TrackFacts:
    facts = replace(base, nal_length_bytes=(hvcc[21] & 3) + 1, sei=sei_in(hvcc))
    return _coloured(facts, hevc_colours(hvcc))


def _coloured(facts: TrackFacts, stated: tuple[int, int, int] | None) -> TrackFacts:
    """With the colours of parameter sets where no ``colr`` says them."""
    if stated is None or facts.transfer is not None:
        return facts
    primaries, transfer, matrix = stated
    return replace(facts, primaries=primaries, transfer=transfer, matrix=matrix)


def _sps(data: bytes, avcc: Box) -> Sps | None:
    if data[avcc.body + 5] & 31 == 0:
        return None
    (size,) = struct.unpack_from(">H", data, avcc.body + 6)
    unit = data[avcc.body + 8 : min(avcc.body + 8 + size, avcc.end)]
    return read_sps(unit) if unit else None


_CONFIGURATIONS = {
    b"avc1": b"avcC",
    b"avc3": b"avcC",
    b"hvc1": b"hvcC",
    b"hev1": b"hvcC",
    b"av01": b"av1C",
}


def _video_codec(data: bytes, entry: _Entry) -> str:
    kind = entry.kind.decode("latin-1")
    if entry.kind == b"vp09":
        # VP Codec ISO Media File Format Binding: profile, level and depth follow four bytes.
        config = _child(data, entry, b"vpcC", _VISUAL_BYTES)
        if config is not None:
            profile, level, depth = data[config.body + 4 : config.body + 7]
            return f"vp09.{profile:02d}.{level:02d}.{depth >> 4:02d}"
    name = _CONFIGURATIONS.get(entry.kind)
    box = _child(data, entry, name, _VISUAL_BYTES) if name else None
    return codec_name(entry.kind, data[box.body : box.end]) if box is not None else kind


def _audio_figures(data: bytes, entry: _Entry) -> tuple[int, int]:
    (channels,) = struct.unpack_from(">H", data, entry.body + 16)
    (rate,) = struct.unpack_from(">I", data, entry.body + 24)
    return channels, rate >> 16


def _audio_codec(data: bytes, entry: _Entry) -> str:
    if entry.kind == b"Opus":
        return "Opus"
    if entry.kind != b"mp4a":
        return ""
    esds = _child(data, entry, b"esds", _AUDIO_BYTES)
    return codec_name(b"mp4a", data[esds.body : esds.end]) if esds is not None else "mp4a"


def _with_aac(data: bytes, entry: _Entry, base: TrackFacts) -> TrackFacts:
    """With what the AudioSpecificConfig says: channels, and whether it speaks of SBR."""
    esds = _child(data, entry, b"esds", _AUDIO_BYTES) if entry.kind == b"mp4a" else None
    config = aac_configuration(data[esds.body : esds.end]) if esds is not None else None
    if config is None:
        return base
    return replace(base, channels=config.channels or base.channels, signals_sbr=config.signals_sbr)


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
