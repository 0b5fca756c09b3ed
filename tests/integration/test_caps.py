"""Rates stay below their caps, segment by segment, whatever the pictures are."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from transcode.config import TranscodeConfig
from transcode.run.ffmpegtools import Tool, candidates
from transcode.run.package import transcode

NEEDS = ["libx264", "libx265", "libsvtav1", "libdav1d"]
FFMPEGS = [
    tool for tool in candidates("ffmpeg") if isinstance(tool, Tool) and not tool.lacks(NEEDS)
]
pytestmark = pytest.mark.skipif(not FFMPEGS, reason="no ffmpeg with all encoders was found")


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of stillness, then noise that no encoder can predict."""
    path = tmp_path_factory.mktemp("masters") / "noise.mkv"
    pattern = "testsrc=s=160x90:r=25:d=6,noise=alls=80:allf=t:enable='gte(t,1)',format=yuv420p"
    command = [FFMPEGS[0].path, "-nostdin", "-v", "error", "-f", "lavfi", "-i", pattern]
    subprocess.run([*command, "-c:v", "ffv1", "-g", "1", str(path)], check=True)
    return path


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_no_segment_of_noise_is_over_its_cap_by_more_than_a_half(
    codec: str, noise: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In chunks of 3 s and segments of 1 s; one 2 s buffer would let a segment take thrice."""
    monkeypatch.setattr("transcode.planning.chunks.LEAST_S", 3.0)
    config = TranscodeConfig(
        ladder="90:150", codec=codec, segment_s=1.0, gop_s=1.0, chunk_s=3.0, preset="ultrafast",
        no_cache=True, workers=1,
    )  # fmt: skip
    index = asyncio.run(transcode(noise, tmp_path / "noise", config))
    (rung,) = index.video
    rates = [8 * each.size_bytes / each.duration_s / 150_000 for each in rung.segments]
    print(codec, [round(each, 2) for each in rates])
    assert max(rates) <= 1.5 + 0.03  # with the headers of fragments, which the cap leaves out
    assert max(rates) > 0.6
