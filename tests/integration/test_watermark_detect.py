"""`abr watermark detect`: sessions are found again in copies of every kind, and others are not."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from abr.cli import main
from abr.errors import ConfigError
from origin.gateway.server.opening import open_state
from origin.gateway.sessions import LeaseRules, Session, Take
from origin.tokens.keysets import b64url
from transcode.config import TranscodeConfig
from transcode.files.keystore import KeyStore
from transcode.packaging.layout import segment_name, variant_b
from transcode.run.ffmpegtools import find
from transcode.run.package import transcode
from transcode.run.packagemedia import PackageMedia
from transcode.watermark.pattern import bit_of, pattern_of, watermark_secret

SEGMENTS = 96
SESSIONS = [f"viewer-{number}" for number in range(50)]


def run(arguments: list[str]) -> tuple[int, str]:
    """Exit code and output of ``abr``."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        code = main(arguments)
    return code, told.getvalue()


@dataclass(slots=True)
class Made:
    """A package, its keys and a list of sessions."""

    folder: Path
    keys: KeyStore
    secret: bytes
    sessions: Path

    def bit(self, session: str, number: int) -> int:
        return bit_of(pattern_of(self.secret, session), number)

    def stored(self, session: str, number: int) -> Path:
        name = segment_name(number)
        return self.folder / "v0" / (variant_b(name) if self.bit(session, number) else name)

    def film(self, numbers: range, *sessions: str) -> bytes:
        """What sessions got, in turn, in the clear."""
        media = PackageMedia.open(self.folder, self.keys.key)
        track = media.index.video[0]
        data = b""
        for at, number in enumerate(numbers):
            bit = self.bit(sessions[at % len(sessions)], number)
            init, segment = media.clear(track, [number], bit)
            data += segment if at else init + segment
        return data

    def detect(self, capture: Path, *more: str) -> tuple[int, dict[str, Any]]:
        done = run(["watermark", "detect", str(capture), "--package", str(self.folder),
             "--sessions", str(self.sessions), "--keys", str(self.keys.folder), "--json", *more],
        )  # fmt: skip
        code, told = done
        assert code in (0, 3), told
        return code, json.loads(told)


def drawn(what: str, duration_s: float, to: Path) -> Path:
    """A film that ffmpeg draws."""
    command = [find("ffmpeg").path, "-v", "error", "-f", "lavfi", "-i"]
    command += [f"{what}=size=160x90:rate=25", "-t", str(duration_s), "-c:v", "libx264"]
    command += ["-preset", "ultrafast", "-crf", "14", str(to)]
    subprocess.run(command, check=True, timeout=60, stdin=subprocess.DEVNULL)
    return to


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("watermark")
    drawn("testsrc2", SEGMENTS * 0.48, folder / "film.mkv")
    config = TranscodeConfig(
        segment_s=0.5, gop_s=0.5, preset="ultrafast", ladder="90:200", watermark=True,
        encrypt="aes-128", keys_dir=str(folder / "keys"), audio="none", no_cache=True,
    )  # fmt: skip
    # The same patterns in every run, so that what is found is.
    KeyStore.open(folder / "keys").secret("watermark", lambda: ("id", b"\x07" * 32))
    asyncio.run(transcode(folder / "film.mkv", folder / "film", config))
    keys = KeyStore.open(folder / "keys")
    (folder / "sessions.txt").write_text("\n".join(SESSIONS) + "\n")
    return Made(folder / "film", keys, watermark_secret(keys), folder / "sessions.txt")


def named(found: dict[str, Any]) -> set[str]:
    return {each["session"] for each in found["named"]}


def changed(source: Path, to: Path, *arguments: str) -> Path:
    command = [find("ffmpeg").path, "-v", "error", "-y", "-i", str(source), *arguments, str(to)]
    subprocess.run(command, check=True, timeout=60, stdin=subprocess.DEVNULL)
    return to


def test_a_folder_of_segments_as_they_were_downloaded_names_its_session(
    made: Made, tmp_path: Path
) -> None:
    for number in range(20, 44):
        (tmp_path / f"{number}.m4s").write_bytes(made.stored("viewer-7", number).read_bytes())
    code, found = made.detect(tmp_path)
    assert (code, found["how"], named(found)) == (0, "files", {"viewer-7"})
    assert (found["segments"], found["first_segment"], found["last_segment"]) == (24, 20, 43)
    assert found["named"][0]["false_probability"] == pytest.approx(50 / 2**24)


def test_encrypted_segments_in_one_file_are_told_apart(made: Made, tmp_path: Path) -> None:
    init = (made.folder / "v0/init.mp4").read_bytes()
    pieces = [made.stored("viewer-3", number).read_bytes() for number in range(30)]
    (tmp_path / "joined.bin").write_bytes(init + b"".join(pieces))
    code, found = made.detect(tmp_path / "joined.bin")
    assert (code, found["how"], named(found)) == (0, "joined", {"viewer-3"})


def test_a_stream_copy_cut_anywhere_names_its_session_in_any_container(
    made: Made, tmp_path: Path
) -> None:
    (tmp_path / "clear.mp4").write_bytes(made.film(range(SEGMENTS), "viewer-12"))
    for name in ("cut.mkv", "cut.ts", "cut.mp4"):
        cut = changed(
            tmp_path / "clear.mp4", tmp_path / name, "-ss", "7.3", "-t", "15", "-c", "copy"
        )
        code, found = made.detect(cut)
        assert (code, found["how"], named(found)) == (0, "samples", {"viewer-12"}), name


def test_a_copy_encoded_anew_and_scaled_names_its_session(made: Made, tmp_path: Path) -> None:
    (tmp_path / "clear.mp4").write_bytes(made.film(range(SEGMENTS), "viewer-30"))
    again = changed(
        tmp_path / "clear.mp4", tmp_path / "again.mp4", "-ss", "3.1", "-t", "25",
        "-vf", "scale=240:136,eq=brightness=0.03", "-c:v", "libx264", "-crf", "26",
    )  # fmt: skip
    code, found = made.detect(again)
    assert (code, found["how"], named(found)) == (0, "pictures", {"viewer-30"})


def test_a_mix_of_two_names_both_also_when_it_was_encoded_anew(made: Made, tmp_path: Path) -> None:
    mix = tmp_path / "mix.mp4"
    mix.write_bytes(made.film(range(SEGMENTS), "viewer-1", "viewer-41"))
    code, found = made.detect(mix)
    assert (code, found["how"], named(found)) == (0, "samples", {"viewer-1", "viewer-41"})
    again = changed(mix, tmp_path / "again.mp4", "-c:v", "libx264", "-crf", "24")
    code, found = made.detect(again)
    assert (code, found["how"], named(found)) == (0, "pictures", {"viewer-1", "viewer-41"})


def test_two_copies_in_one_folder_name_both(made: Made, tmp_path: Path) -> None:
    for session in ("viewer-5", "viewer-6"):
        for number in range(SEGMENTS):
            path = tmp_path / session / f"{number}.m4s"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(made.stored(session, number).read_bytes())
    code, found = made.detect(tmp_path)
    assert (code, named(found)) == (0, {"viewer-5", "viewer-6"})
    assert found["both"] > 20


def test_nobody_is_named_by_few_segments_and_the_answer_says_how_many_it_takes(
    made: Made, tmp_path: Path
) -> None:
    for number in range(9):
        (tmp_path / f"{number}.m4s").write_bytes(made.stored("viewer-7", number).read_bytes())
    code, found = made.detect(tmp_path)
    assert (code, found["named"]) == (3, [])
    assert found["bits_needed"]["one"] == 16  # log2(50 / 0.001) is 15.6
    code, found = made.detect(tmp_path, "--limit", "0.2")
    assert (code, named(found)) == (0, {"viewer-7"})


def test_other_films_are_refused_in_words(made: Made, tmp_path: Path) -> None:
    other = drawn("mandelbrot", 6, tmp_path / "other.mp4")
    (tmp_path / "text").write_text("no film\n")
    for path, words in ((other, "no part of film"), (tmp_path / "text", "no film that can be")):
        done = run(["watermark", "detect", str(path), "--package", str(made.folder),
             "--sessions", str(made.sessions), "--keys", str(made.keys.folder)],
        )  # fmt: skip
        assert done[0] == 1
        assert words in done[1]


def test_sessions_of_the_playback_service_are_asked_for(made: Made, tmp_path: Path) -> None:
    state = open_state(str(tmp_path / "state.sqlite"))
    for number, session in enumerate(["viewer-2", "viewer-8", "plain"]):
        taken = Session(
            id=session, account=f"a{number}", device="d", title="film", began_s=1e9, ends_s=2e9,
            lease_until_s=1e9, traced_until_s=0.0 if session == "plain" else 4e9,
        )  # fmt: skip
        state.settle([Take(session=taken, places=1)], rules=LeaseRules(), now_s=1e9)
    state.sweep(now_s=3e9)  # the sessions are over, and remembered
    assert state.marked("film") == ("viewer-2", "viewer-8")
    for number in range(20):
        (tmp_path / f"{number}.m4s").write_bytes(made.stored("viewer-8", number).read_bytes())
    code, found = made.detect(tmp_path, "--sessions", str(tmp_path / "state.sqlite"))
    assert (code, named(found), found["sessions"]) == (0, {"viewer-8"}, 2)
    state.sweep(now_s=5e9)
    assert state.marked("film") == ()
    state.close()


def test_the_pattern_of_a_session_is_printed_as_a_token_has_it(made: Made) -> None:
    done = run(["watermark", "pattern", "viewer-7", "--keys", str(made.keys.folder)])
    assert done[1] == b64url(pattern_of(made.secret, "viewer-7")) + "\n"


def test_a_package_without_a_watermark_is_refused(tmp_path: Path) -> None:
    from tests.fakes.packages import write_package

    write_package(tmp_path / "film")
    with pytest.raises(ConfigError, match="is not watermarked"):
        PackageMedia.open(tmp_path / "film", lambda _title, _kid: b"")
