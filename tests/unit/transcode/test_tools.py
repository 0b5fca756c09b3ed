"""What a tool can do, from what it says of itself."""

from __future__ import annotations

import pytest

from transcode.run.ffmpegtools import LOOPBACK, Tool


@pytest.mark.parametrize(
    ("version", "has_loopback"),
    [
        ("9.0.2", True), ("8.1.2", True), ("7.1", True), ("10.0", True),
        ("7.0.2", False), ("5.1.9", False), ("4.4", False),
        ("N", True), ("git", True),  # builds from a repository state no number
    ],
)  # fmt: skip
def test_loopback_decoders_come_with_a_version(version: str, has_loopback: bool) -> None:
    tool = Tool(name="ffmpeg", path="/bin/ffmpeg", version=version, origin="PATH")
    assert tool.lacks([LOOPBACK, "aac"]) == [*([] if has_loopback else [LOOPBACK]), "aac"]
