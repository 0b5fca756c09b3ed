"""Rules over sound and high dynamic range, and the frames of sound they rest on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.transcode.test_inspection_rules import TRACK, listed, package, rung
from transcode.inspection.facts import (
    InitFacts,
    MediaFacts,
    PackageFacts,
    SegmentFacts,
    Stretch,
    TrackFacts,
    VariantFacts,
    init_key,
)
from transcode.inspection.frames import read_frames
from transcode.inspection.judge import judge
from transcode.inspection.listed import read_listed
from transcode.inspection.playlists import ListedMultivariant
from transcode.media.codecs import aac_configuration
from transcode.media.hevcslices import sei_types

STEREO = TrackFacts(id=1, kind="audio", codec="mp4a.40.2", channels=2, sample_rate=48_000)


def found(facts: PackageFacts) -> set[str]:
    """Ids of all findings."""
    return {finding.rule for finding in judge(facts, "decode").findings}


def sound(track: TrackFacts, kbps: float) -> MediaFacts:
    """Two segments of two seconds."""
    playlist = listed([2, 2])
    stretches = [
        Stretch(
            track=1,
            kind="audio",
            start_s=2.0 * n,
            end_s=2.0 * n + 2,
            first_shown_s=2.0 * n,
            shown_end_s=2.0 * n + 2,
            frames=94,
            frame_s=1024 / 48_000,
        )
        for n in range(2)
    ]
    section = playlist.segments[0].map
    assert section is not None
    return MediaFacts(
        name="a.m3u8",
        listed=playlist,
        role="audio",
        segments=tuple(
            SegmentFacts(size_bytes=round(250 * kbps), container="fmp4", stretches=(each,))
            for each in stretches
        ),
        inits={init_key(section): InitFacts(uri="init.mp4", tracks=(track,))},
        names=("0.m4s", "1.m4s"),
    )


def with_sound(track: TrackFacts, kbps: float, *, said: str = "mp4a.40.2") -> PackageFacts:
    """One rung with one rendition of sound; CODECS says ``said`` of it."""
    film = package(rung([2, 2]))
    (variant,) = film.variants
    attributes = {**variant.listed.attributes, "CODECS": f"avc1.64000d,{said}"}
    return replace(
        film,
        variants=(
            VariantFacts(
                listed=replace(variant.listed, attributes=attributes),
                media=variant.media,
                audio=(sound(track, kbps),),
            ),
        ),
        renditions=(),
        lone=sound(track, kbps),
    )


@pytest.mark.parametrize(
    ("track", "kbps", "said", "rules"),
    [
        (STEREO, 128, "mp4a.40.2", set()),
        (STEREO, 8, "mp4a.40.2", {"sound-rate"}),
        (STEREO, 250, "mp4a.40.2", {"sound-rate"}),
        (replace(STEREO, channels=6), 320, "mp4a.40.2", {"stereo-aac"}),
        (replace(STEREO, codec="ec-3"), 128, "ec-3", {"stereo-aac"}),
        (replace(STEREO, codec="mp4a.40.5", signals_sbr=True), 60, "mp4a.40.5", set()),
        (replace(STEREO, codec="mp4a.40.5", signals_sbr=True), 96, "mp4a.40.5", {"he-aac-rate"}),
        (replace(STEREO, signals_sbr=True), 60, "mp4a.40.5", set()),
        (STEREO, 60, "mp4a.40.5", {"sbr-explicit"}),
    ],
)
def test_rules_of_sound(track: TrackFacts, kbps: float, said: str, rules: set[str]) -> None:
    ours = {"stereo-aac", "he-aac-rate", "sound-rate", "sbr-explicit"}
    assert found(with_sound(track, kbps, said=said)) & ours == rules


HDR = replace(TRACK, entry="hvc1", codec="hvc1.2.4.L60.90", transfer=16, sps=None)


@pytest.mark.parametrize(
    ("described", "in_pictures", "rules"),
    [
        ({137, 144}, set(), set()),
        ({137}, {144}, {"hdr10-in-description"}),
        (set(), {137, 144}, {"hdr10-in-description"}),
        ({137}, {5}, {"hdr10-light"}),
        (set(), set(), {"hdr10-light"}),
    ],
)
def test_light_figures_of_hdr10_are_looked_for(
    described: set[int], in_pictures: set[int], rules: set[str]
) -> None:
    track = replace(HDR, sei=frozenset(described))
    film = package(rung([2, 2], track=track, sei=frozenset(in_pictures)))
    assert {rule for rule in found(film) if rule.startswith("hdr10")} == rules


def test_hdr_of_sixty_frames_alone_is_told_and_of_both_is_not() -> None:
    fast, slow = rung([2, 2], track=HDR, frame_s=1 / 60), rung([2, 2], track=HDR, name="v1.m3u8")
    assert "hdr-frame-rate" in found(package(fast))
    assert "hdr-frame-rate" not in found(package(fast, slow))


def multivariant(*lines: str) -> PackageFacts:
    """Variants without their playlists, from attributes."""
    text = "#EXTM3U\n" + "".join(f"#EXT-X-STREAM-INF:{line}\n{n}\n" for n, line in enumerate(lines))
    read = read_listed(text, where="film")
    assert isinstance(read, ListedMultivariant)
    variants = tuple(VariantFacts(listed=each, media=None) for each in read.variants)
    return PackageFacts(name="film", multivariant=read, variants=variants)


def rate(mbps: float, size: str = "1280x720", codec: str = "avc1.640020", more: str = "") -> str:
    """Attributes of one variant."""
    figures = f"BANDWIDTH={2 * mbps * 1e6:.0f},AVERAGE-BANDWIDTH={mbps * 1e6:.0f}"
    return f'{figures},RESOLUTION={size},CODECS="{codec}"{more}'


@pytest.mark.parametrize(
    ("lines", "is_told"),
    [
        ([rate(2.1), rate(0.5)], False),
        ([rate(0.5), rate(2.1)], True),
        # Each group has a default of its own, and so has each codec.
        ([rate(1.9), rate(0.5), rate(2.3, more=',AUDIO="b"'), rate(9, more=',AUDIO="b"')], False),
        ([rate(1.9), rate(0.5), rate(9, more=',AUDIO="b"'), rate(2.3, more=',AUDIO="b"')], True),
        ([rate(1.7), rate(0.5), rate(2, codec="hvc1.1.6.L93.90")], False),
    ],
)
def test_the_default_is_compared_with_what_can_stand_in_for_it(
    lines: list[str], is_told: bool
) -> None:
    assert ("default-variant" in found(multivariant(*lines))) is is_told


def test_uhd_and_h264_have_an_easy_variant() -> None:
    hard = [rate(16, "3840x2160", "avc1.640033"), rate(20, "3840x2160", "avc1.640033")]
    assert {"uhd-rate", "h264-easy"} <= found(multivariant(*hard))
    easy = [*hard, rate(12, "3840x2160", "hvc1.1.6.L150.90"), rate(2)]
    assert not {"uhd-rate", "h264-easy"} & found(multivariant(*easy))


def test_sei_messages_are_told_apart_by_type_whatever_their_length() -> None:
    light = bytes([144, 4, 3, 232, 1, 144])
    long = bytes([5, 255, 45]) + bytes([1]) * 300
    assert list(sei_types(b"\x4e\x01" + long + light + b"\x80")) == [5, 144]
    assert list(sei_types(b"\x4e\x01\xff\xff")) == []


# Heads of frames by the tables: AC-3 48 kHz 192 kbit/s 3/2+LFE and 2/0; E-AC-3 five channels with
# LFE, 1,536 samples; MPEG-1 layer III, 128 kbit/s, 44.1 kHz, stereo.
AC3_51 = bytes([0x0B, 0x77, 0, 0, 0x14, 0x40, 0b111_00_00_1, 0]) + bytes(760)
AC3_20 = bytes([0x0B, 0x77, 0, 0, 0x14, 0x40, 0b010_00_0_00, 0]) + bytes(760)
EAC3_51 = bytes([0x0B, 0x77, 0x01, 0x7F, 0b00_11_111_1, 0x80, 0, 0]) + bytes(760)
MP3 = bytes([0xFF, 0xFB, 0x90, 0x00]) + bytes(413)


@pytest.mark.parametrize(
    ("frame", "codec", "channels", "hertz", "samples"),
    [
        (AC3_51, "ac-3", 6, 48_000, 1536),
        (AC3_20, "ac-3", 2, 48_000, 1536),
        (EAC3_51, "ec-3", 6, 48_000, 1536),
        (MP3, "mp3", 2, 44_100, 1152),
    ],
)
def test_frames_of_sound_tell_length_channels_and_codec(
    frame: bytes, codec: str, channels: int, hertz: int, samples: int
) -> None:
    sound_of = read_frames(3 * frame)
    assert sound_of is not None
    assert (sound_of.codec, sound_of.channels, sound_of.sample_rate) == (codec, channels, hertz)
    assert (sound_of.frames, sound_of.samples, sound_of.whole) == (3, 3 * samples, True)
    cut = read_frames(3 * frame[:-1])
    assert cut is None or not cut.whole
    assert read_frames(b"none of them") is None


def esds(specific: bytes) -> bytes:
    """The body of ``esds`` around an AudioSpecificConfig."""
    config = bytes([0x40]) + bytes(12) + bytes([5, len(specific)]) + specific
    config = bytes([4, len(config)]) + config
    return bytes(4) + bytes([3, len(config) + 3, 0, 0, 0]) + config


@pytest.mark.parametrize(
    ("specific", "channels", "signals_sbr"),
    [
        ("1190", 2, False),  # AAC-LC, 48 kHz
        ("119056e500", 2, False),  # the same, and a flag that there is no SBR
        ("139056e5a0", 2, True),  # 22.05 kHz, and a flag that there is
        ("2b920800", 2, True),  # object type 5
        ("11b0", 6, False),
        ("11b8", 8, False),
    ],
)
def test_the_configuration_of_aac_tells_channels_and_sbr(
    specific: str, channels: int, signals_sbr: bool
) -> None:
    found_in = aac_configuration(esds(bytes.fromhex(specific)))
    assert found_in is not None
    assert (found_in.channels, found_in.signals_sbr) == (channels, signals_sbr)
