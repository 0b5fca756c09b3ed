"""Sessions as input of ITU-T P.1203."""

from __future__ import annotations

from typing import Any

from abr.qoe.itu import p1203_input, picture_for
from bench.analysis.scores import viewing_of_row
from tests.fakes.results import PRESENTATION, row


def made_of(session: dict[str, Any], **more: Any) -> dict[str, Any]:
    return p1203_input(viewing_of_row(session, PRESENTATION), **more)


def test_a_session_becomes_segments_stalls_and_a_screen() -> None:
    """Rungs 0 and 1 of 1 and 2 Mbit/s; 1 s of startup, 2.5 s of stall after the first."""
    made = made_of(row("a", 0, stalls=[[4.0, 2.5]]), device="mobile")
    first, second = made["I13"]["segments"]
    assert first == {
        "start": 0.0, "duration": 4.0, "bitrate": 1000.0, "codec": "h264", "fps": 24.0,
        "resolution": "854x480",
    }  # fmt: skip
    assert (second["start"], second["bitrate"], second["resolution"]) == (4.0, 2000.0, "1280x720")
    assert made["I23"]["stalling"] == [[0, 1.0], [4.0, 2.5]]
    assert made["I11"]["segments"] == [
        {"start": 0, "duration": 8.0, "bitrate": 128.0, "codec": "aaclc"}
    ]
    assert made["IGen"]["device"] == "mobile"


def test_without_sound_there_is_no_audio() -> None:
    assert made_of(row("a", 0), audio_kbps=0)["I11"]["segments"] == []


def test_a_session_that_never_began_has_no_startup() -> None:
    made = made_of(row("a", 0, startup_s=None, rungs=[]))
    assert made["I23"]["stalling"] == []
    assert made["I13"]["segments"] == []


def test_pictures_grow_with_the_rate() -> None:
    assert picture_for(1.0) == "416x234"
    assert picture_for(9e6) == "1920x1080"
