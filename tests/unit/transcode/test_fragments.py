"""Cutting tracks anew: boxes, samples, boundaries; the same for any size of pieces."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import MediaError
from tests import mp4facts
from transcode.media.boxes import box, boxes, find, full_box, read_header, without
from transcode.media.codecs import KeyFrameTest, codec_of, key_frame_test
from transcode.media.fragments import (
    AudioCutter,
    Cut,
    Demuxer,
    Sample,
    VideoCutter,
    begin_at,
    read_fragment,
    timescale_of,
    without_delay,
    write_fragment,
)
from transcode.media.light import with_light

NO_DEFAULTS = (0, 0, 0)


def sample(number: int, *, sync: bool = False, cts: int = 0, duration: int = 10) -> Sample:
    return Sample(duration, sync, cts, b"%03d" % number * (number % 3 + 1))


def samples(frames: int, gop: int) -> list[Sample]:
    """Frames with a key frame every ``gop``."""
    return [sample(number, sync=number % gop == 0) for number in range(frames)]


def init_section(entry: bytes) -> bytes:
    """A track with one sample entry, 90000 units a second, and boxes we do not want."""
    stsd = full_box(b"stsd", 0, 0, struct.pack(">I", 1), entry)
    mdhd = full_box(b"mdhd", 0, 0, struct.pack(">IIIII", 0, 0, 90_000, 0, 0))
    stbl = box(b"stbl", stsd)
    edts = box(b"edts", b"something old")
    tkhd = full_box(b"tkhd", 0, 3, struct.pack(">III", 0, 0, 1), bytes(68))
    trak = box(b"trak", tkhd, edts, box(b"mdia", mdhd, box(b"minf", stbl)))
    trex = full_box(b"trex", 0, 0, struct.pack(">IIIII", 1, 1, 7, 3, 0))
    moov = box(b"moov", trak, box(b"mvex", trex), box(b"udta", b"whose video it is"))
    return box(b"ftyp", b"isom", bytes(4)) + moov


AVC = box(b"avc1", bytes(78), box(b"avcC", bytes([1, 0x64, 0x00, 0x1F, 0xFF, 0xE1])))
ESDS = full_box(
    b"esds", 0, 0,
    bytes.fromhex("0380808025000100048080801740150000000001f4000001f4000580808005119056e500068080800102"),
)  # fmt: skip
AAC = box(b"mp4a", bytes(28), ESDS)
DOPS = bytes.fromhex("00 02 0138 0000bb80 0000 00")  # version 0, 2 channels, 312 samples of delay
OPUS = box(b"Opus", bytes(28), box(b"dOps", DOPS))


def test_boxes_are_read_as_written() -> None:
    """A box in a box, with the sizes of both."""
    data = box(b"moov", box(b"free", b"abc"), box(b"trak"))
    assert [each.kind for each in boxes(data, 8)] == [b"free", b"trak"]
    assert data[find(data, b"moov", b"free").body :][:3] == b"abc"


def test_a_box_of_more_than_four_gigabytes_has_a_long_size() -> None:
    """Size 1 says that the size follows in 64 bits."""
    assert read_header(struct.pack(">I4sQ", 1, b"mdat", 5 << 30)) == (b"mdat", 16, 5 << 30)


@pytest.mark.parametrize("size", [0, 2, 7])
def test_a_box_smaller_than_its_header_is_refused(size: int) -> None:
    with pytest.raises(MediaError, match="expected at least"):
        read_header(struct.pack(">I4s", size, b"mdat"))


def test_a_box_that_leaves_its_parent_is_refused() -> None:
    with pytest.raises(MediaError, match="does not fit"):
        list(boxes(struct.pack(">I4s", 100, b"free")))


def test_unwanted_boxes_go_and_sizes_are_mended() -> None:
    data = box(b"moov", box(b"udta", b"x"), box(b"trak", box(b"edts", b"y"), box(b"mdia")))
    kept = without(data, frozenset({b"udta", b"edts"}))
    assert kept == box(b"moov", box(b"trak", box(b"mdia")))


@given(st.binary(max_size=200))
def test_garbage_raises_our_error_and_no_other(data: bytes) -> None:
    for read in (codec_of, timescale_of, lambda each: list(boxes(each))):
        try:
            read(data)
        except MediaError as exc:
            assert "\n" not in str(exc)
        except struct.error:
            pytest.fail("a foreign error came through")


def test_codecs_come_from_the_bytes() -> None:
    """``avc1`` with profile, constraints and level; ``mp4a`` with both object types."""
    assert codec_of(init_section(AVC)) == "avc1.64001f"
    assert key_frame_test(init_section(AVC)).length_bytes == 4
    assert codec_of(init_section(AAC)) == "mp4a.40.2"
    with pytest.raises(MediaError, match="hev1"):
        codec_of(init_section(box(b"hev1", bytes(78))))


@pytest.mark.parametrize(
    ("kinds", "expected"), [([9, 7, 8, 5], True), ([9, 6, 1], False), ([9], False)]
)
def test_the_first_slice_says_whether_a_picture_is_an_idr(
    kinds: Sequence[int], expected: bool
) -> None:
    """Delimiters, parameter sets and messages may come before it."""
    data = b"".join(struct.pack(">IB", 3, 0x60 | kind) + b"xx" for kind in kinds)
    assert KeyFrameTest(b"avc1", 4).passes(data) is expected


def test_a_fragment_is_read_as_written() -> None:
    """By our reader and by an independent one."""
    samples = [sample(0, sync=True, cts=20), sample(1, cts=-5), sample(2)]
    data = write_fragment(samples, sequence=3, decode_time=1 << 33)
    moof, mdat = boxes(data)
    assert read_fragment(data[: moof.end], data[mdat.start :], NO_DEFAULTS) == samples
    (run,) = mp4facts.runs(init_section(AVC), data)
    assert run.decode_time == 1 << 33
    assert [(each.data, each.duration) for each in run.samples] == [
        (each.data, each.duration) for each in samples
    ]


def test_a_sample_outside_its_fragment_is_refused() -> None:
    data = write_fragment([sample(2, sync=True)], sequence=1, decode_time=0)
    moof, mdat = boxes(data)
    with pytest.raises(MediaError, match="outside"):
        read_fragment(data[: moof.end], data[mdat.start : -1], NO_DEFAULTS)


def test_the_initialisation_section_loses_edits_and_metadata() -> None:
    """And says nothing of whose video it is."""
    demuxer = Demuxer()
    demuxer.feed(init_section(AVC))
    assert demuxer.init is not None
    assert b"whose" not in demuxer.init
    assert b"edts" not in demuxer.init
    assert timescale_of(demuxer.init) == 90_000


def test_an_edit_list_shows_the_first_picture_at_time_0() -> None:
    """It stands behind the track header; nothing is added where nothing is late."""
    demuxer = Demuxer()
    demuxer.feed(init_section(AVC))
    init = demuxer.init
    assert init is not None
    assert begin_at(init, 0) == init
    edited = begin_at(init, 7200)
    elst = find(edited, b"moov", b"trak", b"edts", b"elst")
    # version and flags, one entry: duration 0 (all), media time, rate 1
    assert edited[elst.body : elst.end].hex() == "00000000000000010000000000001c2000010000"
    assert codec_of(edited) == "avc1.64001f"


@given(st.lists(st.integers(1, 60), max_size=40))
def test_pieces_of_any_size_give_the_same_samples(cuts: list[int]) -> None:
    """Fed byte by byte, or at once."""
    frames = samples(12, 4)
    data = init_section(AVC)
    for at in range(0, 12, 4):
        data += write_fragment(frames[at : at + 4], sequence=at, decode_time=at * 10)
    demuxer, got, at = Demuxer(), [], 0
    for size in [*cuts, len(data)]:
        got += demuxer.feed(data[at : at + size])
        at += size
    demuxer.close()
    assert got == frames


def test_a_track_that_breaks_off_is_refused() -> None:
    data = init_section(AVC) + write_fragment(samples(2, 2), sequence=1, decode_time=0)
    demuxer = Demuxer()
    demuxer.feed(data[:-1])
    with pytest.raises(MediaError, match="inside a fragment"):
        demuxer.close()
    with pytest.raises(MediaError, match="no initialisation section"):
        Demuxer().close()


def cut_samples(frames: int, *, gop: int = 5, segment: int = 10) -> list[Cut]:
    cutter = VideoCutter(segment)
    return [*cutter.feed(samples(frames, gop)), *cutter.close()]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (30, [10, 10, 10]),
        (25, [10, 10, 5]),
        (22, [10, 10, 2]),
        (1, [1]),
        (10, [10]),
    ],
)
def test_video_is_cut_into_whole_segments(frames: int, expected: list[int]) -> None:
    cuts = cut_samples(frames)
    assert [cut.frames for cut in cuts] == expected
    assert [cut.duration for cut in cuts] == [10 * count for count in expected]


def test_a_sliver_at_the_end_joins_the_segment_before() -> None:
    """Under a tenth of a segment: 2 of 40 frames do, 4 do not."""
    assert [cut.frames for cut in cut_samples(82, gop=20, segment=40)] == [40, 42]
    assert [cut.frames for cut in cut_samples(84, gop=20, segment=40)] == [40, 40, 4]


def test_each_key_frame_is_a_fragment_of_its_own_and_time_goes_on() -> None:
    """tfdt counts on through segments; the rest of each group follows its key frame."""
    runs = [run for cut in cut_samples(25) for run in mp4facts.runs(init_section(AVC), cut.data)]
    assert [run.decode_time for run in runs] == [0, 10, 50, 60, 100, 110, 150, 160, 200, 210]
    assert [len(run.samples) for run in runs] == [1, 4] * 5
    assert [
        len(run.samples) for run in mp4facts.runs(init_section(AVC), cut_samples(1)[0].data)
    ] == [1]


def test_sound_whose_priming_is_dropped_states_no_delay() -> None:
    """A player would else skip 312 samples of the sound itself; AAC has no such field."""
    init = without_delay(init_section(OPUS))
    assert DOPS.replace(b"\x01\x38", b"\0\0") in init
    assert len(init) == len(init_section(OPUS))
    assert codec_of(init) == "Opus"
    assert without_delay(init_section(AAC)) == init_section(AAC)


def audio_frames(count: int) -> list[Sample]:
    return [Sample(1024, True, 0, b"%d" % number) for number in range(count)]


def test_audio_is_cut_at_the_frame_nearest_to_the_picture() -> None:
    """48000 a second: 1 s is 46.875 frames, so 47; 2 s is 93.75, so 94 in all, 47 more."""
    cutter = AudioCutter(48_000)
    cutter.feed(audio_frames(200))
    first, second = cutter.cut_to(1.0), cutter.cut_to(2.0)
    assert first is not None
    assert second is not None
    assert (first.frames, second.frames) == (47, 47)
    (run,) = mp4facts.runs(init_section(AAC), second.data)
    assert run.decode_time == 47 * 1024
    assert run.samples[0].data == b"48"  # frame 0 was the encoder's priming


def test_audio_waits_for_frames_and_gives_the_rest_at_the_end() -> None:
    cutter = AudioCutter(48_000)
    cutter.feed(audio_frames(41))
    assert cutter.cut_to(1.0) is None
    last = cutter.rest(1.0)
    assert last is not None
    assert last.frames == 40
    assert cutter.rest(2.0) is None


def test_light_stands_in_the_sample_entry_once() -> None:
    """Green, blue, red and white, then the most and the least light; sizes of parents grow."""
    screen = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329, 0.005, 1000.0)
    init = init_section(AVC)
    lit = with_light(init, screen=screen, most_nits=1000, mean_nits=400)
    assert len(lit) == len(init) + 32 + 12
    stsd = find(lit, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    entry = next(boxes(lit, stsd.body + 8, stsd.end))
    found = {
        each.kind: lit[each.body : each.end] for each in boxes(lit, entry.body + 78, entry.end)
    }
    places = struct.unpack(">8H2I", found[b"mdcv"])
    assert places[:8] == (13250, 34500, 7500, 3000, 34000, 16000, 15635, 16450)
    assert places[8:] == (10_000_000, 50)
    assert struct.unpack(">2H", found[b"clli"]) == (1000, 400)
    assert with_light(lit, screen=screen, most_nits=1000, mean_nits=400) == lit
    assert with_light(init, screen=None, most_nits=0, mean_nits=0) == init
