"""Packages in HEVC and AV1: every segment alone, names from the bytes, several ladders in one."""

from __future__ import annotations

import asyncio
import json
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from abr.cli import main
from abr.errors import ToolMissingError
from tests import hlsrules
from transcode.config import TranscodeConfig
from transcode.files.reader import check_package, read_presentation
from transcode.packaging.index import PresentationIndex
from transcode.playlist import MultivariantPlaylist, parse
from transcode.run.ffmpegtools import Tool, candidates, find
from transcode.run.package import transcode

FFMPEGS = [
    tool
    for tool in candidates("ffmpeg")
    if isinstance(tool, Tool) and not tool.lacks(["libx264", "libx265"])
]
pytestmark = pytest.mark.skipif(not FFMPEGS, reason="no ffmpeg with x264 and x265")
AV1_NEEDS = ("libsvtav1", "libdav1d")


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2.2 s with a tone, whose segments of 1 s have two groups of pictures each."""
    path = tmp_path_factory.mktemp("master") / "m.mp4"
    command = [
        FFMPEGS[0].path, "-nostdin", "-v", "error",
        "-f", "lavfi", "-i", "testsrc2=size=192x108:rate=25:duration=2.2",
        "-f", "lavfi", "-i", "sine=440:duration=2.2",
        "-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-c:a", "aac", str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True, timeout=60)
    return path


def package(master: Path, out: Path, **settings: Any) -> PresentationIndex:
    quick: dict[str, Any] = {"preset": "ultrafast", "segment_s": 1.0, "gop_s": 0.5}
    config = TranscodeConfig(**{**quick, "ladder": "54:60,108:150", **settings})
    return asyncio.run(transcode(master, out, config))


@pytest.mark.parametrize("tool", FFMPEGS, ids=lambda tool: tool.version)
def test_a_package_of_three_codecs_keeps_every_rule(
    tool: Tool, master: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decoded alone, every segment gives the frames that it gives in a row.

    With CRA instead of IDR pictures, HEVC would lose two or three frames a group here.
    """
    monkeypatch.setenv("ABR_FFMPEG", tool.path)
    has_av1 = not tool.lacks(AV1_NEEDS)
    index = package(master, tmp_path / "out", codec="h264,hevc" + has_av1 * ",av1")
    assert [track.codecs[:5] for track in index.video] == ["avc1.", "avc1."]
    kinds = 2 * ["hvc1.1"] + 2 * has_av1 * ["av01.0"]
    assert [track.codecs[:6] for track in index.more_video] == kinds
    assert {len(track.segments) for track in index.rungs} == {3}
    assert hlsrules.check(tmp_path / "out", ffmpegs=[tool.path]) == []


def test_an_encoder_without_a_decoder_to_check_it_is_not_used(
    master: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some builds encode AV1 and cannot decode it but by hardware."""
    blind = [tool for tool in FFMPEGS if tool.lacks(AV1_NEEDS) == ["libdav1d"]]
    if not blind:
        pytest.skip("every ffmpeg here that encodes AV1 decodes it")
    monkeypatch.setenv("ABR_FFMPEG", blind[0].path)
    with pytest.raises(ToolMissingError, match="lacks libdav1d"):
        package(master, tmp_path / "out", codec="av1")


@pytest.mark.parametrize("codec", ["hevc", "av1"])
def test_one_other_codec_is_the_first_ladder(codec: str, master: Path, tmp_path: Path) -> None:
    index = package(master, tmp_path / "out", codec=codec)
    kind = {"hevc": "hvc1.", "av1": "av01."}[codec]
    assert all(track.codecs.startswith(kind) for track in index.video)
    assert index.more_video == ()
    assert check_package(tmp_path / "out") == index


def test_players_and_simulators_stay_in_the_first_ladder(master: Path, tmp_path: Path) -> None:
    """Listed first, and all that a presentation holds; equal places score the same."""
    index = package(master, tmp_path / "out", codec="hevc,h264")
    presentation = read_presentation(tmp_path / "out")
    assert presentation.sizes_bytes.tolist() == [
        [segment.size_bytes for segment in track.segments] for track in index.video
    ]
    playlist = parse((tmp_path / "out/multivariant.m3u8").read_text())
    assert isinstance(playlist, MultivariantPlaylist)
    kinds = [variant.codecs.partition(".")[0] for variant in playlist.variants]
    assert kinds == ["hvc1", "hvc1", "avc1", "avc1"]
    assert {variant.video_range for variant in playlist.variants} == {"SDR"}
    assert sorted(variant.score or 0 for variant in playlist.variants) == [1.0, 1.0, 2.0, 2.0]


def test_the_same_master_gives_the_same_bytes(master: Path, tmp_path: Path) -> None:
    """Threads of x265 and SVT-AV1 do not change what comes out."""
    one = package(master, tmp_path / "one" / "m", codec="hevc,av1")
    other = package(master, tmp_path / "other" / "m", codec="hevc,av1")
    assert one == other
    for path in sorted((tmp_path / "one").rglob("*.m4s")):
        again = tmp_path / "other" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == again.read_bytes()


def test_the_command_names_codecs_and_lists_every_ladder(
    master: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["transcode", str(master), str(tmp_path / "out"), "--codec", "h264,av1"]
    options = ["--ladder", "108:150", "--preset", "ultrafast", "--json"]
    assert main([*arguments, *options]) == 0
    rungs = json.loads(capsys.readouterr().out)["rungs"]
    assert [rung["codecs"][:5] for rung in rungs] == ["avc1.", "av01."]


@pytest.mark.parametrize(
    ("given", "says"),
    [("h265", "found 'h265'"), ("h264,h264", "names a codec twice"), ("", "found ''")],
)
def test_a_codec_that_cannot_be_is_refused(
    given: str, says: str, master: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["transcode", str(master), str(tmp_path / "out"), "--codec", given]) != 0
    assert says in capsys.readouterr().err


LIGHT = (
    "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):"
    "max-cll=1000,400"
)


def told_light(init: Path) -> tuple[float, ...]:
    """What ffprobe reads from the boxes of a section without segments."""
    command = [find("ffprobe").path, "-v", "quiet", "-of", "json", "-show_streams", str(init)]
    printed = subprocess.run(command, capture_output=True, timeout=60, check=True).stdout
    (stream,) = json.loads(printed)["streams"]
    found = {key: value for each in stream["side_data_list"] for key, value in each.items()}
    content = found["max_content"], found["max_average"]
    return *content, *(float(Fraction(found[each])) for each in ("red_x", "min_luminance"))


@pytest.mark.parametrize("curve", ["smpte2084", "arib-std-b67"])
def test_a_high_dynamic_range_and_its_light_are_kept_beside_a_tone_mapped_ladder(
    curve: str, tmp_path: Path
) -> None:
    """In every segment alone; the H.264 rung says nothing of the master's light."""
    tool = FFMPEGS[0]
    if tool.lacks(["zscale", *AV1_NEEDS]):
        pytest.skip("this ffmpeg has no zscale or no AV1")
    tags = f"setparams=color_primaries=bt2020:color_trc={curve}:colorspace=bt2020nc:range=tv"
    path = tmp_path / "bright.mp4"
    is_pq = curve == "smpte2084"
    command = [
        tool.path, "-nostdin", "-v", "error", "-f", "lavfi",
        "-i", f"testsrc2=size=192x108:rate=25:duration=1.2,format=yuv420p10le,{tags}",
        "-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
        "log-level=error:keyint=15" + is_pq * f":hdr10=1:{LIGHT}", str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True, timeout=60)
    out = tmp_path / "out"
    index = package(path, out, codec="h264,hevc,av1", ladder="108:200")
    name = "PQ" if is_pq else "HLG"
    assert [track.video_range for track in index.rungs] == ["SDR", name, name]
    assert [track.codecs[:9] for track in index.rungs[1:]] == ["hvc1.2.4.", "av01.0.00"]
    playlist = parse((out / "multivariant.m3u8").read_text())
    assert isinstance(playlist, MultivariantPlaylist)
    assert [variant.video_range for variant in playlist.variants] == ["SDR", name, name]
    assert hlsrules.check(out, ffmpegs=[tool.path]) == []
    for track in index.rungs:
        alone = [out / track.folder / each for each in ("init.mp4", "00001.m4s")]
        shown = subprocess.run(
            [tool.path, "-v", "info", "-i", "pipe:0", "-vf", "showinfo", "-f", "null", "-"],
            input=b"".join(each.read_bytes() for each in alone),
            capture_output=True, timeout=60, check=True,
        ).stderr.decode()  # fmt: skip
        keeps = is_pq and track.video_range == "PQ"
        assert ("r(0.6800,0.3200) g(0.2650,0.6900)" in shown) is keeps
        assert ("MaxCLL=1000, MaxFALL=400" in shown) is keeps
        init = alone[0].read_bytes()
        assert (b"mdcv" in init) is (b"clli" in init) is keeps
        assert not keeps or told_light(alone[0]) == (1000, 400, 34000 / 50000, 50 / 10_000)
        curve_out = "bt709" if track.video_range == "SDR" else curve
        assert f"color_trc:{curve_out}" in shown
