"""Whatever a multivariant playlist lists, each variant is played or named in a note."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from abr.errors import PlaybackError
from player.playback.ladder import Ladder, ladder_of
from player.playback.offers import Wishes
from tests.fakes.playlists import PLAYLIST_URL, multivariant, stream
from transcode.playlist import MultivariantPlaylist

CODECS = ["", "avc1.64001f,mp4a.40.2", "avc3.64001f", "hvc1.1.6.L93.B0,ec-3", "mp4a.40.5", "x,y"]
SIZES = ["", "640x360", "1280x720", "1920x1080"]
GROUPS = ["", "a", "b", "gone"]


@st.composite
def attributes(draw: st.DrawFn) -> str:
    """Of one variant: any of what matters, or none."""
    named = {
        "CODECS": draw(st.sampled_from(CODECS)),
        "AUDIO": draw(st.sampled_from(GROUPS)),
        "PATHWAY-ID": draw(st.sampled_from(["", "P", "Q"])),
        "STABLE-VARIANT-ID": draw(st.sampled_from(["", "1", "2"])),
    }
    plain = {
        "RESOLUTION": draw(st.sampled_from(SIZES)),
        "VIDEO-RANGE": draw(st.sampled_from(["", "SDR", "PQ"])),
        "AVERAGE-BANDWIDTH": draw(st.sampled_from(["", "0", "900000", "9000000"])),
    }
    quoted = [f'{name}="{value}"' for name, value in named.items() if value]
    return "".join(f",{each}" for each in [*quoted, *(f"{n}={v}" for n, v in plain.items() if v)])


@st.composite
def renditions(draw: st.DrawFn) -> str:
    """One sound of a group."""
    parts = [
        "TYPE=AUDIO",
        f'GROUP-ID="{draw(st.sampled_from("ab"))}"',
        f'NAME="{draw(st.sampled_from("xyz"))}"',
        *draw(st.sampled_from([[], ['LANGUAGE="de"'], ['LANGUAGE="en-GB"']])),
        *draw(st.sampled_from([[], ["DEFAULT=YES"], ["AUTOSELECT=YES"]])),
        *draw(st.sampled_from([[], ['CHANNELS="2"'], ['CHANNELS="6"']])),
        *draw(st.sampled_from([[], ['URI="s.m3u8"'], ['URI="t.m3u8"'], ['URI="v0.m3u8"']])),
    ]
    return "#EXT-X-MEDIA:" + ",".join(parts)


@st.composite
def playlists(draw: st.DrawFn) -> MultivariantPlaylist:
    """Up to eight variants at up to five addresses."""
    lines = draw(st.lists(renditions(), max_size=4))
    for _ in range(draw(st.integers(1, 8))):
        bandwidth = draw(st.sampled_from([0, 1, 300_000, 800_000, 3_000_000, 10**14]))
        lines += stream(bandwidth, f"v{draw(st.integers(0, 4))}.m3u8", draw(attributes()))
    return multivariant(*lines)


WISHES = st.builds(
    Wishes,
    codecs=st.sampled_from(["", "avc", "hevc,avc", "ec-3", "av1"]),
    language=st.sampled_from(["", "de", "en", "fr"]),
    audio_group=st.sampled_from(["", "a", "b", "c"]),
)


def numbers_in_notes(ladder: Ladder) -> list[int]:
    """Of the variants that notes say are not played."""
    told = [note for note in ladder.notes if note.startswith("not played: ")]
    return [int(each) for note in told for each in re.findall(r"variant (\d+) \([^)]*Mbit", note)]


@given(playlists(), WISHES)
def test_every_variant_is_played_or_named(playlist: MultivariantPlaylist, wishes: Wishes) -> None:
    """Each once; rungs rise; a wish that cannot be met is refused in words."""
    try:
        ladder = ladder_of(playlist, url=PLAYLIST_URL, wishes=wishes)
    except PlaybackError as exc:
        assert "the playlist" in str(exc)
        return
    rates = [rung.bitrate_bps for rung in ladder.rungs]
    assert rates == sorted(set(rates))
    assert rates
    assert min(rates) > 0
    left_out = numbers_in_notes(ladder)
    places = sum(len(rung.places) for rung in ladder.rungs)
    assert len(left_out) == len(set(left_out))
    assert places + len(left_out) == len(playlist.variants)
    assert sum(rung.is_first for rung in ladder.rungs) == 1
    assert ladder == ladder_of(playlist, url=PLAYLIST_URL, wishes=wishes)
