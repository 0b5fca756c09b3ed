"""Chunks: whole segments without gaps, begun soon after key frames."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from transcode.masters.timing import Clock, Timing, TrackTimes
from transcode.planning.chunks import Chunk, cores_kept_busy, cut_chunks

RATE = Fraction(25)


def timing(starts_s: tuple[float, ...], *, start_s: float = 0.0, add_s: float = 0.0) -> Timing:
    """A film whose decoding can begin at these places."""
    return Timing(
        rate=RATE,
        frames=0,
        pictures=0,
        picture=TrackTimes(index=-1, begin_s=0.0, end_s=0.0, clock=Clock(start_s=start_s)),
        starts_s=starts_s,
        seek_add_s=add_s,
    )


def cut(frames: int, starts_s: tuple[float, ...], chunk_s: float = 16.0) -> tuple[Chunk, ...]:
    return cut_chunks(frames, RATE, segment_frames=100, timing=timing(starts_s), chunk_s=chunk_s)


def test_a_film_without_places_to_start_at_is_one_chunk() -> None:
    """As is one that nobody measured."""
    whole = (Chunk(index=0, first_frame=0, frames=5000),)
    assert cut(5000, ()) == whole
    assert cut_chunks(5000, RATE, segment_frames=100, timing=None, chunk_s=16.0) == whole


def test_short_films_have_chunks_of_eight_seconds_and_long_ones_of_sixteen() -> None:
    """40 s in 5; 10 s in 1; 1,600 s in 100."""
    every_2_s = tuple(2.0 * number for number in range(1000))
    assert [chunk.frames for chunk in cut(1000, every_2_s)] == [200] * 5
    assert len(cut(250, every_2_s)) == 1
    assert [chunk.frames for chunk in cut(40_000, every_2_s)] == [400] * 100


def test_a_short_film_has_two_chunks_where_one_leaves_a_core_idle() -> None:
    """10 s in segments of 4 s; 5 s are not worth it."""
    starts = timing(tuple(2.0 * number for number in range(6)))
    lengths = {
        frames: [
            chunk.frames
            for chunk in cut_chunks(
                frames, RATE, segment_frames=100, timing=starts, chunk_s=16.0, is_narrow=True
            )
        ]
        for frames in (250, 125)
    }
    assert lengths == {250: [100, 150], 125: [125]}


def test_an_encode_keeps_as_many_cores_busy_as_its_rungs_fill_beside_the_largest() -> None:
    """100 + 50 + 50 pixels for 100."""
    assert cores_kept_busy([(10, 5), (5, 10), (10, 10)]) == 2.0
    assert cores_kept_busy([]) == 1.0


def test_a_chunk_begins_where_little_is_decoded_before_it() -> None:
    """Even would be 8 s, 6 s after a key frame; 12 s is right at one."""
    chunks = cut(500, (0.0, 2.0, 12.0))
    assert [chunk.first_frame for chunk in chunks] == [0, 300]


def test_too_long_a_way_from_the_last_key_frame_is_not_gone() -> None:
    """One key frame in a minute: a second chunk that begins within 10 s of it is the last."""
    assert [chunk.first_frame for chunk in cut(1500, (0.0,))] == [0, 100]


def test_what_is_sought_is_the_time_in_the_file() -> None:
    """A film that begins at 3.5 s of the file, sought 0.13 s late because ffmpeg seeks early."""
    measured = timing((0.0, 8.0), start_s=3.5, add_s=0.13)
    chunks = cut_chunks(400, RATE, segment_frames=100, timing=measured, chunk_s=8.0)
    assert [chunk.seek_s for chunk in chunks] == [None, 11.63]


def test_filters_that_look_back_get_their_frames() -> None:
    """A key frame right at the border is too late for two frames before it."""
    measured = timing((0.0, 6.0, 8.0))
    near, far = (
        cut_chunks(400, RATE, segment_frames=100, timing=measured, chunk_s=8.0, lead_frames=lead)[
            1
        ].seek_s
        for lead in (0, 2)
    )
    assert (near, far) == (8.0, 6.0)


@given(
    st.integers(1, 20_000),
    st.lists(st.floats(0, 800), max_size=60),
    st.floats(2, 60),
    st.integers(1, 300),
)
def test_chunks_cover_the_film_once(
    frames: int, starts_s: list[float], chunk_s: float, segment_frames: int
) -> None:
    """In order, without gaps, at borders of segments, and each after its start."""
    measured = timing(tuple(sorted(starts_s)))
    chunks = cut_chunks(
        frames, RATE, segment_frames=segment_frames, timing=measured, chunk_s=chunk_s
    )
    at = 0
    for number, chunk in enumerate(chunks):
        assert (chunk.index, chunk.first_frame) == (number, at)
        assert chunk.first_frame % segment_frames == 0
        assert chunk.frames is not None
        assert chunk.frames > 0
        assert chunk.is_last == (number == len(chunks) - 1)
        if chunk.seek_s is not None:
            assert chunk.seek_s <= chunk.first_frame / RATE + 0.001
        at += chunk.frames
    assert at == frames


def test_no_chunk_begins_while_the_last_picture_stands() -> None:
    """Pictures of 20 s under 100 s of sound: nothing is decoded from 20 s on."""
    still = replace(timing(tuple(float(n) for n in range(20))), last_picture_s=19.96)
    chunks = cut_chunks(2500, Fraction(25), segment_frames=100, timing=still, chunk_s=16.0)
    assert all(chunk.first_frame / 25 <= 19.96 for chunk in chunks)
    assert sum(chunk.frames or 0 for chunk in chunks) == 2500
