"""What a session writes into its log, and that no token is among it."""

from __future__ import annotations

import pytest

from abr.decision import Decision, begin
from abr.media import Presentation, constant_presentation
from player.config import PlayerConfig
from player.playback.actions import Want
from player.playback.recorder import Recorder
from player.playback.requests import Request
from player.playback.states import SegmentStart, StateChange
from tests.fakes.titles import TOKEN, URL, fixed
from transcode.playlist import ByteRange, resolve

PRESENTATION = constant_presentation([1e6, 2e6], segments=2, segment_s=4.0, title="film")
FOLDER = URL.removesuffix("multivariant.m3u8")


def recorder(source: str | Presentation = URL) -> Recorder:
    url = source if isinstance(source, str) else "presentation:"
    return Recorder(source, url, PlayerConfig(), {"driver": "virtual"})


def test_urls_are_relative_or_redacted() -> None:
    """Below the source's folder they are relative; elsewhere a token is struck out."""
    writes = recorder()
    assert writes.shorten(f"{FOLDER}v0/00001.m4s") == "v0/00001.m4s"
    assert TOKEN not in writes.shorten(f"http://other.test/t/{TOKEN}/film/v0/00001.m4s")
    assert TOKEN not in writes.log.provenance["source"]


@pytest.mark.parametrize("name", ["x:1.m3u8", "", "?a", "/b.m3u8", "v0/a:b.m3u8", "#f"])
def test_what_is_relative_leads_back_to_where_it_was(name: str) -> None:
    """A name may hold a colon, and a folder may be asked for itself."""
    writes = recorder()
    shown = writes.shorten(FOLDER + name)
    source = str(writes.log.provenance["source"])
    back = resolve(source, shown)
    assert recorder(source).shorten(back) == shown  # as in a replay
    assert back == FOLDER.replace(TOKEN, "-") + name.replace("?a", "?(1)").replace("#f", "#(1)")


def test_a_colon_within_a_query_is_no_scheme() -> None:
    name = "main.m3u8?next=http://other.test/b.m3u8"
    shown = recorder().shorten(FOLDER + name)
    assert shown == "main.m3u8?next=(1)"
    source = str(recorder().log.provenance["source"])
    assert recorder(source).shorten(resolve(source, shown)) == shown


def test_a_request_is_recorded_with_what_applies_to_it() -> None:
    """The first try is not numbered, and a key belongs to no segment."""
    writes = recorder()
    want = Want(
        kind="segment",
        url=f"{FOLDER}v1/all.mp4",
        byte_range=ByteRange(100, 50),
        track="video",
        segment=3,
        rung=1,
    )
    writes.add_fetch(Request(4, want, 2, start_s=1.5))
    writes.add_fetch(Request(5, Want(kind="key", url=f"{FOLDER}key/1"), 1, start_s=2.0))
    place = {"byte_range": [100, 50], "track": "video", "segment": 3, "rung": 1, "attempt": 2}
    assert writes.log.records == [
        {"e": "fetch", "t": 1.5, "id": 4, "kind": "segment", "uri": "v1/all.mp4", **place},
        {"e": "fetch", "t": 2.0, "id": 5, "kind": "key", "uri": "key/1"},
    ]


def test_playback_is_recorded_with_rung_and_rate_of_what_is_shown() -> None:
    writes = recorder()
    writes.set_presentation(PRESENTATION, begin(fixed(1), PRESENTATION))
    writes.set_rung([0], 1)
    writes.add_changes(
        [StateChange(1.0, "startup", "playing", "media ready"), SegmentStart(1.0, 0)]
    )
    assert writes.log.records == [
        {"e": "state", "t": 1.0, "from": "startup", "to": "playing", "why": "media ready"},
        {"e": "play", "t": 1.0, "segment": 0, "rung": 1, "duration_s": 4.0, "bitrate_bps": 2e6},
    ]


def test_the_first_line_says_what_is_played_and_what_decides() -> None:
    writes = recorder()
    writes.set_presentation(PRESENTATION, begin(fixed(1), PRESENTATION))
    said = writes.log.provenance
    assert (said["driver"], said["algorithm"], said["title"]) == ("virtual", "Fixed", "film")
    assert (said["rungs"], said["segments"], said["duration_s"]) == (2, 2, 8.0)
    assert said["presentation_digest"] == PRESENTATION.digest()


def test_a_given_presentation_is_kept_whole() -> None:
    """A replay has no playlists to learn it from."""
    kept = recorder(PRESENTATION).log.provenance["presentation"]
    assert Presentation(**kept).digest() == PRESENTATION.digest()


def test_answers_and_what_was_given_up_are_recorded() -> None:
    writes = recorder()
    writes.add_decision(3, Decision(1, wait_s=0.5, reason=2), now_s=2.0, buffer_s=6.0)
    request = Request(4, Want(kind="segment", url="x"), 1, start_s=1.5, received_bytes=10.0)
    writes.add_abort(request, 2.5, "timeout")
    writes.add_buffer("audio", now_s=3.0, before_s=1.0, buffer_s=5.0)
    assert [{k: v for k, v in r.items() if k not in "et"} for r in writes.log.records] == [
        {"segment": 3, "rung": 1, "wait_s": 0.5, "why": "2", "buffer_s": 6.0},
        {"id": 4, "why": "timeout", "received_bytes": 10.0},
        {"track": "audio", "before_s": 1.0, "buffer_s": 5.0},
    ]


def test_a_response_is_completed_by_what_is_learnt_of_it() -> None:
    """Where redirects led, and the text of a playlist."""
    writes = recorder()
    writes.log.add("response", 1.0, id=0)
    writes.add_redirect(f"{FOLDER}other.m3u8")
    writes.log.add("finished", 2.0, id=0, size_bytes=7.0)
    writes.add_playlist("#EXTM3U")
    assert [r.get("uri", r.get("text")) for r in writes.log.records] == ["other.m3u8", "#EXTM3U"]
    assert repr(writes).endswith(", 2 records>")
    assert TOKEN not in repr(writes)


def test_media_that_lasted_beyond_the_presentation_keep_their_rung_when_it_grows() -> None:
    writes = recorder()
    writes.set_presentation(PRESENTATION, begin(fixed(1), PRESENTATION))
    writes.set_rung([0], 1)
    writes.add_changes([SegmentStart(1.0, 0), SegmentStart(5.0, 1)])
    assert [record["rung"] for record in writes.log.of("play")] == [1, 1]
