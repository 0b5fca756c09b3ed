"""Changes inside a master are found at its key frames."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from abr.errors import MediaError
from transcode.masters.changes import Change, ChangeReader, Look, change_notes, followed
from transcode.masters.colour import BT709, ColourFacts

LINES = (
    "best_effort_timestamp_time=1.4|width=320|height=180|sample_aspect_ratio=1:1|pix_fmt=yuv420p|"
    "color_range=tv|color_space=bt709|color_primaries=bt709|color_transfer=bt709|\n"
    "best_effort_timestamp_time=3.4|width=320|height=180|sample_aspect_ratio=1:1|pix_fmt=yuv420p|"
    "color_range=tv|color_space=bt709|color_primaries=bt709|color_transfer=bt709|\n"
    "best_effort_timestamp_time=5.4|width=180|height=320|sample_aspect_ratio=1:1|pix_fmt=yuv420p|"
    "color_range=tv|color_space=bt709|color_primaries=bt709|color_transfer=bt709|\n"
    "best_effort_timestamp_time=N/A|width=180|height=320|sample_aspect_ratio=1:1|pix_fmt=yuv420p|"
    "color_range=tv|color_space=smpte170m|color_primaries=bt709|color_transfer=bt709|"
    "side_datum/3x3_displaymatrix:rotation=-90|\n"
)


def test_every_change_is_told_with_its_place() -> None:
    reader = ChangeReader()
    for at in range(0, len(LINES), 7):
        reader.feed(LINES[at : at + 7].encode())
    turned, coloured = reader.changes
    assert (turned.is_of_shape, coloured.is_of_shape) == (True, False)
    said = [str(note) for note in change_notes(reader.changes, np.array(reader.times_s) - 1.4)]
    assert said == [
        (
            "at 0:04.000: pictures change from size 320x180 to 180x320; "
            "the picture is fitted into the first shape"
        ),
        (
            "pictures change from colour tv/bt709/bt709/bt709 to tv/smpte170m/bt709/bt709, "
            "rotation 0 to -90"
        ),
    ]


def test_a_constant_film_has_none() -> None:
    reader = ChangeReader()
    reader.feed((LINES.splitlines(keepends=True)[0] * 50).encode() + b"nonsense|width=x|\n")
    assert reader.changes == []


def test_many_changes_make_few_notes() -> None:
    first, _, turned, _ = LINES.splitlines(keepends=True)
    reader = ChangeReader()
    reader.feed(((first + turned) * 20).encode())
    notes = list(change_notes(reader.changes, np.array(reader.times_s)))
    assert len(notes) == 6
    assert str(notes[-1]) == "pictures change 34 times more"


def look(colours: str = "tv/bt709/bt709/bt709", rotation: str = "") -> Look:
    return Look(
        width=320, height=180, aspect="1:1", pixels="yuv420p",
        colours=tuple(colours.split("/")), rotation=rotation,
    )  # fmt: skip


def changes(*looks: Look) -> list[Change]:
    pairs = itertools.pairwise(looks)
    return [Change(key=key, before=one, after=other) for key, (one, other) in enumerate(pairs, 1)]


@pytest.mark.parametrize(
    ("colours", "unstated", "converts", "forced"),
    [
        ("pc/bt709/bt709/bt709", (), True, ()),
        ("tv/bt2020nc/bt2020/bt709", (), True, ()),
        ("unknown/bt709/bt709/bt709", ("range",), True, ()),
        ("tv/unknown/bt709/bt709", (), True, ("matrix",)),
    ],
)
def test_colours_that_change_are_followed(
    colours: str, unstated: tuple[str, ...], converts: bool, forced: tuple[str, ...]
) -> None:
    """What a part does not state is stated for all where the others say what was assumed."""
    colour = ColourFacts(colour=BT709, unstated=unstated)
    times_s = np.array([0.0, 3.0])
    found = followed(colour, changes(look(), look(colours)), times_s, where="film.ts")
    assert (found.changes, found.unstated) == (converts, forced)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (look(rotation="-90"), "rotation 0 to -90 at 0:03.000; expected one rotation throughout"),
        (look("tv/bt2020nc/bt2020/smpte2084"), "expected one dynamic range throughout"),
        (look("tv/smpte170m/smpte170m/unknown"), None),
        (look("tv/unknown/bt709/bt709"), "stated in one part only"),
    ],
)
def test_what_no_filter_can_follow_is_refused_with_its_place(
    second: Look, words: str | None
) -> None:
    colour = ColourFacts(colour=BT709)
    first = look("tv/smpte170m/bt709/bt709") if words and "part" in words else look()
    if words is None:
        assert followed(colour, changes(first, second), np.array([0, 3]), where="f").changes
        return
    with pytest.raises(MediaError, match=rf"^film\.ts: .*{words}.*cut it there") as caught:
        followed(colour, changes(first, second), np.array([0.0, 3.0]), where="film.ts")
    assert "0:03.000" in str(caught.value)
