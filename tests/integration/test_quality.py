"""Quality measured by ffmpeg itself, written into packages; ladders of one title."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from abr.cli import main
from abr.errors import MediaError, MissingFileError
from transcode.config import TranscodeConfig
from transcode.files.reader import check_package, read_presentation
from transcode.ladders.rungs import PlannedRung
from transcode.measuring.comparing import MeasureJob, display_of
from transcode.planning.jobs import ProductName, VideoJob
from transcode.planning.plan import EncodePlan, plan_encode
from transcode.run import ladder, scoring
from transcode.run.cache import Cache
from transcode.run.encode import EncodeTask, Source
from transcode.run.ffmpegtools import Tool, candidates
from transcode.run.package import transcode
from transcode.run.pertitle import study_title
from transcode.run.probe import probe
from transcode.run.scoring import ScoreTask, measure, measure_tracks

TOOLS = [
    tool
    for tool in candidates("ffmpeg")
    if isinstance(tool, Tool) and not tool.lacks(["libx264", "libvmaf"])
]
pytestmark = pytest.mark.skipif(not TOOLS, reason="no ffmpeg with libx264 and libvmaf was found")
QUICK = TranscodeConfig(preset="ultrafast", segment_s=1.0, gop_s=1.0, ladder="90:150,180:500")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a moving pattern, and something else from the second on."""
    path = tmp_path_factory.mktemp("quality") / "clip.mkv"
    run(
        "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=24:duration=1",
        "-f", "lavfi", "-i", "mandelbrot=size=320x180:rate=24", "-filter_complex",
        "[1]trim=end_frame=24[m];[0][m]concat", "-c:v", "libx264", "-crf", "8", str(path),
    )  # fmt: skip
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def run(*arguments: str) -> None:
    command = [TOOLS[0].path, "-nostdin", "-y", "-v", "error", *arguments]
    subprocess.run(command, check=True, timeout=60)


def test_a_package_holds_the_quality_of_every_segment_and_rung(clip: Path, tmp_path: Path) -> None:
    """What is played from it knows it too; a larger rung at more bits is the better one."""
    out = tmp_path / "film"
    found: dict[str, object] = {}
    assert main([
        "transcode", str(clip), str(out), "--preset", "ultrafast", "--segment", "1",
        "--ladder", "90:150,180:500", "--quality", "vmaf",
    ]) == 0  # fmt: skip
    index = check_package(out)
    assert index.quality is not None
    found = json.loads((out / "presentation.json").read_text(encoding="utf-8"))["quality"]
    assert (found["metric"], found["model"], found["width"]) == ("vmaf", "vmaf_v0.6.1", 320)
    low, high = index.quality.tracks
    assert len(low.segments) == len(high.segments) == 2
    assert 0 < low.mean < high.mean <= 100
    assert low.minimum <= low.low <= low.mean
    presentation = read_presentation(out)
    assert presentation.quality_metric == "vmaf"
    assert presentation.quality is not None
    assert presentation.quality.tolist() == [list(low.segments), list(high.segments)]


def encoded(folder: Path, plan: EncodePlan, *filters: str) -> Callable[[ProductName], Path]:
    """Products of a plan's rungs, made by a plain ffmpeg from other pictures."""

    def path_of(name: ProductName) -> Path:
        return folder / f"{name}.mp4"

    for number, rung in enumerate(plan.rungs):
        scale = ",".join([*filters, f"scale={rung.width}:{rung.height}"])
        run(
            "-i", str(folder / "clip.mkv"), "-vf", scale, "-c:v", "libx264", "-preset",
            "ultrafast", "-movflags", "+frag_keyframe+empty_moov", "-fps_mode", "passthrough",
            str(path_of(ProductName(f"v{number}"))),
        )  # fmt: skip
    return path_of


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        (["select='not(mod(n,2))'"], "24 frames encoded, 48 in the master"),
        (["loop=loop=1:size=1:start=20", "setpts=N/24/TB"], "49 frames encoded, 48 in the master"),
        (["setpts='(N+gte(N,30))/24/TB'"], "frame 30 is shown at 1.292 s, in the master at 1.250"),
    ],
    ids=["half missing", "one twice", "late"],
)
def test_missing_repeated_and_late_frames_get_no_figure(
    clip: Path, tmp_path: Path, filters: list[str], words: str
) -> None:
    """libvmaf alone would pair them away: half the frames missing still scores above 99."""
    (tmp_path / "clip.mkv").write_bytes(clip.read_bytes())
    facts = asyncio.run(probe(clip))
    plan = plan_encode(facts, QUICK)
    path_of = encoded(tmp_path, plan, *filters)
    job = MeasureJob(
        pictures=plan.pictures, chunk=plan.chunks[0], rungs=(("v0", plan.rungs[0]),),
        display=display_of(facts, [(320, 180)], "vmaf"),
    )  # fmt: skip
    with pytest.raises(MediaError, match=f"v0: .*{words}"):
        asyncio.run(measure(job, clip, [path_of(ProductName("v0"))]))


def test_what_was_measured_is_not_measured_again(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clip.mkv").write_bytes(clip.read_bytes())
    facts = asyncio.run(probe(clip))
    plan = plan_encode(facts, QUICK)
    path_of = encoded(tmp_path, plan)
    display = display_of(facts, [(320, 180)], "ssim")
    cache = Cache(tmp_path / "kept")
    cache.create()
    addresses = {name: str(name) for name in (ProductName("v0"), ProductName("v1"))}
    for name, address in addresses.items():
        cache.path_of(address).parent.mkdir(exist_ok=True)
        path_of(name).rename(cache.path_of(address))
    source = Source.of(clip, "clip.mkv")
    first = asyncio.run(measure_tracks(plan, addresses, display, source, QUICK, cache))
    assert first.model == "ssim"
    assert [len(each.segments) for each in first.tracks] == [2, 2]
    monkeypatch.setattr(scoring, "run_ffmpeg", None)
    again = asyncio.run(measure_tracks(plan, addresses, display, source, QUICK, cache))
    assert again == first
    monkeypatch.undo()
    other = {name: f"{address}-gone" for name, address in addresses.items()}
    with pytest.raises(MissingFileError, match="expected what was encoded in the cache"):
        asyncio.run(measure_tracks(plan, other, display, source, QUICK, cache))


def test_a_title_is_studied_in_two_sizes_at_two_qualities(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trials are real: the finer of each size takes more bits and looks better.

    A study with other limits finds them in the cache.
    """
    facts = asyncio.run(probe(clip))
    cache = Cache(tmp_path / "kept")
    cache.create()
    study = asyncio.run(
        study_title(
            clip, facts, QUICK, cache, "vmaf", sizes=[(160, 90), (320, 180)], factors=(22.0, 34.0)
        )
    )
    assert [(each.first, each.frames) for each in study.samples] == [(0, 24), (24, 24)]
    assert [(trial.height, trial.crf) for trial in study.trials] == [
        (90, 22.0), (90, 34.0), (180, 22.0), (180, 34.0),
    ]  # fmt: skip
    for fine, coarse in (study.trials[:2], study.trials[2:]):
        assert (fine.bits > coarse.bits).all()
        assert (fine.quality > coarse.quality).all()
    assert study.trials[2].quality.mean() > study.trials[0].quality.mean()
    assert all(low.bitrate_bps < high.bitrate_bps for low, high in pairwise(study.rungs))
    assert all(22.0 <= (rung.crf or 0) <= 34.0 for rung in study.rungs)
    assert not list((cache.folder / "tmp").iterdir())  # the samples are gone, trials are kept
    monkeypatch.setattr(EncodeTask, "do", None)
    monkeypatch.setattr(ScoreTask, "do", None)
    again = asyncio.run(
        study_title(
            clip, facts, replace(QUICK, peak_ratio=1.2), cache, "vmaf",
            sizes=[(160, 90), (320, 180)], factors=(22.0, 34.0),
        )
    )  # fmt: skip
    assert [trial.bits.tolist() for trial in again.trials] == [
        trial.bits.tolist() for trial in study.trials
    ]


def test_a_ladder_file_is_read_and_encoded(clip: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    config = TranscodeConfig(preset="ultrafast", segment_s=1.0, ladder=str(file))
    with pytest.raises(MissingFileError, match=r"mine\.toml: no such file"):
        asyncio.run(transcode(clip, tmp_path / "film", config))
    file.write_text("[[rung]]\nheight = 90\ncrf = 30\ncap_kbps = 300\n", encoding="utf-8")
    index = asyncio.run(transcode(clip, tmp_path / "film", config))
    assert [(track.width, track.height) for track in index.video] == [(160, 90)]
    assert index.quality is None


def test_a_title_is_studied_once(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second package of it gets the same ladder without a trial, whatever its name."""
    config = TranscodeConfig(
        preset="ultrafast", segment_s=1.0, gop_s=1.0, ladder="per-title", quality="ssim",
        cache_dir=str(tmp_path / "kept"),
    )  # fmt: skip
    first = asyncio.run(transcode(clip, tmp_path / "one", config))
    assert first.quality is not None
    assert all(each.target is not None for each in first.quality.tracks)
    monkeypatch.setattr(ladder, "study_title", None)
    renamed = tmp_path / "renamed.mkv"
    renamed.write_bytes(clip.read_bytes())
    second = asyncio.run(transcode(renamed, tmp_path / "two", config))
    assert second.video == first.video
    assert second.quality == first.quality


def test_a_rung_that_breaks_its_promise_is_encoded_once_more(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That one alone; a second run finds both of its encodes, and comes to the same package."""
    done: list[str] = []
    do = EncodeTask.do

    async def counted(task: EncodeTask, *told: Any) -> None:
        assert isinstance(task.job, VideoJob)
        factors = ", ".join(str(rung.rate_control.crf) for _, rung in task.job.rungs)
        done.append(f"{task.job} at {factors}")
        await do(task, *told)

    async def choose(*_given: object) -> tuple[PlannedRung, ...]:
        return (
            PlannedRung(160, 90, 200_000, crf=30.0, target=0.1, gain=0.01),
            PlannedRung(320, 180, 900_000, crf=34.0, target=0.9995, gain=0.001),
        )

    monkeypatch.setattr(EncodeTask, "do", counted)
    monkeypatch.setattr("transcode.run.planning.choose_ladder", choose)
    config = replace(QUICK, ladder="per-title", quality="ssim")
    notes: list[str] = []
    first = asyncio.run(transcode(clip, tmp_path / "one", config, on_note=notes.append))
    assert done == ["chunk 0 of v0, v1 at 30.0, 34.0", "chunk 0 of v1 at 31.0"]
    assert any("v1 at constant quality 31 instead of 34" in note for note in notes)
    second = asyncio.run(transcode(clip, tmp_path / "two", config))
    assert len(done) == 2
    assert (second.video, second.quality) == (first.video, first.quality)
    assert first.quality is not None
    plain = replace(config, ladder="180:900")

    async def leave(*_given: object) -> tuple[PlannedRung, ...]:
        return (replace((await choose())[1], target=None),)

    monkeypatch.setattr("transcode.run.planning.choose_ladder", leave)
    before = asyncio.run(transcode(clip, tmp_path / "three", plain))
    assert before.quality is not None
    assert first.quality.tracks[1].mean > before.quality.tracks[0].mean
