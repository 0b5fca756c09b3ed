"""Transport streams as written, read back by the reader that judges other people's."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from abr.errors import MediaError
from transcode.inspection.transport import read_transport
from transcode.media.boxes import box, full_box
from transcode.media.fragments import Sample, write_fragment
from transcode.media.packets import CLOCK_HZ
from transcode.media.transport import ORIGIN, TransportMuxer

SPS = bytes.fromhex("6764000dacd941419f9f011000000300100000030300f1429960")
"""High profile, level 1.3, 320x180."""
PPS = bytes.fromhex("68ebecb22c")
SETS = b"".join(
    count + struct.pack(">H", len(x)) + x for count, x in ((b"\xe1", SPS), (b"\1", PPS))
)
AVC = box(b"avc1", bytes(78), box(b"avcC", b"\1" + SPS[1:4] + b"\xff" + SETS))
DELIMITER = b"\x09\xf0"


def init_of(entry: bytes, timescale: int) -> bytes:
    """The boxes around a sample entry."""
    stsd = full_box(b"stsd", 0, 0, b"\0\0\0\1", entry)
    mdhd = full_box(b"mdhd", 0, 0, struct.pack(">IIIII", 0, 0, timescale, 0, 0))
    return box(b"moov", box(b"trak", box(b"mdia", mdhd, box(b"minf", box(b"stbl", stsd)))))


def aac(specific: str) -> bytes:
    """A track of AAC by its AudioSpecificConfig, in 44,100 units a second."""
    config = bytes.fromhex(specific)
    decoder = bytes((4, 15 + len(config), 0x40)) + bytes(12) + bytes((5, len(config))) + config
    esds = full_box(b"esds", 0, 0, bytes((3, 3 + len(decoder), 0, 0, 0)) + decoder)
    return init_of(box(b"mp4a", bytes(28), esds), 44_100)


def units(*each: bytes) -> bytes:
    """A sample of NAL units behind their lengths."""
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in each)


def avc_units(sample: bytes) -> list[bytes]:
    """The NAL units of a sample."""
    found = []
    while sample:
        end = 4 + int.from_bytes(sample[:4], "big")
        found.append(sample[4:end])
        sample = sample[end:]
    return found


def picture(number: int, size: int) -> Sample:
    """The encoder's own delimiter, then a slice without zeros; each fifth one is an IDR."""
    is_key = number % 5 == 0
    body = bytes((0x65 if is_key else 0x41, 0x80 | number)) + b"\x5a" * size
    cts = (2, 5, 2, 0, 1)[number % 5]
    return Sample(1, is_key, cts, units(b"\x09\x10", *((SPS, PPS) if is_key else ()), body))


def segments(muxer: TransportMuxer, samples: Sequence[Sample], count: int) -> list[bytes]:
    """``samples`` in segments of ``count``."""
    found, time = [], 0
    for at in range(0, len(samples), count):
        part = samples[at : at + count]
        found.append(muxer.segment(write_fragment(part, sequence=1, decode_time=time)))
        time += sum(sample.duration for sample in part)
    return found


def payloads(data: bytes) -> list[bytes]:
    """What stands behind the headers of each PES packet of the media."""
    found: list[bytearray] = []
    for at in range(0, len(data), 188):
        packet = data[at : at + 188]
        if packet[1] << 8 & 0x1F00 | packet[2] != 0x100 or not packet[3] & 0x10:
            continue
        body = packet[4 + (1 + packet[4] if packet[3] & 0x20 else 0) :]
        if packet[1] & 0x40:
            found.append(bytearray(body[9 + body[8] :]))
        else:
            found[-1] += body
    return list(map(bytes, found))


@pytest.mark.parametrize("size", [1, 90, 91, 92, *range(130, 150), 184, 368, 70_000])
def test_pictures_are_read_back_as_they_were_given(size: int) -> None:
    """Whatever remains for the last packet, in two segments whose counters go on."""
    given = [picture(number, size + number) for number in range(10)]
    written = segments(TransportMuxer(init_of(AVC, 25)), given, 5)
    for data, first in zip(written, (0, 5), strict=True):
        (track,), (stretch,), fault = read_transport(data)
        assert (track.codec, track.width, track.height) == ("avc1.64000d", 320, 180)
        assert (stretch.frames, stretch.starts_with_idr, fault) == (5, True, "")
        begin_s = ORIGIN / CLOCK_HZ + first / 25
        assert stretch.first_shown_s == pytest.approx(begin_s, abs=1e-9)
        assert stretch.start_s == pytest.approx(begin_s - 2 / 25, abs=1e-9)
        assert stretch.end_s == pytest.approx(begin_s + 3 / 25, abs=1e-9)
    _, (both,), fault = read_transport(b"".join(written))
    assert (both.frames, fault) == (10, "")
    for found, sample in zip(payloads(b"".join(written)), given, strict=True):
        own = [DELIMITER, *((SPS, PPS) if sample.sync else ())]
        *_, body = avc_units(sample.data)
        assert found.split(b"\0\0\0\1")[1:] == [*own, body]


def test_sound_is_read_back_with_times_of_its_own_samples() -> None:
    """At 44.1 kHz a frame is no whole number of ticks; rounding does not add up."""
    given = [Sample(1024, True, 0, bytes((number,)) * (100 + number)) for number in range(200)]
    written = segments(TransportMuxer(aac("1210")), given, 86)
    shown = 0
    for data in written:
        (track,), (stretch,), fault = read_transport(data)
        assert (track.codec, track.channels, track.sample_rate) == ("mp4a.40.2", 2, 44_100)
        assert fault == ""
        assert stretch.start_s == pytest.approx(10 + shown * 1024 / 44_100, abs=0.6 / CLOCK_HZ)
        shown += stretch.frames
    assert shown == 200
    stream, frames = b"".join(payloads(b"".join(written))), []
    while stream:
        size = (stream[3] & 3) << 11 | stream[4] << 3 | stream[5] >> 5
        frames.append(stream[7:size])
        stream = stream[size:]
    assert frames == [sample.data for sample in given]


@pytest.mark.parametrize("rate", [1, 25])
def test_counters_of_every_packet_id_go_on_over_segments(rate: int) -> None:
    """By one with each packet that has a payload; the others, of the clock alone, repeat it."""
    given = [picture(number, 500) for number in range(20)]
    data = b"".join(segments(TransportMuxer(init_of(AVC, rate)), given, 5))
    last: dict[int, int] = {}
    bare = 0
    for at in range(0, len(data), 188):
        pid, control = (data[at + 1] & 0x1F) << 8 | data[at + 2], data[at + 3]
        if pid in last:
            assert control & 15 == (last[pid] + (control >> 4 & 1)) & 15
        last[pid] = control & 15
        bare += not control & 0x10
    assert set(last) == {0, 0x1000, 0x100}
    assert (last[0], last[0x1000]) == (3, 3)
    assert (bare > 0) == (rate == 1)


def clocks(data: bytes) -> list[int]:
    """Every clock reference, in ticks."""
    packets = [data[at : at + 188] for at in range(0, len(data), 188)]
    return [
        int.from_bytes(packet[6:12], "big") >> 15
        for packet in packets
        if packet[3] & 0x20 and packet[4] and packet[5] & 0x10
    ]


@pytest.mark.parametrize("rate", [1, 25])
def test_the_clock_comes_ten_times_a_second_and_before_what_it_times(rate: int) -> None:
    given = [picture(number, 300) for number in range(10)]
    data = b"".join(segments(TransportMuxer(init_of(AVC, rate)), given, 5))
    found = clocks(data)
    assert max(b - a for a, b in pairwise(found)) <= CLOCK_HZ // 10
    assert found[0] < ORIGIN - 2 * CLOCK_HZ // rate
    _, (stretch,), fault = read_transport(data)
    assert (stretch.frames, fault) == (10, "")


def test_times_go_on_where_33_bits_end() -> None:
    """After 26.5 hours; a reader sees the next stamp near the one before."""
    muxer = TransportMuxer(init_of(AVC, 25))
    time = 25 * (1 << 33) // CLOCK_HZ - 25 * 10
    part = [picture(number, 9) for number in range(5)]
    _, (stretch,), _ = read_transport(
        muxer.segment(write_fragment(part, sequence=2, decode_time=time))
    )
    assert stretch.end_s - stretch.start_s == pytest.approx(5 / 25)
    assert stretch.shown_end_s - stretch.first_shown_s == pytest.approx(5 / 25)
    assert stretch.start_s == pytest.approx((1 << 33) / CLOCK_HZ, abs=0.2)


def test_a_track_is_described_by_tables_with_right_checksums() -> None:
    """ISO/IEC 13818-1, annex A: the remainder over a whole section is 0."""
    data = TransportMuxer(aac("1210")).segment(b"")
    for at in (0, 188):
        section = data[at + 5 :][: 3 + (data[at + 6] & 15) * 256 + data[at + 7]]
        value = 0xFFFFFFFF
        for bit in (byte >> place & 1 for byte in section for place in range(7, -1, -1)):
            value = (value << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if value >> 31 ^ bit else 0)
        assert value == 0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: TransportMuxer(init_of(box(b"hvc1", bytes(78)), 25)), "expected avc1"),
        (lambda: TransportMuxer(init_of(box(b"Opus", bytes(28)), 48_000)), "expected mp4a"),
        (lambda: TransportMuxer(aac("2b118800")), "what ADTS can say"),
        (lambda: TransportMuxer(aac("1200")), "what ADTS can say"),
        (lambda: TransportMuxer(aac("12")), "cut off"),
        (lambda: TransportMuxer(init_of(AVC[:-4], 25)), "does not fit|cut off"),
        (
            lambda: TransportMuxer(aac("1210")).segment(
                write_fragment([Sample(1024, True, 0, bytes(8185))], sequence=1, decode_time=0)
            ),
            "at most 8,184",
        ),
        (
            lambda: TransportMuxer(init_of(AVC, 25)).segment(
                write_fragment([Sample(1, True, 0, b"\0\0\0\5e")], sequence=1, decode_time=0)
            ),
            "longer than its sample",
        ),
    ],
)  # fmt: skip
def test_what_a_transport_stream_cannot_hold_is_refused(make: Any, words: str) -> None:
    with pytest.raises(MediaError, match=words):
        make()
