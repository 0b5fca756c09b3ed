"""Segments of MPEG-2 transport streams, from fragments of one track.

For players that know no fMP4. H.264 becomes a byte stream with its parameter sets before every
IDR picture, AAC gets ADTS headers, and each segment begins with its programme tables. The
counters of packets and the clock go on from one segment of a track to the next.

Media time 0 is time stamp ``ORIGIN`` in every track, for pictures and for sound.

Source: ISO/IEC 13818-1, 2.7.2 (clock references); ITU-T H.264, 7.4.1.2.3 and annex B;
RFC 8216bis, 3.1.1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from abr.errors import MediaError
from transcode.media.adts import FRAME_SAMPLES, SAMPLE_RATES, fields_of, write_header
from transcode.media.boxes import boxes, find
from transcode.media.codecs import audio_configuration, avc_configuration, is_video
from transcode.media.fragments import Sample, read_fragment, timescale_of
from transcode.media.packets import (
    ADTS_AAC,
    AUDIO_ID,
    CLOCK_HZ,
    H264,
    PAYLOAD_BYTES,
    PROGRAMS_PID,
    VIDEO_ID,
    write_clock,
    write_packet,
    write_program,
    write_programs,
    write_unit,
)

ORIGIN = 10 * CLOCK_HZ
"""Time stamp of media time 0: pictures are decoded before it where there are B-frames."""
_LEAD = 63_000  # 0.7 s from the arrival of a frame, by the clock, to its decoding
_MOST_CLOCK_GAP = CLOCK_HZ // 10  # 2.7.2: a clock reference at least every 0.1 s
_TABLE_PID = 0x1000
MEDIA_PID = 0x100
"""Packet id of the pictures or the sound."""
_START = b"\0\0\0\1"
_DELIMITER = _START + b"\x09\xf0"  # H.264, table 7-5: slices of any type may follow
_IDR, _SPS, _PPS, _AUD = 5, 7, 8, 9
_NO_DEFAULTS = (0, 0, 0)  # our fragments state size, duration and flags of every sample


class TransportMuxer:
    """Turns the segments of one track, in order, into those of a transport stream."""

    def __init__(self, init: bytes) -> None:
        """Raises MediaError: it describes no H.264, and no AAC that ADTS can say."""
        self._timescale = timescale_of(init)
        self._is_video = is_video(init)
        self._counters = dict.fromkeys((PROGRAMS_PID, _TABLE_PID, MEDIA_PID), 0)
        self._clock: int | None = None
        self._shift: int | None = None
        if self._is_video:
            self._length_bytes, self._sets = _parameter_sets(avc_configuration(init))
        else:
            self._adts = fields_of(audio_configuration(init))
            rate = SAMPLE_RATES[self._adts.rate]
            self._frames_at_once = min(7, max(1, rate // 10 // FRAME_SAMPLES))
        stream_type = H264 if self._is_video else ADTS_AAC
        self._tables = {
            PROGRAMS_PID: write_programs(_TABLE_PID),
            _TABLE_PID: write_program(stream_type, MEDIA_PID),
        }

    def __repr__(self) -> str:
        return f"<TransportMuxer of {'pictures' if self._is_video else 'sound'}>"

    def segment(self, fragments: bytes) -> bytes:
        """One segment of our own fMP4, as a segment of a transport stream.

        Raises:
            MediaError: it is no such segment, or holds what a transport stream cannot.
        """
        packets = [self._packet(pid, table, begins=True) for pid, table in self._tables.items()]
        if self._is_video:
            for time, sample in _timed(fragments):
                packets.extend(self._picture(time, sample))
        else:
            timed = list(_timed(fragments))
            for at in range(0, len(timed), self._frames_at_once):
                packets.extend(self._sound(timed[at : at + self._frames_at_once]))
        return b"".join(packets)

    def _stamp(self, time: int) -> int:
        """The stamp of a media time, to the nearest tick."""
        return ORIGIN + (2 * time * CLOCK_HZ + self._timescale) // (2 * self._timescale)

    def _picture(self, time: int, sample: Sample) -> Iterator[bytes]:
        if self._shift is None:
            self._shift = sample.cts  # the first picture is shown at media time 0
        decoded, shown = (
            self._stamp(time - self._shift),
            self._stamp(time + sample.cts - self._shift),
        )
        unit = write_unit(VIDEO_ID, self._byte_stream(sample), shown=shown, decoded=decoded)
        yield from self._unit(unit, decoded, sample.sync)

    def _byte_stream(self, sample: Sample) -> bytes:
        """H.264, 7.4.1.2.3: a delimiter, the parameter sets, then what is in the sample."""
        pieces = [_DELIMITER, *((_START + each for each in self._sets) if sample.sync else ())]
        for unit in _units(sample.data, self._length_bytes):
            if unit[0] & 0x1F != _AUD and not (
                unit[0] & 0x1F in (_SPS, _PPS) and unit in self._sets
            ):
                pieces += (_START, unit)
        return b"".join(pieces)

    def _sound(self, timed: Sequence[tuple[int, Sample]]) -> Iterator[bytes]:
        stamp = self._stamp(timed[0][0])
        frames = (write_header(self._adts, each.data) + each.data for _, each in timed)
        unit = write_unit(AUDIO_ID, b"".join(frames), shown=stamp, decoded=stamp)
        yield from self._unit(unit, stamp, True)

    def _unit(self, unit: bytes, decoded: int, is_random: bool) -> Iterator[bytes]:
        """The packets of one PES packet; the first one has the clock."""
        now = decoded - _LEAD
        while self._clock is not None and now - self._clock > _MOST_CLOCK_GAP:
            self._clock += _MOST_CLOCK_GAP
            yield self._packet(MEDIA_PID, b"", field=b"\x10" + write_clock(self._clock))
        self._clock = now
        # 2.4.3.4: PCR_flag and, where decoding can begin, random_access_indicator.
        field = bytes((0x50 if is_random else 0x10,)) + write_clock(now)
        at = PAYLOAD_BYTES - 1 - len(field)
        yield self._packet(MEDIA_PID, unit[:at], begins=True, field=field)
        for start in range(at, len(unit), PAYLOAD_BYTES):
            yield self._packet(MEDIA_PID, unit[start : start + PAYLOAD_BYTES])

    def _packet(
        self, pid: int, payload: bytes, *, begins: bool = False, field: bytes = b""
    ) -> bytes:
        """The next packet of ``pid``."""
        # 2.4.3.3: the counter grows with packets that have a payload only.
        counter = self._counters[pid] if payload else (self._counters[pid] - 1) & 15
        if payload:
            self._counters[pid] = (counter + 1) & 15
        return write_packet(pid, payload, counter=counter, begins=begins, field=field)


def _timed(segment: bytes) -> Iterator[tuple[int, Sample]]:
    """Samples of a segment with their decoding times, in units of the track's timescale."""
    moof = b""
    for each in boxes(segment):
        whole = segment[each.start : each.end]
        if each.kind == b"moof":
            moof = whole
        elif each.kind == b"mdat" and moof:
            tfdt = find(moof, b"moof", b"traf", b"tfdt")
            time = int.from_bytes(moof[tfdt.body + 4 : tfdt.end], "big")
            for sample in read_fragment(moof, whole, _NO_DEFAULTS):
                yield time, sample
                time += sample.duration


def _parameter_sets(avcc: bytes) -> tuple[int, tuple[bytes, ...]]:
    """ISO/IEC 14496-15, 5.3.3.1: bytes of lengths; sequence, then picture parameter sets."""
    found: list[bytes] = []
    at = 5
    try:
        for mask in (0x1F, 0xFF):
            count, at = avcc[at] & mask, at + 1
            for _ in range(count):
                (size,) = struct.unpack_from(">H", avcc, at)
                found.append(avcc[at + 2 : at + 2 + size])
                at += 2 + size
    except (IndexError, struct.error) as exc:
        raise MediaError("mp4: avcC is cut off; expected parameter sets") from exc
    if at > len(avcc) or not all(found):
        raise MediaError("mp4: avcC is cut off; expected parameter sets")
    return (avcc[4] & 3) + 1, tuple(found)


def _units(sample: bytes, length_bytes: int) -> Iterator[bytes]:
    at = 0
    while at < len(sample):
        size = int.from_bytes(sample[at : at + length_bytes], "big")
        at += length_bytes
        if at + size > len(sample):
            raise MediaError("h264: a unit is longer than its sample; expected it inside")
        if size:
            yield sample[at : at + size]
        at += size
