"""Whole sessions over ladders that are not as one would like them."""

from __future__ import annotations

import pytest

from abr.decision import Decision, Observation
from abr.log import SessionLog
from abr.qoe import summary
from player import replay
from player.config import PlayerConfig
from player.drivers.replay import differences
from tests.fakes.playlists import stream
from tests.fakes.texts import TextTitle, lasting
from tests.fakes.titles import fixed


class Alternate:
    """Rung 0 for even segments, the highest for odd ones."""

    def choose(self, seen: Observation) -> Decision:
        return Decision(rung=(len(seen.ladder_bps) - 1) * (seen.segment % 2))


def listed(*lines: str) -> str:
    return "\n".join(["#EXTM3U", *lines]) + "\n"


def notes(log: SessionLog) -> list[str]:
    return [record["text"] for record in log.of("note")]


def test_rungs_with_other_boundaries_are_switched_by_media_time() -> None:
    """12 s as 4 + 4 + 4 and as 6 + 6: what holds the wanted time is fetched."""
    title = TextTitle(
        {
            "m.m3u8": listed(*stream(300_000, "a.m3u8"), *stream(900_000, "b.m3u8")),
            "a.m3u8": lasting(4, 4, 4, name="a"),
            "b.m3u8": lasting(6, 6, name="b"),
        }
    )
    log = title.play(Alternate)
    # At 4 s rung 1's [0, 6), at 6 s its [6, 12), which is segment 1 of the presentation still.
    assert title.asked[2:] == ["a0.ts", "b.m3u8", "b0.ts", "b1.ts"]
    assert [(r["segment"], r["rung"]) for r in log.of("play")] == [(0, 0), (1, 1), (2, 1)]
    assert summary(log).played_s == pytest.approx(12.0)
    assert summary(log).ended == "complete"
    assert differences(log, replay(log, algorithm=Alternate)) == []


def test_shorter_segments_are_asked_for_until_the_time_is_covered() -> None:
    title = TextTitle(
        {
            "m.m3u8": listed(*stream(300_000, "a.m3u8"), *stream(900_000, "b.m3u8")),
            "a.m3u8": lasting(4, 4, name="a"),
            "b.m3u8": lasting(2, 2, 2, 2, name="b"),
        }
    )
    log = title.play(fixed(1))
    assert [name for name in title.asked if name.endswith(".ts")] == [
        "b0.ts",
        "b1.ts",
        "b2.ts",
        "b3.ts",
    ]
    assert (summary(log).ended, summary(log).rungs) == ("complete", (1, 1))


def test_each_rung_is_played_with_its_own_sound() -> None:
    """Rung 1 brings the sound with it: none is fetched for what is shown of it."""
    title = TextTitle(
        {
            "m.m3u8": listed(
                '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="x",URI="s.m3u8"',
                *stream(300_000, "a.m3u8", ',AUDIO="g"'),
                *stream(900_000, "b.m3u8"),
            ),
            "a.m3u8": lasting(4, 4, 4, 4, name="a"),
            "b.m3u8": lasting(4, 4, 4, 4, name="b"),
            "s.m3u8": lasting(4, 4, 4, 4, name="s"),
        }
    )
    log = title.play(Alternate)
    segments = [name for name in title.asked if name.endswith(".ts")]
    assert segments == ["a0.ts", "s0.ts", "b1.ts", "a2.ts", "s2.ts", "b3.ts"]
    assert summary(log).ended == "complete"
    assert summary(log).stall_events == 0


def test_a_switch_of_rung_takes_the_sound_of_its_group() -> None:
    title = TextTitle(
        {
            "m.m3u8": listed(
                '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="lo",NAME="x",URI="s.m3u8"',
                '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="hi",NAME="x",URI="t.m3u8"',
                *stream(300_000, "a.m3u8", ',AUDIO="lo"'),
                *stream(900_000, "b.m3u8", ',AUDIO="hi"'),
            ),
            "a.m3u8": lasting(4, 4, 4, name="a"),
            "b.m3u8": lasting(4, 4, 4, name="b"),
            "s.m3u8": lasting(3.98, 4, 4.02, name="s"),
            "t.m3u8": lasting(2, 2, 2, 2, 2, 2, name="t"),
        }
    )
    log = title.play(Alternate)
    assert [name for name in title.asked if name[0] in "st"] == [
        "s.m3u8",
        "s0.ts",
        "t.m3u8",
        "t2.ts",
        "t3.ts",
        "s2.ts",
    ]
    assert summary(log).ended == "complete"


def test_a_lone_playlist_takes_its_rate_from_what_it_fetched() -> None:
    """Segments of 100 and 300 kB in 4 s each: 0.2 Mbit/s at first, 0.4 on the whole."""
    sizes = {"s0.ts": 100_000.0, "s1.ts": 300_000.0}
    title = TextTitle({"a.m3u8": lasting(4, 4)}, size_bytes=sizes.__getitem__)
    log = title.play()
    assert [record["bitrate_bps"] for record in log.of("play")] == [200_000.0, 400_000.0]
    assert log.provenance["ladder_bps"] == [400_000.0]
    assert summary(log).mean_bitrate_bps == pytest.approx(400_000.0)
    assert differences(log, replay(log, algorithm=fixed(0))) == []


def test_a_rate_that_was_guessed_is_put_right_within_its_neighbours() -> None:
    """4 s of 500 kB are 1 Mbit/s, and of 5 MB are 10 Mbit/s, which the rung above forbids."""
    for size_bytes, rate_bps in ((500_000.0, 1e6), (5e6, 2e6)):
        text = listed(*stream(300_000, "a"), *stream(0, "b"), *stream(2_000_000, "c"))
        sized = text.replace("BANDWIDTH=0", "BANDWIDTH=0,RESOLUTION=640x360")
        playlists = {"m.m3u8": sized, **{name: lasting(4, 4) for name in "abc"}}
        log = TextTitle(playlists, size_bytes=lambda _, b=size_bytes: b).play(fixed(1))  # type: ignore[misc]  # default
        assert log.provenance["ladder_bps"] == [300_000.0, rate_bps, 2e6]


def test_what_is_left_out_is_noted_and_replayed() -> None:
    hevc = ',CODECS="hvc1.1.6.L93.B0"'
    title = TextTitle(
        {
            "m.m3u8": listed(
                "#EXT-X-VERSION:x",
                *stream(300_000, "a.m3u8", ',CODECS="avc1.64001f"'),
                *stream(900_000, "b.m3u8", hevc),
            ),
            "a.m3u8": lasting(4, more=["stray.ts"], name="a"),
            "b.m3u8": lasting(4, name="b"),
        }
    )
    log = title.play()
    told = [
        "m.m3u8:2: #EXT-X-VERSION without a whole number",
        "not played: variant 2 (0.9 Mbit/s): hevc beside avc, which is listed first",
        "a.m3u8:3: a URI without a tag",
    ]
    assert [note[: len(start)] for note, start in zip(notes(log), told, strict=True)] == told
    assert differences(log, replay(log, algorithm=fixed(0))) == []
    title.asked.clear()
    title.play(config=PlayerConfig(codecs="hevc"))
    assert "b0.ts" in title.asked


@pytest.mark.parametrize(
    ("tag", "first", "played_s", "note"),
    [
        ("TIME-OFFSET=9", "a2.ts", 8.0, "begins at 8 s, as EXT-X-START says"),
        ("TIME-OFFSET=9,PRECISE=YES", "a2.ts", 7.0, "begins at 9 s, as EXT-X-START says"),
        ("TIME-OFFSET=-4.5,PRECISE=YES", "a2.ts", 4.5, "begins at 11.5 s, as EXT-X-START says"),
        ("TIME-OFFSET=99", "a3.ts", 4.0, "begins at 12 s, as EXT-X-START says"),
        ("TIME-OFFSET=-99", "a0.ts", 16.0, ""),
    ],
)
def test_a_title_begins_where_its_playlist_says(
    tag: str, first: str, played_s: float, note: str
) -> None:
    """On all tracks, whichever playlist says so; 16 s in segments of 4 s, and audio of 2 s."""
    start = f"#EXT-X-START:{tag}"
    for where in (0, 1):
        title = TextTitle(
            {
                "m.m3u8": listed(
                    *[start] * (1 - where),
                    '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="x",URI="s.m3u8"',
                    *stream(300_000, "a.m3u8", ',AUDIO="g"'),
                ),
                "a.m3u8": lasting(4, 4, 4, 4, name="a", more=[start] * where),
                "s.m3u8": lasting(*[2] * 8, name="s"),
            }
        )
        log = title.play()
        segments = [name for name in title.asked if name.endswith(".ts")]
        assert segments[0] == first
        assert segments[1] == f"s{(16 - played_s) // 2:.0f}.ts"
        assert summary(log).ended == "complete"
        assert summary(log).played_s == pytest.approx(played_s)
        assert notes(log) == ([note] if note else [])
        assert differences(log, replay(log, algorithm=fixed(0))) == []


def test_of_many_remarks_some_are_noted() -> None:
    title = TextTitle({"a.m3u8": lasting(4, more=["stray.ts"] * 500)})
    log = title.play()
    assert len(notes(log)) == 11
    assert notes(log)[-1] == "a.m3u8: 490 remarks more"
