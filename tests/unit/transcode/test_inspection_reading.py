"""What inspection reads: lines, lists of segments, parameter sets, transport streams, text."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import MediaError, PlaylistError
from transcode.inspection.bits import level_needed, read_sps
from transcode.inspection.facts import SegmentFacts
from transcode.inspection.isofragments import read_fragments
from transcode.inspection.isomedia import read_init
from transcode.inspection.listed import read_listed
from transcode.inspection.media import container_of, read_segment
from transcode.inspection.playlists import ListedMedia, ListedMultivariant
from transcode.inspection.transport import read_packed_audio, read_transport
from transcode.inspection.webvtt import read_webvtt
from transcode.media.adts import read_adts
from transcode.media.boxes import box, full_box
from transcode.playlist.model import ByteRange
from transcode.playlist.tags import read_lines

HIGH_L13 = bytes.fromhex("6764000dacd941419f9f011000000300100000030300f1429960")
"""320x180, progressive, High profile, level 1.3 (x264)."""
INTERLACED = bytes.fromhex("674d401ef405a126ffc010000b5a810100a0000003002000000643e28554")
"""720x576 in fields, samples 64:45, matrix BT.709 (x264 with interlaced flags)."""


def media(text: str) -> ListedMedia:
    """A media playlist as listed."""
    listed = read_listed(text, where="film.m3u8")
    assert isinstance(listed, ListedMedia)
    return listed


def adts(frames: int, *, size: int = 20) -> bytes:
    """Frames of AAC-LC, 48 kHz, two channels."""
    head = bytes([0xFF, 0xF1, 0x4C, 0x80 | size >> 11, size >> 3 & 255, (size & 7) << 5 | 31, 0xFC])
    return (head + bytes(size - 7)) * frames


def stamp(value: int, mark: int) -> bytes:
    """A time stamp of 33 bits with its marker bits."""
    return bytes(
        [
            mark << 4 | value >> 29 & 14 | 1,
            value >> 22 & 255,
            value >> 14 & 254 | 1,
            value >> 7 & 255,
            value << 1 & 254 | 1,
        ]
    )


class Packets:
    """A transport stream under construction."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._counters: dict[int, int] = {}
        self.add(0, b"\0" + bytes.fromhex("00b00d0001c100000001e100") + bytes(4))
        program = bytes.fromhex("02b0170001c10000e101f0001be101f0000fe102f000")
        self.add(0x100, b"\0" + program + bytes(4))

    def __repr__(self) -> str:
        return f"<Packets, {len(self.data)} bytes>"

    def add(self, pid: int, body: bytes, *, skip: int = 0) -> None:
        """One unit in as many packets as it needs."""
        starts = True
        while body or starts:
            counter = self._counters.get(pid, -1) + 1 + skip
            self._counters[pid] = counter
            head = bytes([0x47, starts << 6 | pid >> 8, pid & 255])
            part, body = body[:184], body[184:]
            fill = 184 - len(part)
            if fill:
                field = bytes([fill - 1]) + (b"\0" + b"\xff" * (fill - 2) if fill > 1 else b"")
                self.data += head + bytes([0x30 | counter & 15]) + field + part
            else:
                self.data += head + bytes([0x10 | counter & 15]) + part
            starts, skip = False, 0

    def picture(self, pts: int, dts: int, kind: int, *, skip: int = 0) -> None:
        """One picture of H.264; kind 5 is an IDR."""
        times = stamp(pts, 3) + stamp(dts, 1)
        units = b"".join(
            b"\0\0\1" + unit
            for unit in (b"\x09\xf0", *([HIGH_L13] if kind == 5 else []), bytes([kind, 0x88]))
        )
        self.add(0x101, b"\0\0\1\xe0\0\0\x80\xc0\x0a" + times + units + bytes(300), skip=skip)

    def sound(self, pts: int, frames: int) -> None:
        """Some frames of AAC."""
        self.add(0x102, b"\0\0\1\xc0\0\0\x80\x80\x05" + stamp(pts, 2) + adts(frames))


def test_lines_keep_what_is_unknown_and_their_numbers() -> None:
    lines = read_lines('#EXTM3U\r\n\n# a comment\n#EXT-X-NEW:1\n#EXT-X-KEY:METHOD=NONE,X="a,b"\nu')
    assert [(line.number, line.tag, line.value) for line in lines] == [
        (4, "#EXT-X-NEW", "1"),
        (5, "#EXT-X-KEY", 'METHOD=NONE,X="a,b"'),
        (6, "", "u"),
    ]
    assert dict(lines[1].attributes) == {"METHOD": "NONE", "X": "a,b"}
    assert lines[1].quoted == {"X"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('#EXT-X-MAP:URI="a', "breaks off"),
        ("#EXT-X-MAP:URI=a,URI=b", "URI twice"),
        ("#EXT-X-MAP:uri=a", "breaks off"),
        ("a\x01b", "control character"),
    ],
)
def test_what_is_wrong_in_a_line_is_told(text: str, fault: str) -> None:
    (line,) = read_lines(f"#EXTM3U\n{text}")
    assert any(fault in each for each in line.faults)


def test_byte_ranges_without_offset_follow_those_of_the_same_file() -> None:
    listed = media(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
        "#EXTINF:1,\n#EXT-X-BYTERANGE:10@5\na\n#EXTINF:1,\n#EXT-X-BYTERANGE:7\na\n"
        "#EXTINF:1,\n#EXT-X-BYTERANGE:7\nb\n"
    )
    assert [segment.byte_range for segment in listed.segments] == [
        ByteRange(5, 10),
        ByteRange(15, 7),
        None,
    ]
    assert "no range of the same file before it" in listed.faults[0].what


def test_keys_of_several_formats_hold_together_until_the_next_set() -> None:
    listed = media(
        '#EXTM3U\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI="a",KEYFORMAT="x"\n'
        '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="b",KEYFORMAT="y"\n#EXTINF:1,\n1\n'
        '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="c",KEYFORMAT="x"\n#EXTINF:1,\n2\n'
        "#EXT-X-KEY:METHOD=NONE\n#EXTINF:1,\n3\n"
    )
    assert [[key.uri for key in s.keys] for s in listed.segments] == [["a", "b"], ["c"], []]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("#EXTINF:1,\na", "the mark of a playlist"),
        ("#EXTM3U\n", "neither segments nor variants"),
        ("#EXTM3U\n#EXTINF:1,\na\n#EXT-X-STREAM-INF:BANDWIDTH=1\nb", "one kind of playlist"),
    ],
)
def test_what_is_no_playlist_is_refused(text: str, why: str) -> None:
    with pytest.raises(PlaylistError, match=why):
        read_listed(text, where="film.m3u8")


@given(st.text(alphabet='#EXTINF:-MAPKEYURSO1.0@,="\n\t x', max_size=300))
def test_any_text_is_listed_or_refused(text: str) -> None:
    try:
        listed = read_listed("#EXTM3U\n" + text, where="t")
    except PlaylistError:
        return
    assert isinstance(listed, ListedMedia | ListedMultivariant)


def test_parameter_sets_tell_size_profile_and_whether_pictures_are_whole() -> None:
    sps = read_sps(HIGH_L13)
    assert (sps.width, sps.height, sps.codec) == (320, 180, "avc1.64000d")
    assert (sps.macroblocks, sps.is_progressive) == (240, True)
    fields = read_sps(INTERLACED)
    assert (fields.width, fields.height, fields.is_progressive) == (720, 576, False)
    assert round(fields.width * fields.sample_aspect) == 1024
    assert fields.matrix == 1
    with pytest.raises(MediaError, match="breaks off"):
        read_sps(HIGH_L13[:6])


def test_a_level_follows_from_size_and_rate() -> None:
    # 240 macroblocks at 24 frames are 5,760 a second: level 1.2 allows 6,000 and 396 a frame.
    assert level_needed(240, 24.0) == 12
    # 1080p: 8,160 macroblocks, 244,800 a second at 30 frames; level 4 allows 245,760.
    assert (level_needed(8_160, 30.0), level_needed(8_160, 60.0)) == (40, 42)


def test_frames_of_aac_are_counted_and_timed() -> None:
    found = read_adts(adts(3))
    assert found is not None
    assert (found.frames, found.sample_rate, found.channels) == (3, 48_000, 2)
    assert (found.codec, found.duration_s, found.whole) == ("mp4a.40.2", 3 * 1024 / 48_000, True)
    cut = read_adts(adts(3)[:-1])
    assert cut is not None
    assert not cut.whole
    assert read_adts(b"no frame") is None


def test_a_transport_stream_tells_times_key_frames_and_codecs() -> None:
    packets = Packets()
    # Two pictures of 25 a second; the second is shown before nothing else: pts = dts + 3600.
    packets.picture(93_600, 90_000, 5)
    packets.picture(97_200, 93_600, 1)
    packets.sound(90_000, 4)
    tracks, stretches, fault = read_transport(bytes(packets.data))
    assert fault == ""
    assert {track.kind: track.codec for track in tracks} == {
        "video": "avc1.64000d",
        "audio": "mp4a.40.2",
    }
    picture = next(each for each in stretches if each.kind == "video")
    assert (picture.frames, picture.starts_with_idr) == (2, True)
    assert (picture.start_s, picture.end_s) == pytest.approx((1.0, 1.08))
    assert (picture.first_shown_s, picture.shown_end_s) == pytest.approx((1.04, 1.12))
    sound = next(each for each in stretches if each.kind == "audio")
    assert sound.end_s == pytest.approx(1.0 + 4 * 1024 / 48_000)


def test_time_stamps_that_wrap_go_on() -> None:
    packets = Packets()
    packets.picture(2**33 - 3_600, 2**33 - 3_600, 5)
    packets.picture(0, 0, 1)
    _, (picture, *_), _ = read_transport(bytes(packets.data))
    assert picture.end_s - picture.start_s == pytest.approx(0.08)


def test_a_lost_packet_and_a_cut_stream_are_told() -> None:
    packets = Packets()
    packets.picture(90_000, 90_000, 5)
    packets.picture(93_600, 93_600, 1, skip=2)
    _, _, fault = read_transport(bytes(packets.data))
    assert "packet id 257" in fault
    with pytest.raises(MediaError, match="no multiple of 188"):
        read_transport(bytes(packets.data)[:-7])


def test_packed_audio_begins_at_the_time_of_its_tag() -> None:
    owner = b"com.apple.streaming.transportStreamTimestamp\0" + (180_000).to_bytes(8, "big")
    frame = b"PRIV" + len(owner).to_bytes(4, "big") + b"\0\0" + owner
    tag = b"ID3\4\0\0" + bytes([0, 0, 0, len(frame)]) + frame
    track, stretch = read_packed_audio(tag + adts(2))
    assert (track.sample_rate, stretch.start_s, stretch.frames) == (48_000, 2.0, 2)
    with pytest.raises(MediaError, match="no time stamp"):
        read_packed_audio(b"ID3\4\0\0\0\0\0\0" + adts(1))


def test_text_tells_its_cues_and_what_its_times_count_from() -> None:
    text = read_webvtt(
        b"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:02.000\n\n"
        b"00:01.500 --> 01:00:02.000 align:start\nHello\n"
    )
    assert text.has_header
    assert text.offset_s == 8.0  # 10 s on the media's clock is 2 s here
    assert [(cue.start_s, cue.end_s) for cue in text.cues] == [(1.5, 3602.0)]
    assert not read_webvtt(b"WEBVTTX\n").has_header


def init_of(entry: bytes, handler: bytes, *extra: bytes) -> bytes:
    """An initialisation section of one track, 1000 units a second."""
    stsd = full_box(b"stsd", 0, 0, b"\0\0\0\1", entry)
    mdia = box(
        b"mdia",
        full_box(b"mdhd", 0, 0, bytes(8), (1000).to_bytes(4, "big"), bytes(8)),
        full_box(b"hdlr", 0, 0, bytes(4), handler, bytes(13)),
        box(b"minf", box(b"stbl", stsd)),
    )
    tkhd = full_box(b"tkhd", 0, 0, bytes(8), b"\0\0\0\1", bytes(68))
    trex = full_box(b"trex", 0, 0, b"\0\0\0\1\0\0\0\1", bytes(12))
    mvhd = full_box(b"mvhd", 0, 0, bytes(8), (1000).to_bytes(4, "big"), bytes(84))
    trak = box(b"trak", tkhd, *extra, mdia)
    return box(b"ftyp", b"iso6", bytes(4)) + box(b"moov", mvhd, trak, box(b"mvex", trex))


def visual(kind: bytes, *boxes: bytes) -> bytes:
    """A sample entry of 64x36 pixels."""
    fields = bytes(24) + (64).to_bytes(2, "big") + (36).to_bytes(2, "big") + bytes(50)
    return box(kind, fields, *boxes)


def test_an_encrypted_entry_shows_codec_scheme_and_pattern() -> None:
    avcc = box(b"avcC", b"\1" + HIGH_L13[1:4] + b"\xff\xe1\0\x1a" + HIGH_L13)
    tenc = full_box(b"tenc", 1, 0, b"\0\x19\1\0", bytes(16))
    sinf = box(
        b"sinf",
        box(b"frma", b"avc1"),
        full_box(b"schm", 0, 0, b"cbcs", b"\0\1\0\0"),
        box(b"schi", tenc),
    )
    (track,) = read_init(init_of(visual(b"encv", avcc, sinf), b"vide"), "init").tracks
    assert (track.codec, track.scheme, track.pattern) == ("avc1.64000d", "cbcs", (1, 9))
    assert track.sps is not None
    assert (track.sps.width, track.width) == (320, 64)


def edit(duration: int, media_time: int) -> bytes:
    """An entry of an edit list at the usual rate; -1 shows nothing."""
    return struct.pack(">Iii", duration, media_time, 0x10000)


def test_edit_lists_tell_empty_time_and_skipped_media() -> None:
    edits = box(b"edts", full_box(b"elst", 0, 0, b"\0\0\0\2", edit(83, -1), edit(0, 500)))
    (track,) = read_init(init_of(visual(b"vp09"), b"vide", edits), "init").tracks
    assert (track.empty_edit_s, track.skipped_s) == (0.083, 0.5)


def fragment(samples: int, *, track: int = 1, time: int = 0, size: int = 4) -> bytes:
    """A fragment of samples that last 40 units each."""
    rows = b"".join((40).to_bytes(4, "big") + size.to_bytes(4, "big") for _ in range(samples))
    trun = full_box(b"trun", 0, 0x301, samples.to_bytes(4, "big"), b"\0\0\0\x60", rows)
    tfhd = full_box(b"tfhd", 0, 0x20000, track.to_bytes(4, "big"))
    tfdt = full_box(b"tfdt", 0, 0, time.to_bytes(4, "big"))
    moof = box(b"moof", box(b"traf", tfhd, tfdt, trun))
    return moof + box(b"mdat", bytes(max(samples * size, 128)))


def test_fragments_are_timed_and_a_step_between_two_of_them_is_told() -> None:
    init = read_init(init_of(visual(b"vp09"), b"vide"), "init")
    tracks = {track.id: track for track in init.tracks}
    (stretch,) = read_fragments(fragment(2) + fragment(3, time=130), tracks)
    assert (stretch.start_s, stretch.end_s, stretch.frames) == (0.0, 0.25, 5)
    assert stretch.jump_s == pytest.approx(0.05)  # 130 units, where 80 were due


@pytest.mark.parametrize("entry", [b"avc1", b"hvc1"])
def test_pictures_without_a_configuration_go_by_their_flags_and_end(entry: bytes) -> None:
    """Units whose length takes no bytes never end."""
    init = read_init(init_of(visual(entry), b"vide"), "init")
    (stretch,) = read_fragments(fragment(2), {track.id: track for track in init.tracks})
    assert (stretch.frames, stretch.starts_with_idr) == (2, True)


def test_samples_that_cannot_be_are_refused() -> None:
    init = read_init(init_of(visual(b"vp09"), b"vide"), "init")
    tracks = {track.id: track for track in init.tracks}
    with pytest.raises(MediaError, match=r"samples of track 7; .* has 1"):
        read_fragments(fragment(1, track=7), tracks)
    with pytest.raises(MediaError, match="a sample ends at byte"):
        read_fragments(fragment(1, size=10_000)[:-9_800], tracks)
    many = fragment(1).replace(b"\0\0\0\1\0\0\0\x60", b"\x7f\xff\xff\xff\0\0\0\x60")
    with pytest.raises(MediaError, match="samples in a segment"):
        read_fragments(many, tracks)


def test_formats_are_told_by_their_first_bytes() -> None:
    assert container_of(fragment(1)) == "fmp4"
    assert container_of(bytes(Packets().data)) == "ts"
    assert container_of(b"ID3\4") == "aac"
    assert container_of(b"\xef\xbb\xbfWEBVTT\n") == "vtt"
    assert container_of(b"GIF89a.." * 30) == ""


@given(
    st.binary(max_size=400), st.sampled_from([b"", b"\x47", b"ID3", b"\0\0\0\x20moof", b"WEBVTT"])
)
def test_any_bytes_are_facts(data: bytes, head: bytes) -> None:
    init = read_init(init_of(visual(b"vp09"), b"vide"), "init")
    facts = read_segment(head + data, init, role="video", size_bytes=1)
    assert isinstance(facts, SegmentFacts)


@given(st.integers(0, 5000), st.integers(0, 255), st.integers(0, 5000))
def test_a_changed_transport_stream_or_fragment_is_facts(at: int, value: int, end: int) -> None:
    packets = Packets()
    packets.picture(90_000, 90_000, 5)
    packets.sound(90_000, 9)
    init = read_init(init_of(visual(b"vp09"), b"vide"), "init")
    for whole in (bytes(packets.data), fragment(9)):
        data = bytearray(whole)
        data[at % len(data)] = value
        for part in (data, data[: end % len(data)]):
            facts = read_segment(bytes(part), init, role="video", size_bytes=1)
            assert isinstance(facts, SegmentFacts)
