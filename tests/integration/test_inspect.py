"""``abr inspect``: planted faults are found, and what is right is left alone."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from abr.cli import main
from transcode.inspection.facts import PackageFacts
from transcode.inspection.judge import Verdict, judge
from transcode.media.boxes import boxes, find
from transcode.packaging.index import PresentationIndex
from transcode.run import package
from transcode.run.assemble import write_index
from transcode.run.ffmpegtools import find as find_tool
from transcode.run.inspecting import load_package

Plant = Callable[[Path], object]

MULTIVARIANT = "multivariant.m3u8"
TOP, LOW, SOUND = "v1/playlist.m3u8", "v0/playlist.m3u8", "a0/playlist.m3u8"


def ffmpeg(*arguments: str) -> None:
    """Run ffmpeg; the test fails when it does."""
    done = subprocess.run(
        [find_tool("ffmpeg").path, "-nostdin", "-v", "error", "-y", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of moving bars and a tone."""
    path = tmp_path_factory.mktemp("master") / "film.mp4"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=192x108:r=25:d=3"),
        *("-f", "lavfi", "-i", "sine=f=440:d=3"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-c:a", "aac", "-shortest"),
        str(path),
    )
    return path


@pytest.fixture(scope="module")
def clean(master: Path) -> Path:
    """A package of ours: two rungs of three segments, and sound."""
    out = master.parent / "film"
    arguments = ["--segment", "1", "--ladder", "54:60,108:150", "--preset", "ultrafast"]
    assert main(["transcode", str(master), str(out), *arguments]) == 0
    return out


def inspected(where: Path | str, depth: str = "media") -> tuple[PackageFacts, Verdict]:
    """Facts and verdict."""
    facts = asyncio.run(load_package(str(where), depth=depth))  # type: ignore[arg-type]  # a word of Depth
    return facts, judge(facts, depth)  # type: ignore[arg-type]  # a word of Needs


def found(verdict: Verdict, severity: str = "violation") -> set[str]:
    """Ids of the rules that are broken."""
    return {finding.rule for finding in verdict.findings if finding.severity == severity}


def edit(file: str, pattern: str, replacement: str, *, count: int = 1) -> Plant:
    """A fault in a text file."""

    def plant(folder: Path) -> None:
        path = folder / file
        text, changes = re.subn(
            pattern, replacement, path.read_text(), count=count, flags=re.MULTILINE
        )
        assert changes, f"{pattern} is not in {file}"
        path.write_text(text)

    return plant


def change(file: str, how: Callable[[bytes], bytes]) -> Plant:
    """A fault in a file of media."""

    def plant(folder: Path) -> None:
        path = folder / file
        path.write_bytes(how(path.read_bytes()))

    return plant


def both(*plants: Plant) -> Plant:
    """Several faults at once."""

    def plant(folder: Path) -> None:
        for each in plants:
            each(folder)

    return plant


def later(units: int) -> Callable[[bytes], bytes]:
    """A segment whose decoding times are ``units`` later."""

    def how(data: bytes) -> bytes:
        moved = bytearray(data)
        for moof in boxes(data):
            if moof.kind == b"moof":
                tfdt = find(data, b"traf", b"tfdt", start=moof.body, end=moof.end)
                (time,) = struct.unpack_from(">Q", data, tfdt.body + 4)
                struct.pack_into(">Q", moved, tfdt.body + 4, time + units)
        return bytes(moved)

    return how


def fragment_twice(data: bytes) -> bytes:
    """A segment whose first fragment comes twice, with the same decoding time."""
    end = find(data, b"mdat").end
    return data[:end] + data[find(data, b"moof").start :]


def without_idr(data: bytes) -> bytes:
    """A segment whose first slice says that it is not of an IDR picture."""
    mdat = find(data, b"mdat")
    at = mdat.body
    while data[at + 4] & 31 != 5:
        at += 4 + int.from_bytes(data[at : at + 4], "big")
    return data[: at + 4] + bytes([data[at + 4] & 0xE0 | 1]) + data[at + 5 :]


def other_timescale(data: bytes) -> bytes:
    """An initialisation section that counts twice as many units a second."""
    mdhd = find(data, b"moov", b"trak", b"mdia", b"mdhd")
    at = mdhd.body + (20 if data[mdhd.body] else 12)
    (units,) = struct.unpack_from(">I", data, at)
    return data[:at] + struct.pack(">I", 2 * units) + data[at + 4 :]


def shorter_sound(folder: Path) -> None:
    """The sound ends a segment before the picture."""
    path = folder / SOUND
    lines = path.read_text().splitlines()
    del lines[-3:-1]
    path.write_text("\n".join(lines) + "\n")


def longer_first(folder: Path) -> None:
    """The first two segments of a rung are one."""
    home = folder / "v1"
    path = home / "playlist.m3u8"
    names = sorted(each.name for each in home.glob("*.m4s"))
    first, second = (home / name for name in names[:2])
    first.write_bytes(first.read_bytes() + second.read_bytes())
    text = path.read_text().replace("#EXTINF:1.000", "#EXTINF:2.000", 1)
    text = re.sub(rf"#EXT-X-BITRATE:\d+\n#EXTINF:1\.000,\n{names[1]}\n", "", text)
    path.write_text(re.sub(r"TARGETDURATION:1", "TARGETDURATION:2", text))


AES = '#EXT-X-KEY:METHOD=AES-128,URI="key",IV=0x00000000000000000000000000000001'
PLANTED: dict[str, tuple[str, str, Plant]] = {
    "target duration below a segment": (
        "target-duration",
        "violation",
        edit(TOP, "TARGETDURATION:1", "TARGETDURATION:0"),
    ),
    "target duration far above": (
        "target-duration-tight",
        "warning",
        edit(TOP, "TARGETDURATION:1", "TARGETDURATION:60"),
    ),
    "another target duration": (
        "target-duration-same",
        "violation",
        edit(TOP, "TARGETDURATION:1", "TARGETDURATION:3"),
    ),
    "no end": ("end-list", "violation", edit(TOP, "#EXT-X-ENDLIST\n", "")),
    "no playlist type": ("playlist-type-stated", "warning", edit(TOP, "#.*TYPE:VOD\n", "")),
    "an unknown playlist type": ("playlist-type", "violation", edit(TOP, "TYPE:VOD", "TYPE:FILM")),
    "BANDWIDTH below the peak": (
        "bandwidth-covers-peak",
        "violation",
        edit(MULTIVARIANT, r"INF:BANDWIDTH=\d+", "INF:BANDWIDTH=90000"),
    ),
    "BANDWIDTH far over the peak": (
        "bandwidth-is-peak",
        "violation",
        edit(MULTIVARIANT, r"INF:BANDWIDTH=\d+", "INF:BANDWIDTH=9000000"),
    ),
    "no BANDWIDTH": (
        "bandwidth-stated",
        "violation",
        edit(MULTIVARIANT, r"INF:BANDWIDTH=\d+,", "INF:"),
    ),
    "AVERAGE-BANDWIDTH off": (
        "average-bandwidth",
        "violation",
        edit(MULTIVARIANT, r"AVERAGE-BANDWIDTH=\d+", "AVERAGE-BANDWIDTH=50000"),
    ),
    "average over peak": (
        "average-below-peak",
        "violation",
        edit(MULTIVARIANT, r"AVERAGE-BANDWIDTH=\d+", "AVERAGE-BANDWIDTH=99000000"),
    ),
    "another profile in CODECS": (
        "codecs",
        "violation",
        edit(MULTIVARIANT, r"avc1\.64", "avc1.4d"),
    ),
    "sound left out of CODECS": ("codecs", "violation", edit(MULTIVARIANT, r",mp4a\.40\.2", "")),
    "no CODECS": ("codecs-stated", "violation", edit(MULTIVARIANT, r'CODECS="[^"]*",', "")),
    "another RESOLUTION": (
        "resolution",
        "violation",
        edit(MULTIVARIANT, r"RESOLUTION=\d+x\d+", "RESOLUTION=640x360"),
    ),
    "no RESOLUTION": (
        "resolution-stated",
        "violation",
        edit(MULTIVARIANT, r"RESOLUTION=\d+x\d+,", ""),
    ),
    "another FRAME-RATE": (
        "frame-rate",
        "violation",
        edit(MULTIVARIANT, "FRAME-RATE=25.000", "FRAME-RATE=24.000"),
    ),
    "no FRAME-RATE": (
        "frame-rate-stated",
        "warning",
        edit(MULTIVARIANT, r"FRAME-RATE=[\d.]+,", ""),
    ),
    "another aspect ratio": (
        "aspect-ratio",
        "warning",
        edit(MULTIVARIANT, r"RESOLUTION=\d+x\d+", "RESOLUTION=96x80"),
    ),
    "SDR called PQ": (
        "video-range",
        "violation",
        edit(MULTIVARIANT, "INF:BANDWIDTH", "INF:VIDEO-RANGE=PQ,BANDWIDTH"),
    ),
    "SCORE on one variant": (
        "score-on-all",
        "violation",
        edit(MULTIVARIANT, r",SCORE=[^,\n]*", ""),
    ),
    "captions on one variant": (
        "captions-none-on-all",
        "violation",
        edit(MULTIVARIANT, ",CLOSED-CAPTIONS=NONE", ""),
    ),
    "a group that is not there": (
        "group-defined",
        "violation",
        edit(MULTIVARIANT, 'AUDIO="audio"', 'AUDIO="sound"'),
    ),
    "a name twice": (
        "names-differ",
        "violation",
        edit(MULTIVARIANT, r"^(#EXT-X-MEDIA:.*)$", r"\1\n\1"),
    ),
    "two defaults": (
        "one-default",
        "violation",
        edit(MULTIVARIANT, r'^(#EXT-X-MEDIA:.*NAME=")([^"]*)(.*)$', r"\1\2\3\n\1Other\3"),
    ),
    "a default nobody can select": (
        "default-autoselect",
        "violation",
        edit(MULTIVARIANT, "AUTOSELECT=YES", "AUTOSELECT=NO"),
    ),
    "a number in quotation marks": (
        "multivariant-grammar",
        "violation",
        edit(MULTIVARIANT, r"INF:BANDWIDTH=(\d+)", r'INF:BANDWIDTH="\1"'),
    ),
    "an attribute list that breaks off": (
        "multivariant-grammar",
        "violation",
        edit(MULTIVARIANT, 'AUDIO="audio"', 'AUDIO="audio'),
    ),
    "a variant that lists the multivariant playlist": (
        "playlist-readable",
        "violation",
        edit(MULTIVARIANT, f"^{TOP}$", MULTIVARIANT),
    ),
    "a variant whose playlist is gone": (
        "playlist-readable",
        "violation",
        lambda f: (f / TOP).unlink(),
    ),
    "EXTINF that is no number": (
        "playlist-grammar",
        "violation",
        edit(TOP, r"EXTINF:1\.000", "EXTINF:one"),
    ),
    "EXTINF too long": (
        "extinf-accurate",
        "violation",
        edit(TOP, r"EXTINF:1\.000", "EXTINF:1.120"),
    ),
    "no map": ("map", "violation", edit(TOP, "#EXT-X-MAP.*\n", "")),
    "a version too low": ("version", "violation", edit(TOP, r"VERSION:\d", "VERSION:3")),
    "a gap": ("gap", "warning", edit(TOP, "#EXTINF", "#EXT-X-GAP\n#EXTINF")),
    "a break in one rung": (
        "discontinuities",
        "violation",
        edit(TOP, r"(#EXT-X-BITRATE:\d+\n#EXTINF:1\.000,\n.*1\.m4s)", r"#EXT-X-DISCONTINUITY\n\1"),
    ),
    "a wrong EXT-X-BITRATE": ("bitrate-tag", "violation", edit(TOP, r"BITRATE:\d+", "BITRATE:9")),
    "a missing segment": (
        "segment-there",
        "violation",
        lambda f: next((f / "v1").glob("*1.m4s")).unlink(),
    ),
    "an empty segment": (
        "segment-not-empty",
        "violation",
        lambda f: next((f / "v1").glob("*1.m4s")).write_bytes(b""),
    ),
    "a segment cut off": ("segment-whole", "violation", change("v1/00001.m4s", lambda d: d[:-100])),
    "a segment of noise": (
        "segment-whole",
        "violation",
        change("v1/00001.m4s", lambda _: bytes(range(256)) * 9),
    ),
    "no initialisation section": (
        "init-readable",
        "violation",
        lambda f: (f / "v1/init.mp4").unlink(),
    ),
    "the initialisation section of another rung": (
        "resolution",
        "violation",
        lambda f: shutil.copy(f / "v0/init.mp4", f / "v1/init.mp4"),
    ),
    "the initialisation section of the sound": (
        "codecs",
        "violation",
        lambda f: shutil.copy(f / "a0/init.mp4", f / "v1/init.mp4"),
    ),
    "another timescale": ("extinf-accurate", "violation", change("v1/init.mp4", other_timescale)),
    "a segment without an IDR": (
        "starts-with-idr",
        "violation",
        change("v1/00001.m4s", without_idr),
    ),
    "a jump in decoding times": (
        "times-continuous",
        "violation",
        change("v1/00002.m4s", later(4000)),
    ),
    "a jump inside a segment": (
        "times-continuous",
        "violation",
        change("v1/00001.m4s", fragment_twice),
    ),
    "a rung that starts late": (
        "rungs-in-step",
        "violation",
        both(*(change(f"v1/0000{n}.m4s", later(4000)) for n in range(3))),
    ),
    "sound that starts late": (
        "same-range",
        "violation",
        both(*(change(f"a0/0000{n}.m4s", later(9000)) for n in range(3))),
    ),
    "sound shorter than the picture": ("same-duration", "violation", shorter_sound),
    "rungs with other boundaries": ("rungs-same-boundaries", "violation", longer_first),
    "one vector for all segments": (
        "vector-unique",
        "warning",
        edit(TOP, "^#EXT-X-BITRATE", f"{AES}\n#EXT-X-BITRATE"),
    ),
    "an unencrypted size under AES-128": (
        "padding",
        "violation",
        edit(TOP, "^#EXT-X-BITRATE", f"{AES}\n#EXT-X-BITRATE"),
    ),
    "an encrypted section without IV": (
        "init-vector",
        "violation",
        edit(TOP, "^#EXT-X-MAP", '#EXT-X-KEY:METHOD=AES-128,URI="key"\n#EXT-X-MAP'),
    ),
    "clear samples called SAMPLE-AES": (
        "scheme",
        "violation",
        edit(
            TOP,
            "^#EXT-X-MAP",
            '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://k",KEYFORMAT="com.apple.streamingkeydelivery"\n#EXT-X-MAP',
        ),
    ),
    "an unknown method": (
        "key-method",
        "violation",
        edit(TOP, "^#EXT-X-MAP", '#EXT-X-KEY:METHOD=ROT13,URI="key"\n#EXT-X-MAP'),
    ),
    "FairPlay over AES-128": (
        "fairplay",
        "violation",
        edit(TOP, "^#EXT-X-MAP", '#EXT-X-KEY:METHOD=AES-128,URI="skd://k",IV=0x01\n#EXT-X-MAP'),
    ),
}


def test_a_clean_package_of_ours_breaks_no_rule_even_when_decoded(clean: Path) -> None:
    facts, verdict = inspected(clean, "decode")
    assert [f for f in verdict.findings if f.severity == "violation"] == []
    assert verdict.unchecked == ()
    assert {media.role for media in facts.media()} >= {"video", "audio"}
    assert [segment.decoded_frames for segment in next(facts.rungs()).segments] == [25, 25, 25]


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(fault: str, clean: Path, tmp_path: Path) -> None:
    rule, severity, plant = PLANTED[fault]
    folder = tmp_path / "film"
    shutil.copytree(clean, folder)
    plant(folder)
    _, verdict = inspected(folder)
    assert rule in found(verdict, severity), [
        (f.severity, f.rule, f.measured) for f in verdict.findings
    ]


def test_a_segment_that_cannot_be_decoded_is_found_by_decoding(clean: Path, tmp_path: Path) -> None:
    folder = tmp_path / "film"
    shutil.copytree(clean, folder)
    path = folder / "v1/00001.m4s"
    data = path.read_bytes()
    mdat = find(data, b"mdat")
    noise = bytes(range(256)) * ((mdat.end - mdat.body) // 256 + 1)
    start = mdat.body + 60
    path.write_bytes(data[:start] + noise[: mdat.end - start] + data[mdat.end :])
    _, verdict = inspected(folder, "decode")
    assert found(verdict) & {"decodes-alone", "decodes-whole"}


def test_a_package_that_breaks_a_rule_is_never_published(
    master: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def write_wrongly(index: PresentationIndex, folder: Path) -> None:
        write_index(index, folder)
        edit(MULTIVARIANT, "FRAME-RATE=25.000", "FRAME-RATE=24.000")(folder)

    monkeypatch.setattr(package, "write_index", write_wrongly)
    out = tmp_path / "film"
    arguments = ["--segment", "1", "--ladder", "54:60", "--preset", "ultrafast"]
    assert main(["transcode", str(master), str(out), *arguments]) == 1
    assert "FRAME-RATE 24; pictures come at 25.000" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_encrypted_package_is_inspected_with_its_keys(
    master: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, keys = tmp_path / "film", tmp_path / "keys"
    arguments = ["--segment", "1", "--ladder", "54:60", "--preset", "ultrafast"]
    arguments += ["--encrypt", "aes-128", "--rotate-every", "2", "--seal-init"]
    assert main(["transcode", str(master), str(out), *arguments, "--keys", str(keys)]) == 0
    capsys.readouterr()
    assert main(["inspect", str(out), "--keys", str(keys), "--json"]) == 0
    seen = json.loads(capsys.readouterr().out)
    assert {row["frame_rate"] for row in seen["ladder"] if row["role"] == "video"} == {25.0}
    assert "keys-at-hand" not in {finding["rule"] for finding in seen["findings"]}
    assert main(["inspect", str(out), "--keys", str(tmp_path), "--json"]) == 0
    blind = json.loads(capsys.readouterr().out)
    assert "keys-at-hand" in {finding["rule"] for finding in blind["findings"]}


def test_what_is_no_package_exits_with_2_and_says_what_was_expected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.m3u8").write_text("hello")
    for where, said in (
        (str(tmp_path / "none"), "no such file or folder; expected a folder"),
        (str(tmp_path), "expected #EXTM3U"),
        ("", "no package; expected a folder"),
    ):
        assert main(["inspect", where]) == 2
        assert said in capsys.readouterr().err
    (tmp_path / "other.m3u8").write_text("hello")
    assert main(["inspect", str(tmp_path)]) == 2
    assert "several playlists (other.m3u8, text.m3u8)" in capsys.readouterr().err


def test_options_choose_rules_and_write_pictures(
    clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where, svg, html = str(clean), tmp_path / "ladder.svg", tmp_path / "report.html"
    assert main(["inspect", where, "--quick", "--svg", str(svg), "--html", str(html)]) == 0
    assert svg.read_text().startswith("<svg")
    assert "<svg" in html.read_text()
    assert main(["inspect", where, "--rule", "7.5", "--json"]) == 0
    assert capsys.readouterr().out.count('"target-duration-nominal"') >= 1
    assert main(["inspect", where, "--rule", "bandwith"]) == 2
    assert main(["inspect", where, "--rule", "playlists-compressed", "--strict"]) == 0
    assert main(["inspect", where, "--quick", "--decode"]) == 2
    capsys.readouterr()
    assert main(["inspect", "--rules"]) == 0
    assert "bandwidth-covers-peak  (violation; Apple 1.27" in capsys.readouterr().out
