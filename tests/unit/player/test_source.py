"""How a source becomes known, one playlist after another."""

from __future__ import annotations

import pytest

from abr.errors import PlaybackError, PlaylistError
from player.playback.actions import Want
from player.playback.source import Source
from tests.fakes.shapes import BASE, Shape


def learn(source: Source, shape: Shape, want: Want) -> tuple[Want, ...]:
    body = shape.body(want)
    assert body is not None
    return source.take(want, body.decode(), url=want.url, shown="x")


def lengths_s(source: Source) -> list[float]:
    return [] if source.presentation is None else source.presentation.durations_s.tolist()


def urls(wants: tuple[Want, ...]) -> list[str]:
    return [want.url.removeprefix(BASE) for want in wants]


def test_the_lowest_rung_and_its_audio_come_first() -> None:
    """The presentation is known with both, whichever comes last."""
    shape = Shape(audio=("a.m3u8", "b.m3u8"))
    source = Source(shape.url)
    wants = learn(source, shape, *source.first_wants)
    assert urls(wants) == ["v0.m3u8", "a.m3u8"]
    learn(source, shape, wants[1])
    assert lengths_s(source) == []
    learn(source, shape, wants[0])
    assert lengths_s(source) == [1.0, 1.0]


def test_the_rung_listed_first_comes_first_where_the_player_begins_with_it() -> None:
    """Listed are the middle rung, the highest and the lowest."""
    listed = "".join(
        f"#EXT-X-STREAM-INF:BANDWIDTH={rate}\n{name}.m3u8\n"
        for name, rate in (("middle", 2000), ("high", 3000), ("low", 1000))
    )
    for begins_with, url in (("listed", "middle.m3u8"), ("lowest", "low.m3u8")):
        source = Source(f"{BASE}main.m3u8", begins_with=begins_with)  # type: ignore[arg-type]
        (first,) = source.first_wants
        wants = source.take(first, f"#EXTM3U\n{listed}", url=first.url, shown="x")
        assert urls(wants) == [url]


def test_a_rung_is_wanted_until_its_playlist_is_here() -> None:
    shape = Shape()
    source = Source(shape.url)
    learn(source, shape, *learn(source, shape, *source.first_wants))
    assert source.playlist_for("video", 0) is None
    want = source.playlist_for("video", 1)
    assert want is not None
    assert (want.url, want.track, want.rung) == (f"{BASE}v1.m3u8", "video", 1)
    learn(source, shape, want)
    assert source.playlist_for("video", 1) is None
    timeline = source.timeline("video", 1)
    assert timeline is not None
    assert timeline.segments[1].url == f"{BASE}v1.m3u8.1.m4s"


def test_one_playlist_serves_all_that_share_its_url() -> None:
    """Rung 1, and the audio of rung 0; a playlist that is listed as two rungs is one."""
    shape = Shape(variants=("v.m3u8", "w.m3u8", "v.m3u8"), audio=("w.m3u8",) * 3)
    source = Source(shape.url)
    video, audio = learn(source, shape, *source.first_wants)
    learn(source, shape, video)
    learn(source, shape, audio)
    assert [source.playlist_for("video", rung) for rung in range(2)] == [None, None]
    audio_timeline, timeline = source.timeline("audio", 0), source.timeline("video", 1)
    assert audio_timeline is not None
    assert timeline is not None
    assert audio_timeline.segments == timeline.segments


def test_a_media_playlist_given_as_the_source_is_a_ladder_of_one() -> None:
    shape = Shape(video_s=(2.0, 3.0))
    source = Source(f"{BASE}v0.m3u8")
    (want,) = source.first_wants
    assert source.take(want, shape.media("v0.m3u8"), url=want.url, shown="x") == ()
    assert lengths_s(source) == [2.0, 3.0]
    assert source.playlist_for("video", 0) is None


def test_uris_are_relative_to_where_the_playlist_came_from() -> None:
    """A redirect moved it to another server."""
    shape = Shape()
    source = Source(shape.url)
    (want,) = source.first_wants
    (video,) = source.take(want, shape.multivariant(), url="http://cdn.test/x/y.m3u8", shown="x")
    assert video.url == "http://cdn.test/x/v0.m3u8"


@pytest.mark.parametrize(
    ("text", "error", "what"),
    [
        ("<html>", PlaylistError, "x:1"),
        (Shape().multivariant(), PlaybackError, "expected a media playlist"),
    ],
)
def test_what_is_no_media_playlist_is_refused(text: str, error: type[Exception], what: str) -> None:
    shape = Shape()
    source = Source(shape.url)
    (video,) = learn(source, shape, *source.first_wants)
    with pytest.raises(error, match=what):
        source.take(video, text, url=video.url, shown="x")


def test_finished_sound_that_comes_before_a_live_picture_is_kept() -> None:
    """Nobody knew then that the stream is live; it is not asked for again."""
    shape = Shape(variants=("v0.m3u8",), audio=("a.m3u8",), video_s=(4.0,) * 4)
    source = Source(shape.url)
    video, audio = learn(source, shape, *source.first_wants)
    learn(source, shape, audio)
    text = shape.media("v0.m3u8").replace("#EXT-X-PLAYLIST-TYPE:VOD\n", "")
    live = text.replace("#EXT-X-ENDLIST\n", "")
    source.take(video, live, url=video.url, shown="x", now_s=1.0)
    assert source.presentation is not None
    assert source.timeline("audio", 0) is not None


def test_a_rung_that_ends_before_playback_begins_is_none_to_choose() -> None:
    """EXT-X-START names 7 s of another rung; this one has 2 s."""
    shape = Shape(video_s=(4.0, 4.0, 1.0), other_s=(("v1.m3u8", (1.0, 1.0)),))
    source = Source(shape.url)
    (video,) = learn(source, shape, *source.first_wants)
    text = shape.media("v0.m3u8")
    begins = text.replace("#EXTM3U\n", "#EXTM3U\n#EXT-X-START:TIME-OFFSET=-2,PRECISE=YES\n")
    source.take(video, begins, url=video.url, shown="x")
    (other,) = [want for want in [source.playlist_for("video", 1)] if want is not None]
    learn(source, shape, other)
    timeline = source.timeline("video", 1)
    assert timeline is not None
    assert timeline.index_at(0.0) is None
    assert source.presentation is not None
