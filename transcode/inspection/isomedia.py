"""Initialisation sections of anyone's fragmented MP4, as facts.

Several tracks, encrypted sample entries: what other packagers write. Sizes are checked before
they are used; whatever is wrong becomes a ``MediaError``.

Source: ISO/IEC 14496-12:2022, 8.8 (defaults of fragments), 8.6.6 (edit lists); ISO/IEC 23001-7
(encryption); ISO/IEC 14496-15 (avcC, hvcC); RFC 6381 and the codecs' own registrations for names.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from abr.errors import MediaError
from transcode.inspection.bits import Sps, read_sps
from transcode.inspection.facts import InitFacts, TrackFacts
from transcode.media.boxes import Box, boxes, find
from transcode.media.codecs import aac_configuration, codec_name
from transcode.media.hevcslices import hevc_colours, sei_in
from transcode.media.obus import sequence_header

_KINDS = {b"vide": "video", b"soun": "audio", b"text": "text", b"subt": "text", b"sbtl": "text"}
_VISUAL_BYTES, _AUDIO_BYTES = 78, 28
_ENCRYPTED = frozenset([b"encv", b"enca"])


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
