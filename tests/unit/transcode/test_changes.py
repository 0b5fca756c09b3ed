"""Changes inside a master are found at its key frames."""

from __future__ import annotations

import numpy as np

from transcode.masters.changes import ChangeReader, change_notes

LINES = (
    "best_effort_timestamp_time=1.4|width=320|height=180|sample_aspect_ratio=1:1|pix_fmt=yuv420p|"
    "color_range=tv|color_space=bt709|color_primaries=bt709|color_transfer=bt709|\n"
    "best_effort_timestamp_time=3.4|width=320|height=180|sample_aspect_ratio=1:1|pix_fmt=yuv420p|"
    "color_range=tv|color_space=bt709|color_primaries=bt709|color_transfer=bt709|\n"
    "best_effort_timestamp_time=5.4|width=180|height=320|sample_aspect_ratio=1:1|pix_fmt=yuv420p|"
    "color_range=tv|color_space=bt709|color_primaries=bt709|color_transfer=bt709|\n"
    "best_effort_timestamp_time=N/A|width=180|height=320|sample_aspect_ratio=1:1|pix_fmt=yuv420p|"
    "color_range=tv|color_space=smpte170m|color_primaries=bt709|color_transfer=bt709|rotation=-90|\n"
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
            "rotation 0 to -90, not followed"
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
