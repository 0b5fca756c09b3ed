"""Segments of MPEG-2 transport streams and of packed AAC, as facts.

Enough to time what is inside: time stamps of elementary streams, parameter sets and the kinds of
pictures. The syntax of packets and tables is in ``media.packets``.

Source: ITU-T H.264, annex B; RFC 8216bis, 3.1.1 and 3.1.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from abr.errors import MediaError
from transcode.inspection.bits import Sps, annex_b, read_sps
from transcode.inspection.facts import Stretch, TrackFacts
from transcode.inspection.frames import read_frames
from transcode.media.adts import SoundFrames, read_adts
from transcode.media.packets import (
    AUDIO_TYPES,
    CLOCK_HZ,
    PROGRAMS_PID,
    VIDEO_TYPES,
    follows,
    read_packets,
    read_program,
    read_programs,
    read_unit,
)

_MOST_STREAMS = 32
_ID3_OWNER = b"com.apple.streaming.transportStreamTimestamp\0"


@dataclass(slots=True)
class _Stream:
    """Packets of one elementary stream."""

    pid: int
    kind: str
    entry: str
    starts: list[tuple[int, int]] = field(default_factory=list)
    """Presentation and decoding time stamp of each unit, in order."""
    keys: list[int] = field(default_factory=list)
    first_is_idr: bool | None = None
    frames: int = 0
    sps: Sps | None = None
    payload: bytearray = field(default_factory=bytearray)
    unit: bytearray | None = None
    unit_pts: int = 0


def read_transport(data: bytes) -> tuple[tuple[TrackFacts, ...], tuple[Stretch, ...], str]:
    """Tracks, stretches, and what is wrong with the continuity counters.

    Raises:
        MediaError: it is cut off or no transport stream.
    """
    streams: dict[int, _Stream] = {}
    tables: set[int] = {PROGRAMS_PID}
    counters: dict[int, int] = {}
    fault = ""
    for pid, begins, counter, payload in read_packets(data):
        last = counters.get(pid)
        if last is not None and not follows(counter, last) and not fault:
            fault = f"packet id {pid}: counter {counter} after {last}"
        counters[pid] = counter
        if pid in streams:
            _collect(streams[pid], begins, payload)
        elif begins and pid == PROGRAMS_PID:
            tables.update(read_programs(payload))
        elif begins and pid in tables:
            _add_streams(payload, streams)
    for stream in streams.values():
        _end_unit(stream)
    if not any(stream.starts for stream in streams.values()):
        raise MediaError("a transport stream without video or audio; expected some")
    found = [(each, _track(each)) for each in streams.values() if each.starts]
    stretches = tuple(_stretch(stream, track) for stream, track in found)
    return tuple(track for _, track in found), stretches, fault


def _add_streams(table: bytes, streams: dict[int, _Stream]) -> None:
    for pid, kind in read_program(table):
        if pid in streams or len(streams) >= _MOST_STREAMS:
            continue
        if kind in VIDEO_TYPES:
            streams[pid] = _Stream(pid, "video", VIDEO_TYPES[kind])
        elif kind in AUDIO_TYPES:
            streams[pid] = _Stream(pid, "audio", AUDIO_TYPES[kind])


def _collect(stream: _Stream, begins: bool, payload: bytes) -> None:
    if not begins:
        if stream.unit is not None:
            stream.unit += payload
        return
    _end_unit(stream)
    unit = read_unit(payload)
    if unit is None:
        stream.unit = None
        return
    stream.starts.append((unit.shown, unit.decoded))
    stream.unit, stream.unit_pts = bytearray(unit.body), unit.shown


def _end_unit(stream: _Stream) -> None:
    if stream.unit is None:
        return
    unit, stream.unit = bytes(stream.unit), None
    if stream.kind == "audio":
        stream.payload += unit
        return
    pictures, idr = 0, False
    first_slice: bool | None = None
    for nal in annex_b(unit):
        if not nal:
            continue
        if stream.entry == "hvc1":
            kind = nal[0] >> 1 & 63
            pictures += kind == 35
            is_slice, is_idr = kind < 32, kind in (19, 20)
        else:
            kind = nal[0] & 31
            pictures += kind == 9
            is_slice, is_idr = kind in (1, 2, 5), kind == 5
            if kind == 7 and stream.sps is None:
                stream.sps = read_sps(nal)
        if is_slice and first_slice is None:
            first_slice = idr = is_idr
    if idr:
        stream.keys.append(stream.unit_pts)
    if stream.first_is_idr is None:
        stream.first_is_idr = bool(first_slice)
    stream.frames += max(1, pictures)


def _track(stream: _Stream) -> TrackFacts:
    if stream.kind == "video":
        sps = stream.sps
        return TrackFacts(
            id=stream.pid,
            kind="video",
            codec=sps.codec if sps else stream.entry,
            entry=stream.entry,
            width=round(sps.width * sps.sample_aspect) if sps else 0,
            height=sps.height if sps else 0,
            sps=sps,
            is_progressive=sps.is_progressive if sps else True,
            primaries=sps.primaries if sps else None,
            transfer=sps.transfer if sps else None,
            matrix=sps.matrix if sps else None,
        )
    sound = _sound(stream)
    return TrackFacts(
        id=stream.pid,
        kind="audio",
        codec=sound.codec if sound else stream.entry,
        entry=stream.entry,
        channels=sound.channels if sound else 0,
        sample_rate=sound.sample_rate if sound else 0,
    )


def _sound(stream: _Stream) -> SoundFrames | None:
    payload = bytes(stream.payload)
    return read_adts(payload) if stream.entry == "mp4a" else read_frames(payload)


def _stretch(stream: _Stream, track: TrackFacts) -> Stretch:
    shown = _near([pts for pts, _ in stream.starts])
    decoded = _near([dts for _, dts in stream.starts])
    if stream.kind == "audio":
        sound = _sound(stream)
        frame_s = sound.frame_s if sound else 0.0
        frames = sound.frames if sound else len(shown)
        start_s = shown[0] / CLOCK_HZ
        end_s = start_s + sound.duration_s if sound else shown[-1] / CLOCK_HZ
        return Stretch(
            track=track.id,
            kind="audio",
            start_s=start_s,
            end_s=end_s,
            first_shown_s=start_s,
            shown_end_s=end_s,
            frames=frames,
            frame_s=frame_s,
        )
    # The commonest step between decoding times: the last frame has none of its own.
    steps = sorted(b - a for a, b in pairwise(decoded))
    step = steps[len(steps) // 2] if steps else 0
    return Stretch(
        track=track.id,
        kind="video",
        start_s=decoded[0] / CLOCK_HZ,
        end_s=(decoded[-1] + step) / CLOCK_HZ,
        first_shown_s=min(shown) / CLOCK_HZ,
        shown_end_s=(max(shown) + step) / CLOCK_HZ,
        frames=stream.frames,
        key_times_s=tuple(key / CLOCK_HZ for key in stream.keys),
        starts_with_idr=stream.first_is_idr,
        first_picture="an IDR picture" if stream.first_is_idr else "no IDR picture",
        frame_s=step / CLOCK_HZ,
    )


def _near(stamps: list[int]) -> list[int]:
    """Stamps without the wrap of their 33 bits, each near the first."""
    half, whole = 1 << 32, 1 << 33
    first = stamps[0]
    return [(stamp - first + half) % whole - half + first for stamp in stamps]


def without_tag(data: bytes) -> bytes:
    """Packed audio behind its ID3 tag; all of it where there is none."""
    if data[:3] != b"ID3" or len(data) < 10:
        return data
    return data[10 + (data[6] << 21 | data[7] << 14 | data[8] << 7 | data[9]) :]


def read_packed_audio(data: bytes) -> tuple[TrackFacts, Stretch]:
    """A segment of AAC, AC-3, E-AC-3 or MP3 frames behind an ID3 tag that tells its time.

    Raises:
        MediaError: no tag, no time, or no frames.
    """
    if data[:3] != b"ID3" or len(data) < 10:
        raise MediaError("packed audio without an ID3 tag; expected its time stamp in one")
    frames = without_tag(data)
    tag = data[: len(data) - len(frames)]
    at = tag.find(_ID3_OWNER)
    stamp = tag[at + len(_ID3_OWNER) :][:8]
    if at < 0 or len(stamp) < 8:
        raise MediaError("packed audio whose ID3 tag has no time stamp; expected one")
    sound = read_adts(frames) or read_frames(frames)
    if sound is None:
        raise MediaError(
            "packed audio of no known codec; expected frames of AAC (ADTS), AC-3, E-AC-3 or MP3"
        )
    if not sound.whole:
        raise MediaError("cut off: its last frame is not whole")
    start_s = int.from_bytes(stamp, "big") / CLOCK_HZ
    end_s = start_s + sound.duration_s
    track = TrackFacts(
        id=1,
        kind="audio",
        codec=sound.codec,
        entry=sound.codec.partition(".")[0],
        channels=sound.channels,
        sample_rate=sound.sample_rate,
    )
    stretch = Stretch(
        track=1,
        kind="audio",
        start_s=start_s,
        end_s=end_s,
        first_shown_s=start_s,
        shown_end_s=end_s,
        frames=sound.frames,
        frame_s=sound.frame_s,
    )
    return track, stretch
