"""Bad input at the command line: one clear line, exit code 1, and nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from transcode.run.ffmpegtools import find

TRACES = {
    "empty.csv": b"",
    "zero-length.csv": b"t_s,kbps\n0,1000\n",
    "decreasing.csv": b"t_s,kbps\n0,1000\n5,800\n3,900\n",
    "noise.bin": bytes(range(256)) * 4,
    "dead.csv": b"t_s,kbps\n0,0\n10,0\n",
}


def abr(*args: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run one command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "abr", *map(str, args)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that says what is wrong."""
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("abr: error: ")]
    assert len(lines) == 1, done.stderr
    assert done.stderr.endswith(lines[0] + "\n")
    return lines[0].removeprefix("abr: error: ")


@pytest.fixture(scope="module")
def masters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of masters, most of them bad."""
    folder = tmp_path_factory.mktemp("masters")
    ffmpeg = [find("ffmpeg").path, "-v", "error", "-y"]
    picture = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=12:duration=3"]
    sound = ["-f", "lavfi", "-i", "sine=duration=2"]
    x264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
    subprocess.run([*ffmpeg, *picture, *x264, str(folder / "good.mp4")], check=True)
    subprocess.run([*ffmpeg, *sound, str(folder / "audio-only.m4a")], check=True)
    good = (folder / "good.mp4").read_bytes()
    (folder / "truncated.mp4").write_bytes(good[: len(good) // 2])
    # The index stays, the pictures are noise.
    media = good.index(b"mdat") + 4
    noise = bytes((7 * n) % 251 for n in range(len(good) // 2))
    (folder / "corrupt.mp4").write_bytes(good[:media] + noise + good[media + len(noise) :])
    (folder / "text.mp4").write_text("This is no video.\n" * 100)
    (folder / "empty.mp4").touch()
    (folder / "folder.mp4").mkdir()
    return folder


BAD_MASTERS = [
    "missing.mp4", "folder.mp4", "text.mp4", "empty.mp4", "truncated.mp4", "corrupt.mp4",
    "audio-only.m4a",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_MASTERS)
def test_a_bad_master_is_named_and_leaves_nothing(name: str, masters: Path, tmp_path: Path) -> None:
    line = complaint(abr("transcode", masters / name, "out/film", cwd=tmp_path))
    assert name in line
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert left == []
    assert not (tmp_path / "out/film").exists()


@pytest.fixture(scope="module")
def package(masters: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small good package."""
    out = tmp_path_factory.mktemp("packages") / "film"
    done = abr("transcode", masters / "good.mp4", out, "--segment", "2", cwd=masters)
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.parametrize("name", [*TRACES, "missing.csv"])
def test_a_bad_trace_is_named(name: str, package: Path, tmp_path: Path) -> None:
    for trace, content in TRACES.items():
        (tmp_path / trace).write_bytes(content)
    done = abr("simulate", package, "--trace", name, "--log", "log.jsonl", cwd=tmp_path)
    assert name in complaint(done)
    assert done.stdout == ""
    assert not (tmp_path / "log.jsonl").exists()


def test_a_trace_whose_time_goes_back_is_refused_with_its_line(
    package: Path, tmp_path: Path
) -> None:
    (tmp_path / "decreasing.csv").write_bytes(TRACES["decreasing.csv"])
    line = complaint(abr("simulate", package, "--trace", "decreasing.csv", cwd=tmp_path))
    assert line.startswith("decreasing.csv:4: ")


def test_an_unknown_algorithm_gets_a_suggestion(package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"t_s,kbps\n0,1000\n10,1000\n")
    args = ["simulate", str(package), "--trace", "t.csv", "--algorithm", "bola-sabr"]
    assert "did you mean 'bola-sabre'" in complaint(abr(*args, cwd=tmp_path))


@pytest.mark.parametrize("source", ["missing", "text.txt", "."])
def test_what_is_no_package_is_refused(source: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("no package")
    (tmp_path / "t.csv").write_bytes(b"t_s,kbps\n0,1000\n10,1000\n")
    complaint(abr("simulate", source, "--trace", "t.csv", cwd=tmp_path))
    complaint(abr("origin", source, "--port", "0", "--keys", "keys", cwd=tmp_path))


@pytest.mark.parametrize("server", ["origin", "edge"])
def test_a_busy_port_is_named(server: str, package: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        args = {
            "origin": ["origin", str(package), "--keys", "keys"],
            "edge": ["edge", "--parent", "http://127.0.0.1:9"],
        }[server]
        assert port in complaint(abr(*args, "--port", port, cwd=tmp_path))


@pytest.mark.parametrize("text", ["not json\n", "", '{"e": "provenance", "schema": 99}\n'])
def test_a_bad_log_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(text)
    assert "log.jsonl" in complaint(abr("replay", "log.jsonl", cwd=tmp_path))


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 kB."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() != 0 or mount is None or umount is None:
        pytest.skip("a full disk needs root and mount")
    place = tmp_path / "small"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", "size=48k", "tmpfs", str(place)]
    done = subprocess.run([mount, *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a full disk needs mount: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run([umount, "-l", str(place)], check=True)


def test_a_full_disk_is_said_so_and_leaves_nothing(masters: Path, full_disk: Path) -> None:
    done = abr("transcode", masters / "good.mp4", "film", "--ladder", "90:3000", cwd=full_disk)
    assert "room" in complaint(done)
    assert [path for path in full_disk.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "url", ["", "foo", "file:///etc/passwd", "http://[::1", "http://h:999999/"]
)
def test_what_is_no_url_is_refused(url: str, tmp_path: Path) -> None:
    assert "not an HTTP URL; expected http" in complaint(abr("play", url, cwd=tmp_path))


def test_a_demo_without_its_master_leaves_nothing(tmp_path: Path) -> None:
    assert "film.mp4: no such file" in complaint(abr("demo", "--master", "film.mp4", cwd=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_an_algorithm_that_prints_does_not_spoil_json(tmp_path: Path, package: Path) -> None:
    """What a plug-in prints goes to stderr; stdout holds one JSON object."""
    log = tmp_path / "nothing.csv"
    log.write_text("time_s,kbps\n0,2000\n60,2000\n")
    code = (
        "import sys, player.api as api; from abr.cli import main\n"
        "class Loud:\n"
        "    def choose(self, seen): print('hello'); return 0\n"
        "api.as_algorithm = lambda *_: Loud\n"
        f"sys.exit(main(['simulate', {str(package)!r}, '--trace', {str(log)!r}, '--json']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert json.loads(done.stdout)["rungs"]
    assert "hello" in done.stderr
