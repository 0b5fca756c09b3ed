"""Chunks: decoded exactly, made once, and resumed after anything was killed or full."""

from __future__ import annotations

import asyncio
import filecmp
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ffmpeg
import pytest

from abr.cli import main
from abr.errors import AbrError, DiskFullError, ToolFailedError
from transcode.config import TranscodeConfig
from transcode.ffmpeg import open_pictures
from transcode.graphs.clock import place_pictures
from transcode.planning.chunks import Chunk
from transcode.planning.jobs import AudioJob
from transcode.planning.plan import EncodePlan, plan_encode
from transcode.run import encode
from transcode.run.encode import EncodeTask
from transcode.run.ffmpegtools import Tool, candidates
from transcode.run.package import transcode
from transcode.run.probe import probe
from transcode.run.starts import keep_real_starts

FFMPEGS = [
    tool for tool in candidates("ffmpeg") if isinstance(tool, Tool) and not tool.lacks(["libx264"])
]
pytestmark = pytest.mark.skipif(not FFMPEGS, reason="no ffmpeg with libx264 was found")
ROOT = Path(__file__).parents[2]
SMALL: dict[str, Any] = {
    "preset": "ultrafast", "segment_s": 1.0, "chunk_s": 2.0, "ladder": "54:40,90:100",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of two seconds, so that clips of a few have several."""
    monkeypatch.setattr("transcode.planning.chunks.LEAST_S", 2.0)


def make(path: Path, *arguments: str, rate: str = "25", seconds: float = 6.0) -> Path:
    """A test pattern of 160x90."""
    command = [FFMPEGS[0].path, "-nostdin", "-y", "-v", "error"]
    pattern = f"testsrc2=size=160x90:rate={rate}:duration={seconds}"
    given = arguments or ("-c:v", "libx264", "-preset", "veryfast", "-g", "25")
    subprocess.run([*command, "-f", "lavfi", "-i", pattern, *given, str(path)], check=True)
    return path


X264 = ("-c:v", "libx264", "-preset", "veryfast")
VFR = "select='not(mod(n\\,3))+gt(mod(t\\,2)\\,1)'"
EXACT: dict[str, tuple[str, str, tuple[str, ...], int]] = {
    # name of the file, frames a second, how it is made, least number of chunks
    "24": ("m.mp4", "24", (*X264, "-g", "48"), 3),
    "29.97": ("m.mp4", "30000/1001", (*X264, "-g", "30"), 3),
    "sparse key frames": ("m.mp4", "25", (*X264, "-g", "70", "-keyint_min", "70"), 2),
    "open groups": ("m.mp4", "25", (*X264, "-g", "20", "-x264-params", "open-gop=1"), 1),
    "deep B-frames": ("m.mp4", "25", (*X264, "-g", "25", "-bf", "7", "-b_strategy", "0"), 3),
    "Matroska": ("m.mkv", "24000/1001", (*X264, "-g", "24"), 3),
    "variable rate": ("m.mp4", "30", ("-vf", VFR, "-fps_mode", "vfr", *X264, "-g", "15"), 3),
    "every frame a key frame": ("m.mov", "25", ("-c:v", "mjpeg"), 3),
    "thinned from 120": ("m.mp4", "120", (*X264, "-g", "120"), 1),
}


@pytest.mark.parametrize("kind", EXACT)
def test_chunks_hold_the_frames_of_the_whole(kind: str, tmp_path: Path) -> None:
    """The same pictures at the same places, by their hashes, as decoding from the beginning."""
    name, rate, arguments, least = EXACT[kind]
    master = make(tmp_path / name, *arguments, rate=rate)
    check_exact(master, least)


def test_chunks_are_exact_where_the_sound_leads(tmp_path: Path) -> None:
    """The film begins with the sound, 0.7 s before the picture."""
    picture = make(tmp_path / "picture.mp4")
    master = tmp_path / "m.mp4"
    subprocess.run(
        [FFMPEGS[0].path, "-nostdin", "-v", "error", "-itsoffset", "0.7", "-i", str(picture),
         "-f", "lavfi", "-i", "sine=440:duration=6", "-map", "0:v", "-map", "1:a",
         "-c:v", "copy", "-c:a", "aac", str(master)],
        check=True,
    )  # fmt: skip
    check_exact(master, 3)


def check_exact(master: Path, least: int) -> None:
    facts = asyncio.run(probe(master))
    facts = asyncio.run(keep_real_starts(facts, master, stall_limit_s=20))
    plan = plan_encode(facts, TranscodeConfig(**SMALL))
    assert len(plan.chunks) >= least
    frames = sum(chunk.frames or 0 for chunk in plan.chunks)
    whole = hashes(master, plan, replace(plan.chunks[0], frames=frames, is_last=True))
    assert len(whole) == frames
    assert [each for chunk in plan.chunks for each in hashes(master, plan, chunk)] == whole


def hashes(master: Path, plan: EncodePlan, chunk: Chunk) -> list[str]:
    """Of the decoded frames of a chunk."""
    pictures = plan.pictures
    source = open_pictures(pictures, str(master), chunk)
    placed = place_pictures(source[str(pictures.index)], pictures.clock, pictures.frame_rate, chunk)
    made = ffmpeg.output(
        placed, "-", format="framehash", fps_mode="passthrough", **{"c:v": "rawvideo"}
    )
    done = subprocess.run(
        [FFMPEGS[0].path, "-nostdin", "-v", "error", "-xerror", "-copyts", *made.compile(cmd=[])],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stderr == ""
    return [line.split(",")[-1] for line in done.stdout.splitlines() if line[:1].isdigit()]


@pytest.fixture(scope="module", name="film")
def _film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds with a tone."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return make(path, "-f", "lavfi", "-i", "sine=440:duration=6", *X264, "-g", "25", "-c:a", "aac")


def package(film: Path, out: Path, **settings: Any) -> None:
    asyncio.run(transcode(film, out, TranscodeConfig(**{**SMALL, **settings})))


def count_encodes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The jobs that are done from now on."""
    done: list[str] = []
    do = EncodeTask.do

    async def counted(task: Any, *calls: Any) -> None:
        done.append(str(task.job))
        await do(task, *calls)

    monkeypatch.setattr(EncodeTask, "do", counted)
    return done


def same(one: Path, other: Path) -> bool:
    """Whether two packages of one title hold the same bytes."""
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    theirs = sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
    return names == theirs and all(
        filecmp.cmp(one / name, other / name, shallow=False) for name in names
    )


def test_a_second_run_encodes_nothing_and_a_changed_rung_only_itself(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even when another rung below moves it to another folder."""
    done = count_encodes(monkeypatch)
    package(film, tmp_path / "a" / "film")
    assert sorted(done) == [*(f"chunk {number} of v0, v1" for number in range(3)), "sound a0"]
    done.clear()
    package(film, tmp_path / "b" / "film")
    assert done == []
    assert same(tmp_path / "a" / "film", tmp_path / "b" / "film")
    package(film, tmp_path / "c" / "film", ladder="54:40,90:150")
    assert sorted(done) == [f"chunk {number} of v1" for number in range(3)]
    done.clear()
    package(film, tmp_path / "d" / "film", ladder="36:20,54:40,90:100")
    assert sorted(done) == [f"chunk {number} of v0" for number in range(3)]


def test_a_chunk_is_checked_while_the_next_is_encoded_and_one_at_a_time_is(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    do, check_decode = EncodeTask.do, encode._check_decode
    begun: list[EncodeTask] = []
    encoding: list[EncodeTask] = []
    most = [0]
    second_begins = threading.Event()

    async def watched(task: EncodeTask, on_tick: Any, on_eased: Callable[[], None]) -> None:
        if isinstance(task.job, AudioJob):
            await do(task, on_tick, on_eased)
            return
        begun.append(task)
        encoding.append(task)
        most[0] = max(most[0], len(encoding))
        if len(begun) == 2:
            second_begins.set()

        def eased() -> None:
            encoding.remove(task)
            on_eased()

        await do(task, on_tick, eased)

    async def late(task: EncodeTask, *arguments: Any) -> None:
        if task is begun[0]:
            assert second_begins.wait(20), "the second chunk waits for a check of the first"
        await check_decode(task, *arguments)

    monkeypatch.setattr(EncodeTask, "do", watched)
    monkeypatch.setattr(encode, "_check_decode", late)
    package(film, tmp_path / "film", workers=1)
    assert (len(begun), most[0]) == (3, 1)


def test_without_a_cache_nothing_is_kept(film: Path, tmp_path: Path) -> None:
    """And what comes out is the same."""
    package(film, tmp_path / "a" / "film")
    os.environ["ABR_CACHE"] += "-other"
    package(film, tmp_path / "b" / "film", no_cache=True)
    assert same(tmp_path / "a" / "film", tmp_path / "b" / "film")
    assert not Path(os.environ["ABR_CACHE"]).exists()
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["film"]


def test_a_product_that_was_damaged_in_the_cache_is_made_again(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = count_encodes(monkeypatch)
    package(film, tmp_path / "a" / "film")
    done.clear()
    victim = max(Path(os.environ["ABR_CACHE"]).glob("products/*/*.mp4"))
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    package(film, tmp_path / "b" / "film")
    assert len(done) == 1
    assert same(tmp_path / "a" / "film", tmp_path / "b" / "film")


def ffmpeg_script(path: Path, body: str) -> str:
    """A program that does something before, or instead of, ffmpeg's encodes."""
    real = FFMPEGS[0].path
    path.write_text(
        f'#!/bin/sh\ncase "$*" in *libx264*-preset*) {body} ;; esac\nexec "{real}" "$@"\n'
    )
    path.chmod(0o755)
    return str(path)


def test_an_encode_that_is_killed_is_tried_again(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the system wants memory: once for each chunk."""
    body = (
        f"n=$(ls {tmp_path}/tried* 2>/dev/null | wc -l); touch {tmp_path}/tried$$; "
        '[ "$n" -lt 2 ] && kill -9 $$'
    )
    monkeypatch.setenv("ABR_FFMPEG", ffmpeg_script(tmp_path / "ffmpeg", body))
    # Far below the caps, so that no rung is made again for being above.
    package(film, tmp_path / "film", workers=1, ladder="54:400,90:1000")
    assert (tmp_path / "film" / "presentation.json").exists()
    assert len(list(tmp_path.glob("tried*"))) == 2 + 3


def test_an_encode_that_is_always_killed_fails_with_its_name(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABR_FFMPEG", ffmpeg_script(tmp_path / "ffmpeg", "kill -9 $$"))
    with pytest.raises(ToolFailedError, match=r"chunk \d of v0, v1: ffmpeg was killed 3 times"):
        package(film, tmp_path / "film")
    assert not (tmp_path / "film").exists()


@pytest.mark.parametrize("lost", ["frames", "all"])
def test_an_ffmpeg_that_delivers_too_little_and_says_nothing_is_found_out(
    lost: str, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It exits with 0 and reports the end, as ffmpeg does on a full disk."""
    bodies = {
        # Half a second of the input only.
        "frames": 'for a do shift; [ "$a" = -i ] && set -- "$@" -t 0.5; set -- "$@" "$a"; done',
        "all": "echo frame=50; echo progress=end; exit 0",
    }
    body = bodies[lost]
    monkeypatch.setenv("ABR_FFMPEG", ffmpeg_script(tmp_path / "ffmpeg", body))
    with pytest.raises(AbrError, match=r"frames; expected|no initialisation section"):
        package(film, tmp_path / "film")
    assert not (tmp_path / "film").exists()


def test_a_killed_run_resumes_with_what_was_finished(film: Path, tmp_path: Path) -> None:
    """Its ffmpeg end with it; nothing is left; the package is that of an undisturbed run."""
    cache = Path(os.environ["ABR_CACHE"])
    options = ["--preset", "ultrafast", "--segment", "1", "--ladder", "54:40,90:100"]
    code = (
        "import sys, transcode.planning.chunks\n"
        "transcode.planning.chunks.LEAST_S = 2.0\n"
        "from abr.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    # Chunks are encoded slowly, so that there is a moment to kill in.
    slow = ffmpeg_script(tmp_path / "ffmpeg", "sleep 0.3")
    command = [sys.executable, "-c", code, "transcode", str(film), str(tmp_path / "film")]
    process = subprocess.Popen(
        [*command, *options, "--workers", "1"], cwd=ROOT, start_new_session=True,
        env={**os.environ, "ABR_FFMPEG": slow, "ABR_TRANSCODE_CHUNK_S": "2"},
    )  # fmt: skip
    limit_s = time.monotonic() + 30
    while len(list(cache.glob("products/*/*.mp4"))) < 2 and time.monotonic() < limit_s:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = {path: path.stat().st_ino for path in cache.glob("products/*/*.mp4")}
    assert len(finished) >= 2
    os.environ["ABR_FFMPEG"] = slow
    try:
        package(film, tmp_path / "film", workers=1)
        assert {path: path.stat().st_ino for path in finished} == finished
        package(film, tmp_path / "calm" / "film", cache_dir=str(tmp_path / "calm-cache"))
    finally:
        del os.environ["ABR_FFMPEG"]
    assert same(tmp_path / "film", tmp_path / "calm" / "film")
    assert list((cache / "tmp").iterdir()) == list((cache / "runs").iterdir()) == []
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"film", "calm", "calm-cache", "ffmpeg"}


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 150 kB; only an administrator may make one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=150k", "tmpfs", str(place)]
    if not mount or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a tmpfs here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_cache_is_named_and_goes_on_when_there_is_room(
    film: Path, small_disk: Path, tmp_path: Path
) -> None:
    """What was finished stays; nothing else does."""
    cache = small_disk / "cache"
    with pytest.raises(DiskFullError, match="no room left on the disk for the cache"):
        package(film, tmp_path / "film", cache_dir=str(cache), ladder="54:40,90:3000")
    assert [path.name for path in tmp_path.iterdir()] == ["disk"]
    assert list((cache / "tmp").iterdir()) == list((cache / "runs").iterdir()) == []
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    package(film, tmp_path / "film", cache_dir=str(cache), ladder="54:40,90:3000")
    assert (tmp_path / "film" / "presentation.json").exists()


def test_the_plan_is_printed_and_nothing_is_encoded(
    film: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As a tree, and as JSON; it knows what the cache has."""
    command = ["transcode", str(film), str(tmp_path / "film"), "--plan"]
    options = ["--ladder", "54:40,90:100", "--segment", "1", "--preset", "ultrafast"]
    assert main([*command, *options]) == 0
    said = capfd.readouterr().out
    assert "chunk 2   4.00  to 6.00 s  make v0 v1" in said
    assert said.endswith("0 of 7 products are in the cache, 7 to be made\n")
    assert list(tmp_path.iterdir()) == []
    package(film, tmp_path / "film", chunk_s=16.0)
    shutil.rmtree(tmp_path / "film")
    assert main([*command, *options, "--json"]) == 0
    data = json.loads(capfd.readouterr().out)
    assert data["missing"] == 0
    assert [job["kind"] for job in data["jobs"]] == ["sound", "pictures", "pictures", "pictures"]
    assert all(each["is_there"] for job in data["jobs"] for each in job["products"])


def test_events_end_with_done_or_with_what_failed(
    film: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One JSON object a line, progress of every track among them."""
    events = tmp_path / "events"
    command = ["transcode", str(film), str(tmp_path / "film"), "--events", str(events)]
    options = ["--ladder", "54:40,90:100", "--preset", "ultrafast"]
    assert main([*command, *options]) == 0
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    assert lines[-1]["event"] == "done"
    told = [each for each in lines if each["event"] == "progress"]
    assert told[-1]["fraction"] == 1.0
    assert told[-1]["tracks"] == {"v1": 1.0, "v0": 1.0, "a0": 1.0}
    assert main([*command, *options]) == 1
    last = json.loads(events.read_text().splitlines()[-1])
    assert (last["event"], "exists already" in last["error"]) == ("failed", True)
    assert "exists already" in capfd.readouterr().err


def test_a_taken_folder_is_refused_before_a_master_is_generated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def never(*_args: object, **_more: object) -> None:
        raise AssertionError("a master was generated")

    monkeypatch.setattr("transcode.run.generate.write_master", never)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "note").touch()
    assert main(["transcode", "--demo", str(tmp_path / "out")]) == 1
    assert "exists already" in capfd.readouterr().err
