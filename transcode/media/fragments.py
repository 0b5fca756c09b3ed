"""The encoder's fragmented tracks, cut anew into segments.

Bytes in, in pieces of any size, and segments out; no files. The encoder decides what a
fragment is, this module what a segment is: boundaries are in media time, durations are
exact, and every track begins at media time 0.

* Video is cut at key frames only. A group of pictures is two fragments (``moof`` + ``mdat``):
  its key frame, which can thus be fetched alone by a byte range, and the other frames. An
  edit list makes it begin at time 0; see ``begin_at``.
* Audio is cut at the frame boundary nearest to the video's. The encoder's priming frames
  are dropped, so picture and sound stay in step in players that ignore edit lists.

Source: ISO/IEC 14496-12:2022, 8.8 (movie fragments); ISO/IEC 23000-19 (CMAF), 7.3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from abr.errors import MediaError
from transcode.media.boxes import box, boxes, find, full_box, read_header, without

FTYP = box(b"ftyp", b"iso6", struct.pack(">I", 0), b"iso6cmfcmp41")
STYP = box(b"styp", b"msdh", struct.pack(">I", 0), b"msdhmsix")
_DROPPED = frozenset({b"edts", b"udta", b"meta"})
# ISO/IEC 14496-12, 8.8.3.1: sample_depends_on in bits 24 and 25, sample_is_non_sync in bit 16.
_NOT_SYNC = 0x00010000
SYNC_FLAGS = 0x02000000
"""Sample flags: depends on no other, is a sync sample."""
OTHER_FLAGS = 0x01010000
"""Sample flags: depends on others, is not a sync sample."""
# 8.8.8.1: flags of ``trun``; 8.8.7.1: of ``tfhd``.
_DATA_OFFSET, _DURATION, _SIZE, _FLAGS, _CTS = 0x1, 0x100, 0x200, 0x400, 0x800
_FIRST_FLAGS = 0x4
_BASE_IS_MOOF = 0x020000


class Sample(NamedTuple):
    """One access unit."""

    duration: int
    """In units of the track's timescale."""
    sync: bool
    cts: int
    """Presentation minus decoding time, in units of the timescale; may be negative."""
    data: bytes


class Cut(NamedTuple):
    """One finished segment."""

    data: bytes
    duration: int
    """In units of the track's timescale."""
    frames: int
    first_sample: bytes


def timescale_of(init: bytes) -> int:
    """Units per second of the first track."""
    mdhd = find(init, b"moov", b"trak", b"mdia", b"mdhd")
    version = init[mdhd.body]
    # ISO/IEC 14496-12, 8.4.2.2: version 1 has times of 64 bits before the timescale.
    (units,) = struct.unpack_from(">I", init, mdhd.body + (20 if version == 1 else 12))
    if not units:
        raise MediaError("mp4: a timescale of 0; expected units per second")
    return int(units)


def clean_init(ftyp_and_moov: bytes) -> bytes:
    """The initialisation section without edit lists and metadata, under our brands."""
    moov = find(ftyp_and_moov, b"moov")
    return FTYP + without(ftyp_and_moov[moov.start : moov.end], _DROPPED)


def begin_at(init: bytes, media_time: int) -> bytes:
    """``init`` with an edit list that shows media from ``media_time`` on, at time 0.

    With B-frames the first picture is shown later than it is decoded, by its composition
    offset. deviation: CMAF prefers negative offsets, but ffmpeg's demuxer shifts those back,
    which moves the picture against the sound.
    """
    if not media_time:
        return init
    tkhd = find(init, b"moov", b"trak", b"tkhd")
    entry = struct.pack(">IIiI", 1, 0, media_time, 0x00010000)  # duration 0: all there is
    edit = box(b"edts", full_box(b"elst", 0, 0, entry))
    longer = bytearray(init[: tkhd.end] + edit + init[tkhd.end :])
    for parent in (find(init, b"moov"), find(init, b"moov", b"trak")):
        struct.pack_into(">I", longer, parent.start, parent.end - parent.start + len(edit))
    return bytes(longer)


def without_delay(init: bytes) -> bytes:
    """``init`` of sound whose priming frames are dropped: Opus then has no pre-skip.

    Source: Encapsulation of Opus in ISO Base Media File Format, 4.3.2 (OpusSpecificBox).
    """
    stsd = find(init, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    entry = next(boxes(init, stsd.body + 8, stsd.end))
    if entry.kind != b"Opus":
        return init
    dops = find(init, b"dOps", start=entry.body + 28, end=entry.end)
    patched = bytearray(init)
    struct.pack_into(">H", patched, dops.body + 2, 0)
    return bytes(patched)


def under_head_of(other: bytes, track: bytes) -> bytes:
    """``track`` behind the initialisation section of ``other``, which may state other rates.

    Both are whole fragmented tracks of pictures.

    Raises:
        MediaError: the sections differ in more than the rates that they state (``btrt``).
    """
    head, own = (each[: find(each, b"moov").end] for each in (other, track))
    if _without_rates(head) != _without_rates(own):
        raise MediaError("mp4: another initialisation section; expected the same but for rates")
    return head + track[len(own) :]


def _without_rates(init: bytes) -> bytes:
    stsd = find(init, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    entry = next(boxes(init, stsd.body + 8, stsd.end))
    for each in boxes(init, entry.body + 78, entry.end):
        if each.kind == b"btrt":
            return init[: each.start] + init[each.end :]
    return init


class _Defaults(NamedTuple):
    duration: int
    size: int
    flags: int


def _track_defaults(init: bytes) -> _Defaults:
    trex = find(init, b"moov", b"mvex", b"trex")
    return _Defaults(*struct.unpack_from(">III", init, trex.body + 12))


def read_fragment(moof: bytes, mdat: bytes, defaults: tuple[int, int, int]) -> list[Sample]:
    """The samples of one fragment.

    Args:
        moof: The whole box, header included.
        mdat: The whole box that follows it.
        defaults: Duration, size and flags of samples from ``trex``.

    Raises:
        MediaError: fields point outside the data.
    """
    traf = find(moof, b"moof", b"traf")
    default = _Defaults(*defaults)
    samples: list[Sample] = []
    try:
        for each in boxes(moof, traf.body, traf.end):
            if each.kind == b"tfhd":
                default = _tfhd(moof, each.body, default)
            elif each.kind == b"trun":
                samples.extend(_trun(moof, each.body, default, mdat))
    except struct.error as exc:
        raise MediaError("mp4: a fragment's tables are cut off; expected whole ones") from exc
    return samples


def _tfhd(moof: bytes, at: int, default: _Defaults) -> _Defaults:
    (flags,) = struct.unpack_from(">I", moof, at)
    # 8.8.7.1: a base data offset (0x1) and a description index (0x2) come before the defaults.
    at += 8 + (8 if flags & 0x1 else 0) + (4 if flags & 0x2 else 0)
    values = list(default)
    for number, bit in enumerate((0x8, 0x10, 0x20)):
        if flags & bit:
            (values[number],) = struct.unpack_from(">I", moof, at)
            at += 4
    return _Defaults(*values)


def _trun(moof: bytes, at: int, default: _Defaults, mdat: bytes) -> Iterator[Sample]:
    flags, count = struct.unpack_from(">II", moof, at)
    flags &= 0xFFFFFF
    at += 8
    offset, first_flags = len(moof) + 8, None
    if flags & _DATA_OFFSET:
        (offset,) = struct.unpack_from(">i", moof, at)
        at += 4
    if flags & _FIRST_FLAGS:
        (first_flags,) = struct.unpack_from(">I", moof, at)
        at += 4
    place = offset - len(moof)
    for number in range(count):
        values = list(default)
        for index, bit in enumerate((_DURATION, _SIZE, _FLAGS)):
            if flags & bit:
                (values[index],) = struct.unpack_from(">I", moof, at)
                at += 4
        cts = 0
        if flags & _CTS:
            (cts,) = struct.unpack_from(">i", moof, at)
            at += 4
        duration, size, own = values
        if number == 0 and first_flags is not None:
            own = first_flags
        if place < 8 or place + size > len(mdat):
            raise MediaError("mp4: a sample lies outside its fragment; expected it inside")
        yield Sample(duration, not own & _NOT_SYNC, cts, mdat[place : place + size])
        place += size


def write_fragment(samples: Sequence[Sample], *, sequence: int, decode_time: int) -> bytes:
    """One ``moof`` and its ``mdat``."""
    with_cts = any(sample.cts for sample in samples)
    flags = _DATA_OFFSET | _DURATION | _SIZE | _FLAGS | (_CTS if with_cts else 0)
    table = bytearray()
    for sample in samples:
        table += struct.pack(
            ">III", sample.duration, len(sample.data), SYNC_FLAGS if sample.sync else OTHER_FLAGS
        )
        if with_cts:
            table += struct.pack(">i", sample.cts)

    def moof(data_offset: int) -> bytes:
        return box(
            b"moof",
            full_box(b"mfhd", 0, 0, struct.pack(">I", sequence)),
            box(
                b"traf",
                full_box(b"tfhd", 0, _BASE_IS_MOOF, struct.pack(">I", 1)),
                full_box(b"tfdt", 1, 0, struct.pack(">Q", decode_time)),
                full_box(
                    b"trun", 1, flags, struct.pack(">Ii", len(samples), data_offset), bytes(table)
                ),
            ),
        )

    return moof(len(moof(0)) + 8) + box(b"mdat", *(sample.data for sample in samples))


class Demuxer:
    """Reads a fragmented track piece by piece: its initialisation section and its samples."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head = b""
        self._moof: bytes | None = None
        self._defaults = _Defaults(0, 0, 0)
        self.init: bytes | None = None
        """The initialisation section, cleaned; None until it has been read."""

    def __repr__(self) -> str:
        place = "before" if self.init is None else "after"
        return f"<Demuxer {place} its initialisation section, {len(self._buffer)} bytes unread>"

    def feed(self, data: bytes) -> list[Sample]:
        """The samples that ``data`` completes.

        Raises:
            MediaError: the data are not a fragmented track.
        """
        self._buffer += data
        samples: list[Sample] = []
        while (head := read_header(self._buffer)) is not None and head[2] <= len(self._buffer):
            kind, _, size = head
            with memoryview(self._buffer) as view:
                whole = bytes(view[:size])
            del self._buffer[:size]
            samples.extend(self._take(kind, whole))
        return samples

    def _take(self, kind: bytes, whole: bytes) -> list[Sample]:
        if kind == b"ftyp":
            self._head = whole
        elif kind == b"moov":
            self.init = clean_init(self._head + whole)
            self._defaults = _track_defaults(whole)
        elif kind == b"moof":
            self._moof = whole
        elif kind == b"mdat" and self._moof is not None:
            moof, self._moof = self._moof, None
            return read_fragment(moof, whole, self._defaults)
        return []

    def close(self) -> None:
        """Check that the track is complete; nothing more will be fed.

        Raises:
            MediaError: it ended inside a box or before ``moov``.
        """
        if self.init is None:
            raise MediaError("the encoder wrote no initialisation section; expected moov")
        if self._buffer or self._moof is not None:
            raise MediaError("the encoder's output ends inside a fragment; expected a whole one")


@dataclass(slots=True)
class VideoCutter:
    """Cuts groups of pictures into segments of a given number of frames.

    A last segment shorter than a tenth of the others is joined to the one before it.
    """

    segment_frames: int
    _gop: list[Sample] = field(default_factory=list)
    _gops: list[list[Sample]] = field(default_factory=list)
    _held: list[list[Sample]] | None = None
    _time: int = 0
    _sequence: int = 1

    def __repr__(self) -> str:
        waiting = sum(map(len, [self._gop, *self._gops, *(self._held or ())]))
        return f"<VideoCutter at {self._time} units, {waiting} frames waiting>"

    def feed(self, samples: Sequence[Sample]) -> list[Cut]:
        """The segments that ``samples`` complete."""
        cuts: list[Cut] = []
        for sample in samples:
            if sample.sync and self._gop:
                cuts.extend(self._end_gop())
            self._gop.append(sample)
        return cuts

    def close(self) -> list[Cut]:
        """The remaining segments."""
        cuts = self._end_gop() if self._gop else []
        rest = sum(map(len, self._gops))
        if self._held is not None and 0 < rest < self.segment_frames / 10:
            self._held.extend(self._gops)
            self._gops = []
        for gops in (self._held, self._gops):
            if gops:
                cuts.append(self._cut(gops))
        self._held, self._gops = None, []
        return cuts

    def _end_gop(self) -> list[Cut]:
        cuts: list[Cut] = []
        self._gops.append(self._gop)
        self._gop = []
        if sum(map(len, self._gops)) >= self.segment_frames:
            if self._held is not None:
                cuts.append(self._cut(self._held))
            self._held, self._gops = self._gops, []
        return cuts

    def _cut(self, gops: Sequence[Sequence[Sample]]) -> Cut:
        pieces, began = [STYP], self._time
        for gop in gops:
            for run in filter(None, (gop[:1], gop[1:])):
                pieces.append(write_fragment(run, sequence=self._sequence, decode_time=self._time))
                self._sequence += 1
                self._time += sum(sample.duration for sample in run)
        frames = sum(map(len, gops))
        return Cut(b"".join(pieces), self._time - began, frames, gops[0][0].data)


@dataclass(slots=True)
class AudioCutter:
    """Cuts audio frames into segments that end where those of the video do.

    Frames wait until the video has been cut that far.
    """

    timescale: int
    priming_frames: int = 1
    _waiting: list[Sample] = field(default_factory=list)
    _time: int = 0
    _sequence: int = 1
    _dropped: int = 0

    def __repr__(self) -> str:
        return f"<AudioCutter at {self._time} units, {len(self._waiting)} frames waiting>"

    def feed(self, samples: Sequence[Sample]) -> None:
        """Add frames, without the encoder's priming frames."""
        skip = min(self.priming_frames - self._dropped, len(samples))
        self._dropped += skip
        self._waiting.extend(samples[skip:])

    def cut_to(self, end_s: float) -> Cut | None:
        """The segment that ends at the frame boundary nearest to ``end_s``.

        None while frames for it are missing.
        """
        end, time = end_s * self.timescale, self._time
        for count, sample in enumerate(self._waiting):
            if time + sample.duration / 2 > end:
                return self._cut(count) if count else None
            time += sample.duration
        return None

    def rest(self, end_s: float) -> Cut | None:
        """The last segment: frames up to ``end_s``, or as many as there are."""
        return self.cut_to(end_s) or (self._cut(len(self._waiting)) if self._waiting else None)

    def _cut(self, count: int) -> Cut:
        samples, self._waiting = self._waiting[:count], self._waiting[count:]
        data = write_fragment(samples, sequence=self._sequence, decode_time=self._time)
        duration = sum(sample.duration for sample in samples)
        self._sequence += 1
        self._time += duration
        return Cut(STYP + data, duration, len(samples), samples[0].data)
