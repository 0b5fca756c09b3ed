"""When a command that plays fails: whenever it did not play what was asked."""

from __future__ import annotations

from pathlib import Path

import pytest

import player.api
from abr.cli import main
from abr.errors import PlaybackError
from abr.log import SessionLog
from abr.qoe import shortfall
from abr.trace import Trace
from player.cli.result import finish
from player.drivers.virtual import VirtualResponse
from tests.fakes.titles import FakeTitle, play_fake


def ended(why: str | None, **provenance: object) -> SessionLog:
    log = SessionLog({"driver": "virtual", **provenance})
    log.add("start", 0.0)
    log.add("state", 1.0, **{"from": "startup", "to": "playing", "why": "media ready"})
    if why is not None:
        log.add("ended", 4.0, why=why, playhead_s=3.0)
    return log


@pytest.mark.parametrize("log", [ended("complete"), ended("stopped", stop_at_s=4.0)])
def test_a_session_that_played_what_was_asked_succeeds(log: SessionLog) -> None:
    """To its end, or until the viewer left as told."""
    assert shortfall(log) == ""


@pytest.mark.parametrize(
    ("log", "what"),
    [
        (ended("error: v0/1.m4s: status 404 after 1 attempt"), "v0/1.m4s: status 404 after 1 att"),
        (ended("stopped"), "the session is stopped after 4.0 s, 3.0 s of them played, and nothing"),
        (ended(None), "the session is still open after 1.0 s, 0.0 s of them played, and nothing"),
        (ended(None, stop_at_s=9.0), "the session is still open after 1.0 s"),
    ],
)
def test_a_session_that_did_not_fails_after_its_table(
    log: SessionLog, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log is written, the figures are printed, and the reason is the error."""
    with pytest.raises(PlaybackError, match=what):
        finish(log, tmp_path / "log.jsonl", as_json=False)
    assert "rebuffer ratio" in capsys.readouterr().out
    assert (tmp_path / "log.jsonl").is_file()


@pytest.mark.parametrize("command", ["play", "simulate"])
@pytest.mark.parametrize(
    ("log", "exit_code"),
    [(ended("complete"), 0), (ended("stopped"), 1), (ended(None), 1), (ended("error: x"), 1)],
)
def test_the_exit_code_tells(
    command: str,
    log: SessionLog,
    exit_code: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Both commands, whatever the session came to."""

    async def play(*_args: object, **_options: object) -> SessionLog:
        return log

    monkeypatch.setattr(player.api, "play", play)
    monkeypatch.setattr(player.api, "simulate", lambda *_args, **_options: log)
    source = "http://127.0.0.1:9/x.m3u8" if command == "play" else str(tmp_path)
    assert main([command, source, "--trace", "profile:sitespeed-lte", "--json"]) == exit_code
    printed = capsys.readouterr()
    assert '"startup_s"' in printed.out
    assert printed.err.startswith("abr: error: ") == bool(exit_code)


def test_a_playback_over_a_dead_network_is_an_error() -> None:
    """Silence is waited for as long as the limits say, then it is the reason."""
    dead = Trace.from_periods([(2.0, 10e6), (1000.0, 0.0)], end="hold")
    what = shortfall(play_fake(FakeTitle(segments=50), trace=dead))
    assert "no byte for 20 s after 5 attempts" in what
    gone = FakeTitle(refuse=lambda _want: VirtualResponse(0, status=503))
    assert shortfall(play_fake(gone)) == "multivariant.m3u8: status 503 after 4 attempts"
