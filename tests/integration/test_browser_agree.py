"""A player in Chromium, watched over a shaped link; and what is said where there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from abr.trace import Trace
from bench.browser.record import read_record
from bench.browser.run.chromium import Chromium, Plan
from bench.stack.cli.agree import agree
from bench.stack.stack import Stack
from tests.fakes.browser import obstacle
from transcode.files.reader import read_index


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two segments of 1 s at one rung of tiny pictures."""
    folder = tmp_path_factory.mktemp("browser") / "film"
    command = [sys.executable, "-m", "abr", "transcode", "--demo", str(folder), "--demo-s", "2"]
    command += ["--demo-size", "160x90", "--segment", "1", "--ladder", "90:60", "--no-cache"]
    subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL)
    return folder


async def test_a_playback_in_the_browser_is_read_from_what_its_page_wrote_down(
    package: Path,
) -> None:
    """All of 2 s is played, at its rung, and the requests are known by their names."""
    if why := obstacle():
        pytest.skip(why)
    async with Stack([package]) as stack, Chromium({}) as chromium:
        await stack.warm()
        plan = Plan(player="native", trace=Trace.constant(5e6), seconds=20.0, rtt_s=0.04)
        raw = await chromium.play(stack.playback_url("film"), plan)
    seen = read_record(raw, read_index(package))
    assert seen.ended == "complete", seen.faults
    assert seen.startup_s is not None
    assert seen.rungs == (0, 0)
    assert seen.played_s == pytest.approx(2.0, abs=0.3)
    assert {each.segment for each in seen.requests if each.track == "audio"} == {0, 1}


def test_without_a_browser_the_comparison_is_skipped_by_name(
    package: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing is on the path: no table, no failure, and what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(agree, [str(package), "--browser", "hls.js,native"])
    assert done.exit_code == 0, done.output
    assert "skipped hls.js, native" in done.output
    assert "chromium" in done.output or "playwright" in done.output


def test_an_unknown_player_is_refused_in_one_line(package: Path) -> None:
    """VLC is none."""
    done = CliRunner().invoke(agree, [str(package), "--browser", "vlc"])
    assert done.exit_code != 0
    assert "unknown player 'vlc'" in str(done.exception)
