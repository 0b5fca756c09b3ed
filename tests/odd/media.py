"""Tiny media that odd streams are written around: made once with ffmpeg, held in memory.

Three segments of one second, 64x36 pixels, a key frame each half second, in every container that
HLS knows: fMP4 with and without sound, transport streams, packed audio, WebVTT.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from transcode.run.ffmpegtools import find

SEGMENTS = 3
LIMIT_S = 120.0
_VIDEO = "testsrc2=s=64x36:r=24:d=3,format=yuv420p"
_SOUND = "sine=f=440:r=48000:d=3"
_H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "12", "-keyint_min", "12")
_KEYED = (*_H264, "-sc_threshold", "0", "-bf", "0", "-profile:v", "baseline")
_RATES = ("20k", "60k", "150k")


@dataclass(frozen=True, slots=True)
class Media:
    """Files by name: ``v0/init.mp4``, ``v0/0.m4s``, ``ts0/2.ts``, ``aac/1.aac``."""

    files: Mapping[str, bytes] = field(repr=False)

    def __getitem__(self, name: str) -> bytes:
        return self.files[name]

    def of(self, *folders: str) -> dict[str, bytes]:
        """Everything in ``folders``."""
        return {
            name: data
            for name, data in self.files.items()
            if any(name.startswith(f"{folder}/") for folder in folders)
        }

    def whole(self, folder: str, ending: str) -> bytes:
        """The segments of a folder behind each other, after the section that begins them."""
        parts = [self.files.get(f"{folder}/init.mp4", b"")]
        return b"".join(parts + [self[f"{folder}/{at}.{ending}"] for at in range(SEGMENTS)])


def make_media(folder: Path) -> Media:
    """The media, from ``folder`` if they were made there before."""
    if not (folder / "whole").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _make(folder)
        (folder / "whole").touch()
    return Media(
        {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and path.suffix not in (".m3u8", "")
        }
    )


def _make(folder: Path) -> None:
    for rung, rate in enumerate(_RATES):
        video = (*_KEYED, "-b:v", rate)
        _fmp4(folder / f"v{rung}", ("-an", *video))
        _fmp4(folder / f"m{rung}", (*video, "-c:a", "aac", "-b:a", "32k"))
        _ts(folder / f"ts{rung}", (*video, "-c:a", "aac", "-b:a", "32k"))
    # The same pictures cut elsewhere.
    _fmp4(folder / "long", ("-an", *_KEYED, "-b:v", "90k"), segment_s=1.5)
    _fmp4(folder / "short", ("-an", *_KEYED, "-b:v", "40k"), segment_s=0.5)
    _fmp4(folder / "a0", ("-vn", "-c:a", "aac", "-b:a", "32k"))
    _fmp4(folder / "a1", ("-vn", "-c:a", "aac", "-b:a", "48k"))
    _ts(folder / "tsv", ("-an", *_KEYED, "-b:v", "40k"))
    _ts(folder / "tsa", ("-vn", "-c:a", "aac", "-b:a", "32k"))
    _packed(folder / "aac", "aac", ("-c:a", "aac", "-b:a", "32k"), form="adts")
    _packed(folder / "mp3", "mp3", ("-c:a", "libmp3lame", "-b:a", "32k"), form="mp3")
    _packed(folder / "ac3", "ac3", ("-c:a", "ac3", "-b:a", "64k"), form="ac3")
    (folder / "vtt").mkdir()
    for at in range(SEGMENTS):
        begin = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n"
        cue = f"{begin}00:0{at}.000 --> 00:0{at}.800\nx\n"
        (folder / f"vtt/{at}.vtt").write_text(cue, encoding="utf-8")


def _fmp4(folder: Path, options: Sequence[str], *, segment_s: float = 1) -> None:
    folder.mkdir()
    kind = ("-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "init.mp4")
    name = str(folder / "%d.m4s")
    _run(
        *options,
        "-f",
        "hls",
        "-hls_time",
        f"{segment_s}",
        "-hls_playlist_type",
        "vod",
        *kind,
        "-hls_segment_filename",
        name,
        str(folder / "list.m3u8"),
    )


def _ts(folder: Path, options: Sequence[str]) -> None:
    folder.mkdir()
    name = str(folder / "%d.ts")
    _run(
        *options,
        "-f",
        "hls",
        "-hls_time",
        "1",
        "-hls_playlist_type",
        "vod",
        "-hls_segment_filename",
        name,
        str(folder / "list.m3u8"),
    )


def _packed(folder: Path, ending: str, options: Sequence[str], *, form: str) -> None:
    """Packed audio; each segment begins with the tag that says its time (RFC 8216bis, 3.1.4)."""
    folder.mkdir()
    _run(
        "-vn",
        *options,
        "-f",
        "segment",
        "-segment_time",
        "1",
        "-segment_format",
        form,
        str(folder / f"%d.{ending}"),
    )
    for at in range(SEGMENTS):
        path = folder / f"{at}.{ending}"
        path.write_bytes(id3_time(90_000 * at) + path.read_bytes())


def id3_time(pts: int) -> bytes:
    """An ID3 tag that says where packed audio begins, in ticks of 90 kHz."""
    private = b"com.apple.streaming.transportStreamTimestamp\0" + struct.pack(">Q", pts)
    frame = b"PRIV" + struct.pack(">I", len(private)) + b"\0\0" + private
    return b"ID3\x04\0\0" + bytes([0, 0, len(frame) >> 7, len(frame) & 127]) + frame


def _run(*options: str) -> None:
    command = [find("ffmpeg").path, "-nostdin", "-v", "error", "-y"]
    command += ["-f", "lavfi", "-i", _VIDEO, "-f", "lavfi", "-i", _SOUND, *options]
    subprocess.run(command, check=True, timeout=LIMIT_S)
