"""Tracks on the film's own line of time: lengths, offsets, jumps, and what is said of them."""

from __future__ import annotations

import pickle
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.packettables import interleave, packets
from transcode.masters.negative import with_counted_start
from transcode.masters.notes import Note, time_code
from transcode.masters.packets import DISCARD, Packets
from transcode.masters.timing import Timing, measure

Times = npt.NDArray[Any]
FRAME_S, AAC_S = 0.04, 1024 / 48000
PICTURES: Times = np.arange(250) * FRAME_S  # 10 s
SOUND: Times = np.arange(469) * AAC_S  # 10.005 s


def film(
    pictures: Times = PICTURES, sound: Times | None = SOUND, form: str = "mov,mp4", **how: Any
) -> Timing:
    """A film whose packets lie in the file as in time."""
    if sound is None:
        return measure(packets(pictures, key_every=50, **how), form=form)
    places = interleave(pictures, sound)
    return measure(
        packets(pictures, key_every=50, places=places[0], **how),
        {1: packets(sound, lasts_s=AAC_S, places=places[1])},
        form=form,
    )


def joined(*starts_s: float, form: str = "mpegts") -> Timing:
    """Pieces of 10 s, each with times from its start, one after the other in a file."""
    places = interleave(PICTURES, SOUND)
    size = len(PICTURES) + len(SOUND)

    def track(times: Times, own: list[int], lasts_s: float) -> Packets:
        return packets(
            np.concatenate([times + start_s for start_s in starts_s]),
            lasts_s=lasts_s,
            key_every=50 if lasts_s == FRAME_S else 1,
            places=[each + number * size for number in range(len(starts_s)) for each in own],
        )

    picture = track(PICTURES, places[0], FRAME_S)
    return measure(picture, {1: track(SOUND, places[1], AAC_S)}, form=form)


def said(timing: Timing) -> list[str]:
    return [str(note) for note in timing.notes]


def test_a_plain_film_is_as_long_as_its_pictures() -> None:
    """250 frames; sound of 5 ms more is no matter."""
    timing = film()
    assert (timing.rate, timing.frames, timing.pictures) == (Fraction(25), 250, 250)
    assert timing.duration_s == 10.0
    assert timing.starts_s == (0.0, 2.0, 4.0, 6.0, 8.0)
    assert timing.notes == ()
    assert timing.clock_of(1) == timing.clock_of(7) == timing.picture.clock


def test_facts_can_be_sent_to_a_worker() -> None:
    timing = joined(1.4, 1.4)
    assert pickle.loads(pickle.dumps(timing)) == timing


@pytest.mark.parametrize(
    ("second_s", "form", "words"),
    [
        (1.4, "mpegts", "jump back by 10.00 s"),
        (3611.4, "matroska,webm", "jump ahead by 3,600.00 s"),
        (31.4, "mpegts", "jump ahead by 20.00 s"),
    ],
)
def test_a_jump_is_closed_in_both_tracks(second_s: float, form: str, words: str) -> None:
    """Not filled: two pieces of 10 s are 20 s, whatever their clocks say."""
    timing = joined(1.4, second_s, form=form)
    assert (timing.rate, timing.frames, timing.lost) == (Fraction(25), 500, 0)
    (jump,), (other,) = timing.picture.clock.jumps, timing.sounds[0].clock.jumps
    assert jump.add_s == pytest.approx(11.4 - second_s, abs=1e-6)
    assert other.add_s == pytest.approx(jump.add_s, abs=1e-9)
    assert words in said(timing)[0]
    assert said(timing)[0].startswith("at 0:10.000: ")
    assert timing.starts_s == ()


def test_many_pieces_make_few_notes() -> None:
    timing = joined(*[1.4] * 20)
    assert timing.frames == 5000
    assert len(timing.picture.clock.jumps) == 19
    assert len(timing.notes) <= 5


def test_a_clock_that_jumps_in_the_picture_only_does_not_move_the_sound() -> None:
    """At 5 s its times go ahead by an hour; the sound goes on."""
    jumped = np.where(PICTURES < 5, PICTURES, PICTURES + 3600)
    places = interleave(PICTURES, SOUND)
    timing = measure(
        packets(jumped, places=places[0]),
        {1: packets(SOUND, lasts_s=AAC_S, places=places[1])},
        form="matroska,webm",
    )
    assert timing.frames == 250
    assert timing.sounds[0].clock.jumps == ()
    assert timing.picture.clock.jumps[0].add_s == pytest.approx(-3600, abs=1e-6)


def test_a_picture_that_stands_while_the_sound_goes_on_is_no_jump() -> None:
    """Idle for 100 s, as a shared screen may be."""
    idle = np.concatenate([PICTURES, PICTURES + 110])
    timing = film(idle, np.arange(5625) * AAC_S, "matroska,webm")
    assert timing.frames == 3000
    assert timing.picture.clock.jumps == ()
    assert timing.longest_gap_s == pytest.approx(100.04)


@pytest.mark.parametrize(("lead_s", "frames"), [(0.02, 250), (0.7, 268), (70.0, 2000)])
def test_sound_before_the_picture_is_kept(lead_s: float, frames: int) -> None:
    """Less than a frame of it is no reason for a frame more.

    The first picture lies on a frame: 0.7 s are 17.5 frames, so silence of half a frame comes
    first.
    """
    timing = film(PICTURES + lead_s, np.arange(round((lead_s + 10) / AAC_S)) * AAC_S)
    assert timing.frames == frames
    begin = timing.picture.begin_s * 25
    assert begin == pytest.approx(round(begin), abs=1e-6)
    assert timing.sounds[0].begin_s == pytest.approx(timing.picture.begin_s - lead_s, abs=1e-6)
    assert bool(timing.notes) is (lead_s > 0.5)


def test_sound_after_the_picture_began_waits_in_silence() -> None:
    timing = film(PICTURES, SOUND + 3.0)
    assert timing.sounds[0].begin_s == pytest.approx(3.0)
    assert "the sound begins 3.00 s after the picture" in said(timing)[0]


def test_the_last_picture_stands_to_the_end_of_the_sound() -> None:
    """One picture with 20 s of sound is 20 s."""
    timing = film(np.array([0.0]), np.arange(938) * AAC_S)
    assert timing.duration_s == pytest.approx(20.0, abs=0.04)
    assert "the last picture stands until its end" in said(timing)[0]


def test_the_last_picture_stands_as_long_as_its_container_says() -> None:
    """A slide of 5 s."""
    timing = measure(packets([0.0, 5.0], lasts_s=5.0))
    assert timing.duration_s == pytest.approx(10.0)


def test_sound_that_is_shorter_or_cut_is_reported() -> None:
    """More than a frame: 0.09 s of sound beyond the last picture are left out, with a word."""
    short = film(PICTURES, SOUND[:400])
    assert "ends 1.47 s before the picture" in said(short)[0]
    cut = film(PICTURES, np.arange(473) * AAC_S)
    assert cut.frames == 250
    assert "is cut there" in said(cut)[0]


def test_hidden_pictures_count_for_nothing() -> None:
    """An edit list that begins inside a group of pictures: eight are decoded only."""
    timing = film(PICTURES - 0.32, SOUND[:453], hidden=8)
    assert (timing.pictures, timing.frames) == (242, 242)
    assert timing.starts_s == ()


def test_a_raw_stream_has_the_rate_that_its_packets_last() -> None:
    none = np.full(75, np.nan)
    timing = measure(packets(none, lasts_s=1 / 30), form="h264")
    assert (timing.rate, timing.frames) == (Fraction(30), 75)
    assert timing.picture.clock.is_timeless
    assert "holds no times" in said(timing)[0]


def test_missing_presentation_times_follow_from_decoding_times() -> None:
    """As in a program stream: most packets have none, and key frames are shown 0.04 s late."""
    base = packets(PICTURES, key_every=50)
    pts = np.where(np.arange(250) % 5 == 0, PICTURES + 0.04, np.nan)
    track = Packets(
        pts_s=pts, dts_s=base.dts_s, duration_s=base.duration_s, flags=base.flags,
        places=base.places,
    )  # fmt: skip
    timing = measure(track, form="mpeg")
    assert timing.frames == 250
    assert timing.picture.clock.start_s == pytest.approx(0.04)


def test_fields_with_packets_of_their_own_are_half_as_many_frames() -> None:
    timing = measure(packets(np.arange(500) * 0.02, lasts_s=0.02), stated=Fraction(25), fields=True)
    assert (timing.rate, timing.frames) == (Fraction(25), 250)


def test_times_of_two_hours_stay_small_and_quick() -> None:
    """Three arrays of times for 172,800 pictures; facts of less than 0.5 MB."""
    timing = film(np.arange(172_800) / 24, np.arange(337_500) * AAC_S)
    assert timing.frames == 172_800
    assert len(pickle.dumps(timing)) < 500_000


def test_time_codes_are_read_at_a_glance() -> None:
    assert time_code(3723.5) == "1:02:03.500"
    assert str(Note(text="something", at_s=59.9996)) == "at 1:00.000: something"
    assert str(Note(text="something")) == "something"


def vague(first_shown_s: float, *, some: bool) -> Timing:
    """A film whose packets say when they are decoded; ``some``: of a few also when shown."""
    base = packets(PICTURES, key_every=50)
    pts = np.full(250, np.nan)
    if some:
        pts[::10] = PICTURES[::10] + 0.04
    track = Packets(
        pts_s=pts, dts_s=base.dts_s, duration_s=base.duration_s, flags=base.flags,
        places=base.places, first_shown_s=first_shown_s,
    )  # fmt: skip
    assert track.is_vague
    return measure(track, {1: packets(SOUND, lasts_s=AAC_S)}, form="avi")


def test_an_avi_file_begins_with_its_first_packet_whatever_the_decoder_delays() -> None:
    """Two B-frames delay the first picture by 0.08 s in ffmpeg: taken back against the sound."""
    timing = vague(0.08, some=False)
    assert (timing.frames, timing.picture.begin_s) == (250, 0.0)
    assert timing.picture.clock.start_s == pytest.approx(0.08)
    assert timing.sounds[0].clock.start_s == pytest.approx(0.0)


def test_where_some_packets_have_times_the_first_picture_tells_the_others() -> None:
    timing = vague(0.04, some=True)
    assert timing.picture.clock.start_s == pytest.approx(0.04)
    assert timing.sounds[0].clock.start_s == pytest.approx(0.04)


def test_unknown_decoding_times_of_the_first_pictures_are_no_jump() -> None:
    """As ffprobe lists Matroska with eight B-frames in a row: the first two have none."""
    shown = np.array([0, 9, 4, 1, 2, 3, 5, 6, 7, 8, 18, 13, 10, 11, 12, 14, 15, 16, 17]) * FRAME_S
    decoded = np.array([np.nan, np.nan, *range(len(shown) - 2)]) * FRAME_S
    timing = measure(packets(shown, decoded_s=decoded), form="matroska,webm")
    assert (timing.frames, timing.pictures) == (19, 19)
    assert timing.picture.clock.jumps == ()
    assert said(timing) == []


def test_hidden_pictures_before_a_cut_in_mid_film_are_no_jump() -> None:
    """An edit list shows 0 to 2 s and 3 to 6 s; decoding the second part begins at 2 s."""
    shown = np.arange(150) * FRAME_S
    shown[50:] -= 1.0
    film = packets(shown, key_every=50)
    film.flags[50:75] |= DISCARD
    timing = measure(film, form="mov,mp4")
    assert (timing.frames, timing.pictures) == (125, 125)
    assert timing.picture.clock.jumps == ()
    assert said(timing) == []


def test_times_that_ffmpeg_loses_before_0_are_counted_as_it_counts_them() -> None:
    """Two seconds before 0, then four: six in all, and the sound alongside."""
    nan = np.full(50, np.nan)
    track = packets(np.concatenate([nan, np.arange(100) * 0.04]))
    found = with_counted_start({0: track})[0]
    assert found.pts_s[:51] == pytest.approx([*np.arange(50) * 0.04, 0.0])
    timing = measure(found, form="matroska,webm")
    assert (float(timing.rate), timing.frames, len(timing.picture.clock.jumps)) == (25.0, 150, 1)
    gap = packets(np.where(np.arange(150) % 3 == 0, np.nan, np.arange(150) * 0.04))
    assert with_counted_start({0: gap})[0] is gap
