"""Segments of MPEG-2 transport streams, from fragments of one track.

For players that know no fMP4. H.264 becomes a byte stream with its parameter sets before every
IDR picture, AAC gets ADTS headers, and each segment begins with its programme tables. The
counters of packets and the clock go on from one segment of a track to the next.

Media time 0 is time stamp ``ORIGIN`` in every track, for pictures and for sound.

Source: ISO/IEC 13818-1, 2.4.3 (packets, adaptation fields, PES) and 2.4.4 (tables); ITU-T H.264,
7.4.1.2.3 and annex B; ISO/IEC 14496-3, 1.A.3.2 (ADTS); RFC 8216bis, 3.1.1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from abr.errors import MediaError
from transcode.media.boxes import boxes, find
from transcode.media.codecs import audio_configuration, avc_configuration, is_video
from transcode.media.fragments import Sample, read_fragment, timescale_of

CLOCK_HZ = 90_000
ORIGIN = 10 * CLOCK_HZ
"""Time stamp of media time 0: pictures are decoded before it where there are B-frames."""
_LEAD = 63_000  # 0.7 s from the arrival of a frame, by the clock, to its decoding
_MOST_CLOCK_GAP = CLOCK_HZ // 10  # 2.7.2: a clock reference at least every 0.1 s
_TABLE_PID, _MEDIA_PID = 0x1000, 0x100
_H264, _ADTS_AAC = 0x1B, 0x0F  # table 2-34: stream_type
_VIDEO_ID, _AUDIO_ID = 0xE0, 0xC0  # table 2-22: stream_id
_PAYLOAD_BYTES = 184
_START = b"\0\0\0\1"
_DELIMITER = _START + b"\x09\xf0"  # H.264, table 7-5: slices of any type may follow
_IDR, _SPS, _PPS, _AUD = 5, 7, 8, 9
_MOST_ADTS_BYTES = 0x1FFF  # frame_length has 13 bits
_NO_DEFAULTS = (0, 0, 0)  # our fragments state size, duration and flags of every sample


class TransportMuxer:
    """Turns the segments of one track, in order, into those of a transport stream."""

    def __init__(self, init: bytes) -> None:
        """Raises MediaError: it describes no H.264, and no AAC that ADTS can say."""
        self._timescale = timescale_of(init)
        self._is_video = is_video(init)
        self._counters = {0: 0, _TABLE_PID: 0, _MEDIA_PID: 0}
        self._clock: int | None = None
        self._shift: int | None = None
        if self._is_video:
            self._length_bytes, self._sets = _parameter_sets(avc_configuration(init))
        else:
            self._adts = _adts_fields(audio_configuration(init))
            rate = _SAMPLE_RATES[self._adts[1]]
            self._frames_at_once = min(7, max(1, rate // 10 // 1024))
        self._tables = (_programs(), _program(_H264 if self._is_video else _ADTS_AAC))

    def __repr__(self) -> str:
        return f"<TransportMuxer of {'pictures' if self._is_video else 'sound'}>"

    def segment(self, fragments: bytes) -> bytes:
        """One segment of our own fMP4, as a segment of a transport stream.

        Raises:
            MediaError: it is no such segment, or holds what a transport stream cannot.
        """
        packets = [
            self._packet(pid, table, begins=True)
            for pid, table in zip((0, _TABLE_PID), self._tables, strict=True)
        ]
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
        stamps = _stamp_bytes(3, shown) + _stamp_bytes(1, decoded)
        if decoded == shown:
            stamps = _stamp_bytes(2, shown)
        # 2.4.3.7: a length of 0 is allowed for video; data_alignment_indicator is set.
        head = struct.pack(
            ">4sHBBB",
            bytes((0, 0, 1, _VIDEO_ID)),
            0,
            0x84,
            64 * (len(stamps) // 5 + 1),
            len(stamps),
        )
        yield from self._unit(head + stamps + self._byte_stream(sample), decoded, sample.sync)

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
        payload = b"".join(
            part for _, sample in timed for part in (self._adts_header(sample.data), sample.data)
        )
        head = struct.pack(">4sHBBB", bytes((0, 0, 1, _AUDIO_ID)), len(payload) + 8, 0x84, 0x80, 5)
        yield from self._unit(head + _stamp_bytes(2, stamp) + payload, stamp, True)

    def _adts_header(self, frame: bytes) -> bytes:
        """ISO/IEC 14496-3, 1.A.3.2: seven bytes, without a checksum."""
        profile, rate, channels = self._adts
        size = len(frame) + 7
        if size > _MOST_ADTS_BYTES:
            raise MediaError(
                f"aac: a frame of {len(frame):,} bytes; expected at most "
                f"{_MOST_ADTS_BYTES - 7:,} in a transport stream"
            )
        fields = 0xFFF1 << 40 | profile << 38 | rate << 34 | channels << 30
        return (fields | size << 13 | 0x7FF << 2).to_bytes(7, "big")

    def _unit(self, unit: bytes, decoded: int, is_random: bool) -> Iterator[bytes]:
        """The packets of one PES packet; the first one has the clock."""
        now = decoded - _LEAD
        while self._clock is not None and now - self._clock > _MOST_CLOCK_GAP:
            self._clock += _MOST_CLOCK_GAP
            yield self._packet(_MEDIA_PID, b"", field=b"\x10" + _clock_bytes(self._clock))
        self._clock = now
        # 2.4.3.4: PCR_flag and, where decoding can begin, random_access_indicator.
        field = bytes((0x50 if is_random else 0x10,)) + _clock_bytes(now)
        at = _PAYLOAD_BYTES - 1 - len(field)
        yield self._packet(_MEDIA_PID, unit[:at], begins=True, field=field)
        for start in range(at, len(unit), _PAYLOAD_BYTES):
            yield self._packet(_MEDIA_PID, unit[start : start + _PAYLOAD_BYTES])

    def _packet(
        self, pid: int, payload: bytes, *, begins: bool = False, field: bytes = b""
    ) -> bytes:
        """One packet of 188 bytes, filled up in its adaptation field (2.4.3.5)."""
        spare = _PAYLOAD_BYTES - len(payload)
        adaptation = b""
        if spare:
            field = (field or b"\0"[: spare - 1]).ljust(spare - 1, b"\xff")
            adaptation = bytes((spare - 1,)) + field
        control = (0x20 if spare else 0) | (0x10 if payload else 0)
        # 2.4.3.3: the counter grows with packets that have a payload only.
        counter = self._counters[pid] if payload else (self._counters[pid] - 1) & 15
        if payload:
            self._counters[pid] = (counter + 1) & 15
        head = struct.pack(">BHB", 0x47, (0x4000 if begins else 0) | pid, control | counter)
        return head + adaptation + payload


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


# ISO/IEC 14496-3, table 1.18: samplingFrequencyIndex.
_SAMPLE_RATES = (
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
)  # fmt: skip


def _adts_fields(configuration: bytes) -> tuple[int, int, int]:
    """Profile, index of the sample rate and channels, as ADTS has them.

    ADTS has two bits for the object type, four for the rate and three for the channels.
    """
    if len(configuration) < 2:
        raise MediaError("mp4: AudioSpecificConfig is cut off; expected two bytes or more")
    kind = configuration[0] >> 3
    rate = (configuration[0] & 7) << 1 | configuration[1] >> 7
    channels = configuration[1] >> 3 & 15
    if not (1 <= kind <= 4 and rate < len(_SAMPLE_RATES) and 1 <= channels <= 7):
        raise MediaError(
            f"aac: object type {kind}, sample rate {rate} and channels {channels} of their tables; "
            "expected what ADTS can say: types 1 to 4, a rate of the table, 1 to 7 channels"
        )
    return kind - 1, rate, channels


def _stamp_bytes(prefix: int, stamp: int) -> bytes:
    """2.4.3.7: 33 bits, with marker bits between them."""
    stamp &= (1 << 33) - 1
    return struct.pack(
        ">BHH",
        prefix << 4 | stamp >> 29 & 0xE | 1,
        stamp >> 14 & 0xFFFE | 1,
        stamp << 1 & 0xFFFE | 1,
    )


def _clock_bytes(clock: int) -> bytes:
    """2.4.3.5: 33 bits of 90 kHz, six reserved ones, and nine of 27 MHz that are 0."""
    return ((clock & (1 << 33) - 1) << 15 | 0x7E00).to_bytes(6, "big")


def _programs() -> bytes:
    """The programme association table: one programme."""
    return _section(0x00, struct.pack(">HH", 1, 0xE000 | _TABLE_PID))


def _program(stream_type: int) -> bytes:
    """The programme map table: one elementary stream, which has the clock."""
    pid = 0xE000 | _MEDIA_PID
    return _section(0x02, struct.pack(">HHBHH", pid, 0xF000, stream_type, pid, 0xF000))


def _section(table: int, body: bytes) -> bytes:
    """2.4.4.3 and 2.4.4.8: one section of a table, number 1 and version 0, in a whole packet."""
    section = struct.pack(">BHHBBB", table, 0xB000 | len(body) + 9, 1, 0xC1, 0, 0) + body
    whole = b"\0" + section + _checksum(section).to_bytes(4, "big")
    return whole.ljust(_PAYLOAD_BYTES, b"\xff")


def _checksum(data: bytes) -> int:
    """Annex A: CRC-32 as transport streams have it, not reflected."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
    return value
