"""Films whose pictures carry their number, with a beep at some of them; and what was kept.

A picture shows its number as blocks in black and white, so that it can be read after any
encode. Beeps begin when the picture with a given number does.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 160, 90
BITS = 10
_BLOCK = WIDTH // BITS
_BEEP_S = 0.06
_SAMPLE_RATE = 48_000


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> npt.NDArray[np.uint8]:
    """Luma of a picture."""
    luma = np.full((height, width), 100, dtype=np.uint8)
    luma[height // 2 :, :] = (np.arange(width) * 3 + number * 5) % 120 + 60
    block = width // BITS
    for bit in range(BITS):
        luma[: height // 2, bit * block : (bit + 1) * block] = 235 if number >> bit & 1 else 16
    return luma


def number_of(luma: npt.NDArray[np.uint8]) -> int:
    """The number that a picture shows."""
    row = luma[8 : HEIGHT // 2 - 8].astype(float)
    return sum(
        1 << bit
        for bit in range(BITS)
        if row[:, bit * _BLOCK + 4 : (bit + 1) * _BLOCK - 4].mean() > 125
    )


def tone(beeps_s: Sequence[float], seconds: float, channels: int = 1) -> bytes:
    """Silence with beeps, as 16-bit samples."""
    samples = np.zeros(round(seconds * _SAMPLE_RATE))
    beep = np.sin(2 * np.pi * 1000 * np.arange(int(_BEEP_S * _SAMPLE_RATE)) / _SAMPLE_RATE) * 16_000
    for begin_s in beeps_s:
        at = round(begin_s * _SAMPLE_RATE)
        piece = samples[at : at + len(beep)]
        piece += beep[: len(piece)]
    return np.repeat(samples.astype("<i2")[:, None], channels, axis=1).tobytes()


def write_film(
    program: str,
    path: Path,
    *arguments: str,
    count: int = 75,
    rate: str = "25",
    first: int = 0,
    beeps_s: Sequence[float] | None = (1.0, 2.0),
    sound_s: float | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    channels: int = 1,
    codecs: Sequence[str] = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-c:a", "aac"),
    before: Sequence[str] = (),
) -> Path:
    """Encode a film.

    Args:
        program: Path of ffmpeg.
        path: Where it goes.
        arguments: Options of the output.
        count: Pictures.
        rate: Pictures a second.
        first: Number of the first picture.
        beeps_s: Where beeps begin; None for no sound.
        sound_s: Length of the sound; that of the pictures when None.
        size: Of pictures.
        channels: Of sound.
        codecs: Options that choose codecs.
        before: Options of the input of sound.
    """
    raw, wave = path.with_suffix(".raw"), path.with_suffix(".pcm")
    raw.write_bytes(b"".join(_planes(picture(first + n, *size)) for n in range(count)))
    form = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{size[0]}x{size[1]}", "-r", rate]
    command = [program, "-nostdin", "-y", "-v", "error", *form, "-i", str(raw)]
    if beeps_s is not None:
        up, down = (int(each) for each in [*rate.split("/"), "1"][:2])
        wave.write_bytes(tone(beeps_s, sound_s or count * down / up, channels))
        command += [*before, "-f", "s16le", "-ar", str(_SAMPLE_RATE), "-ac", str(channels)]
        command += ["-i", str(wave)]
    subprocess.run([*command, *codecs, *arguments, f"file:{path}"], check=True, timeout=60)
    raw.unlink()
    wave.unlink(missing_ok=True)
    return path


def _planes(luma: npt.NDArray[np.uint8]) -> bytes:
    height, width = luma.shape
    chroma = np.full(2 * (height // 2) * (width // 2), 128, dtype=np.uint8)
    return np.concatenate([luma.ravel(), chroma]).tobytes()


@dataclass(frozen=True, slots=True)
class Played:
    """What a package shows and plays, decoded."""

    numbers: tuple[int, ...]
    """Number of each frame's picture."""
    rate: float
    onsets_s: tuple[float, ...]
    """Where beeps begin."""
    sound_s: float

    @property
    def seconds(self) -> float:
        """Of the pictures."""
        return len(self.numbers) / self.rate

    def first_s(self, number: int) -> float:
        """When a picture is seen first."""
        return self.numbers.index(number) / self.rate

    def delays_s(self, beeps: Mapping[int, int] | Sequence[int]) -> list[float]:
        """How long after each picture its beep is heard."""
        seen = [self.first_s(number) for number in beeps]
        return [heard - at for heard, at in zip(self.onsets_s, seen, strict=True)]


def play(program: str, package: Path, *, rate: float, sound: bool = True) -> Played:
    """Decode the first rung and the first sound of a package."""
    luma = _decode(
        program, package / "v0", "rawvideo", "-pix_fmt", "gray", "-fps_mode", "passthrough"
    )
    pictures = luma.reshape(-1, HEIGHT, WIDTH)
    wave = np.zeros(0)
    if sound:
        wave = np.abs(
            _decode(program, package / "a0", "s16le", "-ac", "1", "-ar", str(_SAMPLE_RATE))
            .view("<i2")
            .astype(int)
        )
    loud = np.flatnonzero(wave > 5_000)
    starts = loud[np.flatnonzero(np.diff(loud, prepend=-_SAMPLE_RATE) > 0.2 * _SAMPLE_RATE)]
    return Played(
        numbers=tuple(map(number_of, pictures)),
        rate=rate,
        onsets_s=tuple((starts / _SAMPLE_RATE).tolist()),
        sound_s=len(wave) / _SAMPLE_RATE,
    )


def _decode(program: str, folder: Path, form: str, *arguments: str) -> npt.NDArray[np.uint8]:
    command = [program, "-nostdin", "-v", "error", "-copyts", "-i", str(folder / "playlist.m3u8")]
    done = subprocess.run(
        [*command, *arguments, "-f", form, "-"], capture_output=True, check=True, timeout=60
    )
    return np.frombuffer(done.stdout, dtype=np.uint8)


def pieces(data: bytes, size: int = 188) -> list[bytes]:
    """``data`` in packets of a transport stream."""
    return [data[at : at + size] for at in range(0, len(data) - size + 1, size)]
