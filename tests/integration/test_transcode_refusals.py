"""What cannot be done ends with one clear line, a code, and nothing left behind."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from abr.cli import main
from abr.errors import (
    ConfigError,
    DiskFullError,
    MediaError,
    MissingFileError,
    PackageError,
    ToolFailedError,
    ToolMissingError,
)
from transcode.config import TranscodeConfig
from transcode.run.ffmpegtools import Tool, candidates, find
from transcode.run.generate import write_master
from transcode.run.package import transcode
from transcode.run.placing import flush
from transcode.run.process import run_ffmpeg
from transcode.run.tracks import Folder
from transcode.scenes import SceneSpec

FFMPEGS = [
    tool for tool in candidates("ffmpeg") if isinstance(tool, Tool) and not tool.lacks(["libx264"])
]
pytestmark = pytest.mark.skipif(not FFMPEGS, reason="no ffmpeg with libx264 was found")
QUICK = TranscodeConfig(preset="ultrafast", segment_s=2.0, ladder="90:200")


def encode(path: Path, *, seconds: float = 3.0, codec: str = "libx264", sound: bool = True) -> Path:
    """A test pattern with a tone."""
    command = [FFMPEGS[-1].path, "-nostdin", "-y", "-v", "error"]
    command += ["-f", "lavfi", "-i", f"testsrc2=size=320x180:rate=25:duration={seconds}"]
    command += ["-f", "lavfi", "-i", f"sine=440:duration={seconds}"] if sound else []
    command += ["-c:v", codec, *(["-preset", "ultrafast"] if codec == "libx264" else []), str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


@pytest.fixture(scope="module")
def sound_master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("masters") / "film.mp4")


def cut_off(master: Path, folder: Path) -> Path:
    """Its index comes first, so it opens well."""
    made = folder / "cut.mp4"
    front = folder / "front.mp4"
    command = [FFMPEGS[-1].path, "-v", "error", "-i", str(master), "-c", "copy"]
    subprocess.run([*command, "-movflags", "+faststart", str(front)], check=True, timeout=60)
    data = front.read_bytes()
    made.write_bytes(data[: len(data) * 2 // 3])
    return made


def cut_off_index_last(master: Path, folder: Path) -> Path:
    made = folder / "cut.mp4"
    made.write_bytes(master.read_bytes()[:-2000])
    return made


def cut_off_matroska(master: Path, folder: Path) -> Path:
    whole, made = folder / "whole.mkv", folder / "cut.mkv"
    command = [FFMPEGS[-1].path, "-v", "error", "-i", str(master), "-c", "copy", str(whole)]
    subprocess.run(command, check=True, timeout=60)
    made.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    return made


def cut_off_program_stream(_master: Path, folder: Path) -> Path:
    whole = encode(folder / "whole.mpg", codec="mpeg2video", sound=False)
    made = folder / "cut.mpg"
    made.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    return made


def bits_flipped(master: Path, folder: Path) -> Path:
    data = bytearray(master.read_bytes())
    for at in range(len(data) // 4, len(data) * 3 // 4, 997):
        data[at] ^= 0x10
    made = folder / "flipped.mp4"
    made.write_bytes(data)
    return made


def sound_only(_master: Path, folder: Path) -> Path:
    made = folder / "tone.m4a"
    command = [FFMPEGS[-1].path, "-v", "error", "-f", "lavfi", "-i", "sine=440:duration=1"]
    subprocess.run([*command, str(made)], check=True, timeout=60)
    return made


def written(name: str, data: bytes) -> Callable[[Path, Path], Path]:
    def make(_master: Path, folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def names_another(master: Path, folder: Path) -> Path:
    shutil.copy(master, folder / "film.mp4")
    return written("list.ffconcat", b"ffconcat version 1.0\nfile film.mp4\n")(master, folder)


WORDS = b"words that are no video\n" * 400
BAD: dict[str, tuple[Callable[[Path, Path], Path], type[Exception], str]] = {
    "missing": (lambda _m, folder: folder / "none.mp4", MissingFileError, "no such file"),
    "a folder": (lambda _m, folder: folder, MissingFileError, "is a folder"),
    "a device": (lambda _m, _f: Path("/dev/null"), MissingFileError, "not a regular file"),
    "under a file": (lambda m, _f: m / "x.mp4", MissingFileError, "not a directory"),
    "empty": (written("empty.mp4", b""), MediaError, "is empty"),
    "text": (written("text.txt", WORDS), MediaError, "expected a video file"),
    "text called mp4": (written("text.mp4", WORDS), MediaError, "expected a video file"),
    "noise": (written("noise.mp4", bytes(range(256)) * 99), MediaError, "expected a video file"),
    "a playlist of elsewhere": (
        written("list.m3u8", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/x.ts\n"),
        MediaError,
        "cannot be read as media",
    ),
    "a list of files": (names_another, MediaError, "only names other files"),
    "audio only": (sound_only, MediaError, "audio only"),
    "cut off": (cut_off, MediaError, "before its container says; 1 % or 1 s is let through"),
    "cut off, index last": (cut_off_index_last, MediaError, "is cut off inside its index"),
    "cut off Matroska": (cut_off_matroska, MediaError, "damaged or cut off"),
    "bits flipped": (bits_flipped, MediaError, "damaged or cut off"),
}


def test_a_name_that_is_no_text_is_refused(sound_master: Path, tmp_path: Path) -> None:
    """File systems take any bytes; an index is UTF-8, and so are the names that workers get."""
    master = tmp_path / os.fsdecode(b"fil\xffm.mp4")
    shutil.copy(sound_master, master)
    with pytest.raises(MissingFileError, match=r"fil\\udcffm.mp4: its path is not in UTF-8"):
        asyncio.run(transcode(master, tmp_path / "out", QUICK))


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_master_is_refused_in_one_line(
    kind: str, sound_master: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Naming the file; code 1; no folder, whole or partial."""
    make, error, words = BAD[kind]
    (tmp_path / "in").mkdir()
    master = make(sound_master, tmp_path / "in")
    before = sorted(tmp_path.iterdir())
    assert main(["transcode", str(master), str(tmp_path / "out"), "--preset", "ultrafast"]) == 1
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"abr: error: {master}")
    assert words in said.err
    assert said.err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
    with pytest.raises(error):
        asyncio.run(transcode(master, tmp_path / "out", QUICK))


def test_a_damaged_master_is_refused_by_every_ffmpeg(
    sound_master: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    master = bits_flipped(sound_master, tmp_path)
    for tool in FFMPEGS:
        monkeypatch.setenv("ABR_FFMPEG", tool.path)
        with pytest.raises(MediaError, match="damaged or cut off"):
            asyncio.run(transcode(master, tmp_path / "out", QUICK))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["{master}"], 2, "found 1 paths"),
        (["--demo", "a", "b"], 2, "expected OUT only"),
        (["--demo", "{out}", "--demo-size", "7x7"], 2, "expected even WIDTHxHEIGHT"),
        (["{master}", "{out}", "--ladder", "720:900"], 1, "larger than"),
        (["{master}", "{out}", "--ladder", "x"], 1, "HEIGHT:KBPS"),
        (["{master}", "{out}", "--segment", "99"], 1, "segment_s"),
        (["{master}", "{out}", "--rotate-every", "2"], 1, "rotate_every"),
        (["{master}", "{out}", "--encrypt", "rot13"], 2, "aes-128"),
        (["{master}", "{here}"], 1, "exists already"),
        (["{master}", "{here}", "--force"], 1, "something other than a package"),
        (["{master}", "{master}", "--force"], 1, "is not a folder"),
        (["{master}", "{out}", "--encrypt", "aes-128", "--keys", "{out}/k"], 1, "folder apart"),
        (["{master}", "/proc/nowhere/out"], 1, "expected a folder that can be written to"),
        (["{master}", "{here}/???"], 1, "no letter or digit"),
    ],
)
def test_bad_options_are_refused_in_one_line(
    arguments: list[str], code: int, words: str, sound_master: Path, tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    here = tmp_path / "here"
    here.mkdir()
    (here / "note.txt").write_text("mine")
    places = {"master": sound_master, "out": tmp_path / "out", "here": here}
    given = [argument.format(**places) for argument in arguments]
    assert main(["transcode", *given]) == code
    said = capfd.readouterr()
    assert words in said.err
    assert said.err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == [here, here / "note.txt"]


def test_a_full_disk_leaves_nothing_behind(
    sound_master: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any write: the first initialisation section, segments, playlists."""
    write = Folder._write

    for room in range(0, 60_000, 12_000):
        left = room

        def limited(folder: Folder, name: str, data: bytes) -> None:
            nonlocal left
            left -= len(data)
            if left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
            write(folder, name, data)

        monkeypatch.setattr(Folder, "_write", limited)
        with pytest.raises(DiskFullError, match="no room left on the disk for out"):
            asyncio.run(transcode(sound_master, tmp_path / "a/b/out", QUICK))
        assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 200 kB; only an administrator may make one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    done = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if not done or done.returncode:
        pytest.skip("cannot mount a tmpfs here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_really_full_is_named(
    small_disk: Path, sound_master: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a package, and for a generated master."""
    big = TranscodeConfig(preset="ultrafast", ladder="90:400,180:1500")
    with pytest.raises(DiskFullError, match=str(small_disk)):
        asyncio.run(transcode(sound_master, small_disk / "out", big))
    with pytest.raises(DiskFullError, match=str(small_disk)):
        asyncio.run(
            write_master(small_disk / "m.mkv", SceneSpec(width=320, height=180, duration_s=2))
        )
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interruption_ends_ffmpeg_and_leaves_nothing(
    name: str, sound_master: Path, tmp_path: Path
) -> None:
    """Code 130, one line, no partial folder, no child."""
    slow = encode(tmp_path / "slow.mp4", seconds=40, sound=False)
    command = [sys.executable, "-m", "abr", "transcode", str(slow), str(tmp_path / "new/out")]
    process = subprocess.Popen(
        [*command, "--preset", "slow"], stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    cache = Path(os.environ["ABR_CACHE"])
    begun = _wait_for(
        lambda: [each for each in cache.glob("tmp/*/v0-*.mp4") if each.stat().st_size]
    )
    assert begun
    assert list((tmp_path / "new").glob(".out.partial-*"))
    children = _children(process.pid)
    assert children
    process.send_signal(getattr(signal, name))
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.strip() == "abr: interrupted"
    assert [path.name for path in tmp_path.iterdir()] == ["slow.mp4"]
    assert list((cache / "tmp").iterdir()) == list((cache / "runs").iterdir()) == []
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def _wait_for(look: Callable[[], list[Path]]) -> list[Path]:
    limit_s = time.monotonic() + 20
    while not (found := look()) and time.monotonic() < limit_s:
        time.sleep(0.05)
    return found


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def script(path: Path, body: str) -> str:
    """A program of the shell that stands in for ffmpeg."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


async def test_a_tool_that_stands_still_is_ended(tmp_path: Path) -> None:
    """Telling the same frame again and again is no progress."""
    body = "while true; do echo frame=1; echo progress=continue; sleep 0.05; done"
    tool = script(tmp_path / "ffmpeg", body)
    with pytest.raises(ToolFailedError, match=r"no progress for 0\.5 s"):
        await run_ffmpeg(lambda _: [tool], stall_limit_s=0.5)


async def test_the_log_of_a_failed_run_is_kept(tmp_path: Path) -> None:
    """Errors first, however much is said after them; an exit code of 0 proves nothing."""
    body = "echo '[x] [error] the cause' >&2; seq 5000 >&2; echo frame=7; echo progress=end; exit 0"
    outcome = await run_ffmpeg(lambda _: [script(tmp_path / "ffmpeg", body)])
    assert not outcome.is_clean
    assert outcome.exit_code == 0
    assert outcome.frames == 7
    assert outcome.reason() == "[x] [error] the cause"
    assert outcome.tail[-1] == "5000"


async def test_a_program_that_cannot_start_is_a_missing_tool(tmp_path: Path) -> None:
    with pytest.raises(ToolMissingError, match="abr doctor"):
        await run_ffmpeg(lambda _: [str(tmp_path / "none")])


async def test_a_sink_that_fails_ends_the_run(tmp_path: Path) -> None:
    """What it raised comes out, and the program is gone."""
    tool = script(tmp_path / "ffmpeg", "echo $$ > pid; exec cat /dev/zero > /proc/self/fd/$1")

    def full(_data: bytes) -> None:
        raise OSError(errno.ENOSPC, "no room")

    def command(outputs: Any) -> list[str]:
        return ["/bin/sh", "-c", f"cd {tmp_path} && exec {tool} {outputs[0].partition(':')[2]}"]

    with pytest.raises(OSError, match="no room"):
        await run_ffmpeg(command, [full])
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


def test_a_package_that_reads_back_otherwise_is_thrown_away(
    sound_master: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes changed on their way to the disk are found before anything is renamed."""
    write = Folder._write

    def damaging(folder: Folder, name: str, data: bytes) -> None:
        half = len(data) // 2
        changed = data[:half] + b"\xff" * 200 + data[half + 200 :] if name == "00000.m4s" else data
        write(folder, name, changed)

    monkeypatch.setattr(Folder, "_write", damaging)
    with pytest.raises(ToolFailedError, match=r"v0/00000\.m4s: reads back otherwise"):
        asyncio.run(transcode(sound_master, tmp_path / "out", QUICK))
    assert list(tmp_path.iterdir()) == []


def test_a_tool_without_what_we_need_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = 'case "$*" in *-version*) echo "ffmpeg version 3.4";; *) echo " V..... png  PNG";; esac'
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("ABR_FFMPEG", script(tmp_path / "ffmpeg", body))
    assert find("ffmpeg").version == "3.4"
    with pytest.raises(ToolMissingError, match=r"\(3\.4\) lacks libx264, aac; .*set ABR_FFMPEG"):
        find("ffmpeg", ["libx264", "aac", "png"])


def test_capabilities_are_remembered_until_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By size and time of change; each new process reads them from the cache."""
    from transcode.run import ffmpegtools

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    body = f'echo asked >> {tmp_path}/log; echo "ffmpeg version 1.0 "'
    monkeypatch.setenv("ABR_FFMPEG", script(tmp_path / "ffmpeg", body))
    asked = []
    for again in range(3):
        ffmpegtools._ask.cache_clear()
        if again == 2:
            script(tmp_path / "ffmpeg", body + "\n")
        find("ffmpeg")
        asked.append(len((tmp_path / "log").read_text().splitlines()))
    assert asked[0] == asked[1] >= 3
    assert asked[2] == 2 * asked[0]


def test_a_variable_that_names_no_program_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not passed over in silence."""
    monkeypatch.setenv("ABR_FFMPEG", "/no/such/ffmpeg")
    with pytest.raises(ToolMissingError, match="ABR_FFMPEG"):
        find("ffmpeg")


def test_keys_inside_the_package_are_refused(sound_master: Path, tmp_path: Path) -> None:
    config = TranscodeConfig(encrypt="aes-128", keys_dir=str(tmp_path / "out" / "keys"))
    with pytest.raises(ConfigError, match="packages are public"):
        asyncio.run(transcode(sound_master, tmp_path / "out", config))


def test_a_target_taken_meanwhile_is_not_replaced(
    sound_master: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check is made again before the rename."""

    async def meanwhile(folder: Path) -> None:
        await flush(folder)
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "theirs").touch()

    monkeypatch.setattr("transcode.run.package.flush", meanwhile)
    with pytest.raises(PackageError, match="exists already"):
        asyncio.run(transcode(sound_master, tmp_path / "out", QUICK))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["theirs"]
