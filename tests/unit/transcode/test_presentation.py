"""A package as algorithms see it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from abr.errors import PackageError
from transcode.packaging.index import (
    Encryption,
    PresentationIndex,
    SegmentFacts,
    SourceFacts,
    Track,
)
from transcode.packaging.indexfile import digest_of, parse_index, print_index
from transcode.packaging.listing import media_playlist_of, multivariant_of
from transcode.packaging.presentation import own_rates_bps, presentation_of_package
from transcode.playlist import print_media, print_multivariant
from transcode.quality import QualityFacts, track_quality


def track(folder: str, *segments: tuple[int, float], init_bytes: int = 700) -> Track:
    """Segments by bytes and seconds."""
    return Track(
        folder=folder,
        kind="audio" if folder.startswith("a") else "video",
        codecs="mp4a.40.2" if folder.startswith("a") else "avc1.42c00d",
        init_bytes=init_bytes,
        segments=tuple(SegmentFacts(size_bytes=b, duration_s=s) for b, s in segments),
        width=320,
        height=180,
        frame_rate=25.0,
        channels=2,
    )


LOW = track("v0", (50_000, 4.0), (150_000, 4.0), (50_000, 2.0))
"""250 kB in 10 s: 200 kbit/s."""
HIGH = track("v1", (200_000, 4.0), (200_000, 4.0), (100_000, 2.0), init_bytes=750)
"""500 kB in 10 s: 400 kbit/s."""
SOUND = track("a0", (40_000, 4.0), (40_000, 4.0), (20_000, 2.0), init_bytes=600)
"""100 kB in 10 s: 80 kbit/s."""
SOURCE = SourceFacts(name="m.mp4", duration_s=10.0, width=320, height=180, frame_rate=25.0)
SILENT = PresentationIndex(title="bars", source=SOURCE, video=(LOW, HIGH))
INDEX = replace(SILENT, audio=(SOUND,))


def test_rates_hold_the_audio_and_sizes_of_the_video_do_not() -> None:
    got = presentation_of_package(INDEX)
    assert got.title == "bars"
    assert got.bitrates_bps.tolist() == [280_000, 480_000]
    assert got.sizes_bytes.tolist() == [[50_000, 150_000, 50_000], [200_000, 200_000, 100_000]]
    assert got.durations_s.tolist() == [4.0, 4.0, 2.0]
    assert got.audio_sizes_bytes is not None
    assert got.audio_sizes_bytes.tolist() == [40_000, 40_000, 20_000]


def test_measured_quality_goes_with_every_segment_and_rung() -> None:
    facts = QualityFacts(
        metric="vmaf", model="vmaf_v0.6.1", width=320, height=180,
        tracks=tuple(
            track_quality(each.folder, np.repeat(scores, [100, 100, 50]), [100, 100, 50])
            for each, scores in ((LOW, [40.0, 50.0, 60.0]), (HIGH, [80.0, 85.0, 90.0]))
        ),
    )  # fmt: skip
    index = parse_index(print_index(replace(INDEX, quality=facts)))
    assert index.quality == facts
    got = presentation_of_package(index)
    assert got.quality_metric == "vmaf"
    assert got.quality is not None
    assert got.quality.tolist() == [[40.0, 50.0, 60.0], [80.0, 85.0, 90.0]]
    assert presentation_of_package(INDEX).quality is None
    # Another machine may measure a little more or less: the package is the same.
    assert digest_of(index) == digest_of(INDEX)


@pytest.mark.parametrize(("folder", "frames"), [("v1", [100, 100, 50]), ("v0", [100, 150])])
def test_quality_of_other_rungs_or_segments_is_refused(folder: str, frames: list[int]) -> None:
    quality = track_quality(folder, np.full(250, 50.0), frames)
    facts = QualityFacts(metric="vmaf", model="m", width=320, height=180, tracks=(quality,))
    with pytest.raises(PackageError, match=r"quality of .*; expected that of v0 in 3 segments"):
        print_index(replace(INDEX, quality=facts))


def test_without_audio_there_is_none() -> None:
    got = presentation_of_package(SILENT)
    assert got.audio_sizes_bytes is None
    assert got.audio_durations_s is None
    assert got.bitrates_bps.tolist() == [200_000, 400_000]


def test_a_higher_rung_that_came_out_smaller_is_listed_no_lower() -> None:
    smaller = track("v1", (40_000, 4.0), (40_000, 4.0), (20_000, 2.0))
    got = presentation_of_package(replace(SILENT, video=(LOW, smaller)))
    assert got.bitrates_bps.tolist() == [200_000, 200_000]
    assert got.sizes_bytes[1].tolist() == [40_000, 40_000, 20_000]


def test_audio_of_other_lengths_goes_with_the_video_in_which_its_middle_lies() -> None:
    """Pieces of 3, 3, 3 and 1 s have their middles at 1.5, 4.5, 7.5 and 9.5 s."""
    sound = track("a0", (1, 3.0), (10, 3.0), (100, 3.0), (1000, 1.0))
    got = presentation_of_package(replace(SILENT, audio=(sound,)))
    assert got.audio_sizes_bytes is not None
    assert got.audio_durations_s is not None
    assert got.audio_sizes_bytes.tolist() == [1, 110, 1000]
    assert got.audio_durations_s.tolist() == [3.0, 6.0, 1.0]


def test_audio_beyond_the_end_of_the_video_goes_with_its_last_segment() -> None:
    sound = track("a0", (1, 10.0), (10, 2.0))
    got = presentation_of_package(replace(SILENT, audio=(sound,)))
    assert got.audio_sizes_bytes is not None
    assert got.audio_sizes_bytes.tolist() == [0, 1, 10]


def test_side_files_are_as_long_as_the_playlists_that_are_served() -> None:
    side = presentation_of_package(INDEX).side_files
    assert side is not None
    assert side.multivariant_bytes == len(print_multivariant(multivariant_of(INDEX)).encode())
    lengths = [len(print_media(media_playlist_of(INDEX, each)).encode()) for each in (LOW, HIGH)]
    assert side.playlist_bytes.tolist() == lengths
    assert side.init_bytes.tolist() == [700, 750]
    assert side.audio_init_bytes == 600


def test_listed_sizes_follow_from_whole_kilobits_per_second() -> None:
    """50 001 bytes in 4 s are 100.002 kbit/s, listed as 100: 50 000 bytes."""
    odd = track("v0", (50_001, 4.0))
    side = presentation_of_package(replace(SILENT, video=(odd,))).side_files
    assert side is not None
    assert side.listed_sizes_bytes.tolist() == [[50_000.0]]


def test_a_rung_rates_itself_without_its_audio() -> None:
    side = presentation_of_package(INDEX).side_files
    assert side is not None
    assert side.listed_rates_bps.tolist() == pytest.approx([200_000, 400_000])


def test_what_a_playlist_says_of_its_audio_never_takes_all() -> None:
    rates = own_rates_bps(np.array([100_000.0, 1_000_000.0]), 200_000.0)
    assert rates.tolist() == [10_000.0, 800_000.0]


@pytest.mark.parametrize(("rotate_every", "keys"), [(0, [0, 0, 0]), (2, [0, 0, 1]), (1, [0, 1, 2])])
def test_keys_are_numbered_by_period(rotate_every: int, keys: list[int]) -> None:
    kids = tuple(f"{number:032x}" for number in range(max(keys) + 1))
    encryption = Encryption(
        method="AES-128", kids=kids, rotate_every=rotate_every, seals_init=rotate_every == 2
    )
    side = presentation_of_package(replace(INDEX, encryption=encryption)).side_files
    assert side is not None
    assert side.keys is not None
    assert side.keys.tolist() == keys
    assert side.init_key == (0 if rotate_every == 2 else -1)


def test_a_package_in_the_clear_has_no_keys() -> None:
    side = presentation_of_package(INDEX).side_files
    assert side is not None
    assert (side.keys, side.init_key) == (None, -1)
