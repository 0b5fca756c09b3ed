"""How channels become those of a rendition: nothing is lost without a word."""

from __future__ import annotations

import re

import pytest

from transcode.graphs.audio import padded, sound_graph
from transcode.masters.packets import Jump
from transcode.masters.sound import AudioFacts
from transcode.masters.timing import Clock
from transcode.planning.mixing import mix


def facts(channels: int, layout: str = "") -> AudioFacts:
    return AudioFacts(index=1, channels=channels, layout=layout)


def gains(filters: str, side: str) -> dict[int, float]:
    """Gain of each channel on one side, from the words of ``pan``."""
    found = re.search(rf"[|]{side}=([^|,]+)", filters)
    assert found
    return {
        int(term.partition("*c")[2]): float(term.partition("*c")[0]) for term in found[1].split("+")
    }


@pytest.mark.parametrize(
    "layout", ["mono", "stereo", "quad", "4.0", "5.1", "5.1(side)", "6.1", "7.1", "7.1(wide)"]
)
def test_usual_layouts_are_left_to_ffmpeg(layout: str) -> None:
    assert mix(facts(8, layout), 2).filters == (
        "aresample=48000,aformat=sample_fmts=flt:channel_layouts=stereo"
    )


@pytest.mark.parametrize("layout", ["5.1.4", "7.1.4", "7.2.3", "9.1.6", "hexadecagonal", "22.2"])
def test_every_channel_of_a_layout_with_height_is_heard(layout: str) -> None:
    """Only low-frequency effects are left out of stereo; none of 5.1."""
    low = {"5.1.4": {3}, "7.1.4": {3}, "7.2.3": {3, 11}, "9.1.6": {3}, "22.2": {3, 18}}
    count = {"5.1.4": 10, "7.1.4": 12, "7.2.3": 12, "22.2": 24}.get(layout, 16)
    for channels, silent in ((2, low.get(layout, set())), (6, set())):
        filters = mix(facts(count, layout), channels).filters
        sides = ("FL", "FR") if channels == 2 else ("FL", "FR", "FC", "LFE", "BL", "BR")
        heard = {n for side in sides for n, gain in gains(filters, side).items() if gain > 0.1}
        assert heard == set(range(count)) - silent


def test_the_sides_of_a_mix_mirror_each_other() -> None:
    filters = mix(facts(12, "7.1.4"), 2).filters
    # FL FR FC LFE BL BR SL SR TFL TFR TBL TBR; surround and height at -3 dB each.
    assert gains(filters, "FL") == {0: 1, 2: 0.7071, 4: 0.7071, 6: 0.7071, 8: 0.7071, 10: 0.5}
    assert gains(filters, "FR") == {1: 1, 2: 0.7071, 5: 0.7071, 7: 0.7071, 9: 0.7071, 11: 0.5}


def test_a_layout_without_a_name_is_mixed_by_its_channels() -> None:
    filters = mix(facts(3, "3 channels (FL+FR+TFC)"), 2).filters
    assert gains(filters, "FL") == {0: 1, 2: 0.5}


@pytest.mark.parametrize("layout", ["", "3 channels"])
def test_of_three_channels_without_places_the_third_is_the_centre(layout: str) -> None:
    """Not effects, which stereo leaves out."""
    mixing = mix(facts(3, layout), 2)
    assert gains(mixing.filters, "FL") == {0: 1, 2: 0.7071}
    assert gains(mixing.filters, "FR") == {1: 1, 2: 0.7071}
    assert "taken for the usual ones" in mixing.note


@pytest.mark.parametrize(
    ("channels", "layout", "says"),
    [
        (4, "ambisonic 1", "ambisonic 1: mixed to two microphones"),
        (16, "ambisonic 3", "two microphones"),
        (12, "", "12 channels without stated places: the first two are used"),
        (16, "16 channels", "the first two are used"),
        (6, "", "6 channels without stated places: taken for the usual ones"),
        (2, "", ""),
        (2, "binaural", ""),
        (6, "5.1", ""),
    ],
)
def test_what_is_guessed_or_lost_is_told(channels: int, layout: str, says: str) -> None:
    note = mix(facts(channels, layout), 2).note
    assert says in note
    assert bool(says) == bool(note)


def test_a_pair_beside_ambisonics_is_added() -> None:
    filters = mix(facts(6, "ambisonic 1+stereo"), 2).filters
    assert "c0=0.5*c0+0.5*c1+c4|c1=0.5*c0-0.5*c1+c5" in filters


@pytest.mark.parametrize(
    ("channels", "layout", "out", "gain_db", "is_limited"),
    [
        (6, "5.1", 2, 0.0, True),
        (8, "7.1", 6, 0.0, True),
        (6, "5.1", 6, 0.0, False),
        (2, "stereo", 2, 0.0, False),
        (2, "stereo", 2, 5.0, True),
        (2, "stereo", 2, -5.0, False),
        (1, "mono", 2, 0.0, False),
    ],
)
def test_sums_and_louder_sound_are_limited(
    channels: int, layout: str, out: int, gain_db: float, is_limited: bool
) -> None:
    """What cannot exceed full scale is left as it is."""
    graph = sound_graph(
        facts(channels, layout), channels=out, clocks=[Clock()], tail="anull", gain_db=gain_db
    )
    assert ("alimiter" in graph.arguments[-1]) is is_limited


def test_each_stream_keeps_the_film_s_time_through_its_jumps() -> None:
    clock = Clock(start_s=1.4, jumps=(Jump(seen_s=-3.0, add_s=3.5),))
    graph = sound_graph(facts(2, "stereo"), channels=2, clocks=[clock], tail=padded(4.0))
    assert "PTS*TB-(1.4)" in graph.arguments[-1]
    assert "(3.5)" in graph.arguments[-1]
    assert "asetpts" not in graph.arguments[graph.arguments.index("-af") + 1]


def test_silence_in_front_makes_the_whole_longer() -> None:
    assert padded(2.0, lead_samples=648) == "adelay=delays=648S:all=1,apad=whole_dur=2.013500"
