"""Pictures and sound of a generated master, the same bytes on every machine.

Numbers in, planes and samples out; no files, no processes. All arithmetic is on integers
(sines come from a rounded table), because floating point may differ in the last bit from
one processor to the next.

Six scenes follow each other in hard cuts: graphics, edges, text, smooth waves, a dark one
under grain, and fast texture. At every scene's start, and every two seconds away from one,
a white square flashes and a tone sounds, which shows whether sound and picture are in step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transcode.glyphs import draw_text

Plane = NDArray[np.uint8]
Whole = NDArray[np.int32]
Long = NDArray[np.int64]
SAMPLE_RATE = 48_000
FLASH_EVERY_S = 2
TONE_S = Fraction(2, 25)
_TURN = 1024
_SINE: Whole = np.array(
    [round(127 * math.sin(2 * math.pi * step / _TURN)) for step in range(_TURN)], dtype=np.int32
)
_PROSE = (
    "THE LADDER AND THE LINK", "A RUNG FOR EVERY SEASON", "BUFFERS FILL AND BUFFERS DRAIN",
    "WHO WAITS FOR THE FIRST BYTE", "KEYS APART FROM WHAT THEY SEAL", "EVERY CUT IS A NEW START",
    "0123456789 FRAMES AND COUNTING", "NOTHING HERE IS RANDOM",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSpec:
    """What to generate."""

    width: int = 640
    height: int = 360
    frame_rate: Fraction = Fraction(25)
    duration_s: float = 24.0
    seed: int = 1
    with_sound: bool = True

    def __post_init__(self) -> None:
        even = not (self.width % 2 or self.height % 2)
        if not (even and 32 <= self.width <= 4096 and 32 <= self.height <= 4096):
            raise ValueError(f"{self.width}x{self.height}: expected even numbers of 32 to 4096")
        if not (0 < self.duration_s <= 3600 and 1 <= self.frame_rate <= 120):
            raise ValueError("expected up to an hour at 1 to 120 frames a second")

    @property
    def frames(self) -> int:
        """How many pictures there are."""
        return max(1, round(self.duration_s * self.frame_rate))

    @property
    def scene_starts(self) -> tuple[int, ...]:
        """First frame of each scene; lengths vary, so cuts do not fall on segments only."""
        lengths = [self.duration_s / 6 * factor for factor in (0.8, 1.1, 0.9, 1.3, 1.0, 0.9)]
        ends = np.cumsum([0.0, *lengths[:-1]])
        return tuple(sorted({min(self.frames - 1, round(end * self.frame_rate)) for end in ends}))

    @property
    def flashes(self) -> tuple[int, ...]:
        """Frames at which a flash and a tone begin."""
        starts = self.scene_starts
        every = FLASH_EVERY_S * self.frame_rate
        steady = (math.ceil(number * every) for number in range(math.ceil(self.frames / every)))
        near = self.frame_rate / 2
        alone = (at for at in steady if all(abs(at - start) > near for start in starts))
        return tuple(sorted({*starts, *alone}))


class Picture(NamedTuple):
    """One frame: luma, and both chroma planes at half size."""

    luma: Plane
    blue: Plane
    red: Plane

    def tobytes(self) -> bytes:
        """As planar YUV 4:2:0."""
        return self.luma.tobytes() + self.blue.tobytes() + self.red.tobytes()


class _Stage:
    """What all scenes share: coordinates, grain and texture."""

    def __init__(self, spec: SceneSpec) -> None:
        self.width, self.height = spec.width, spec.height
        self.x = np.arange(spec.width, dtype=np.int32)[None, :]
        self.y = np.arange(spec.height, dtype=np.int32)[:, None]
        # Sizes are relative to the picture, so that every size shows the same scenes.
        self.unit = max(1, spec.height // 45)
        raw = np.random.Generator(np.random.PCG64(spec.seed)).bytes(4 * 512 * 1024)
        four = np.frombuffer(raw, dtype=np.uint8).reshape(4, 512, 1024).astype(np.int32)
        self.noise: Whole = four.sum(axis=0) - 510  # near enough to a bell curve, sigma 148

    def __repr__(self) -> str:
        return f"<_Stage {self.width}x{self.height}>"

    def grain(self, frame: int, strength: int) -> Whole:
        """Noise that changes with every frame."""
        shift = frame * 7919
        noise = np.roll(self.noise, (shift % 512, shift * 3 % 1024), axis=(0, 1))
        tiles = (-(-self.height // 512), -(-self.width // 1024))
        grain: Whole = np.tile(noise, tiles)[: self.height, : self.width] * strength // 128
        return grain

    def texture(self, dx: int, dy: int) -> Whole:
        """Coarse noise, shifted by ``dx`` and ``dy`` pixels."""
        size = max(2, self.unit // 2)
        rows = ((self.y[:, 0] + dy) // size) % 512
        columns = ((self.x[0] + dx) // size) % 1024
        coarse: Whole = self.noise[np.ix_(rows, columns)]
        return coarse

    def chroma(self, blue: int, red: int, luma: Whole) -> tuple[Whole, Whole]:
        """Chroma planes that follow the luma."""
        half = luma[::2, ::2] - 128
        return 128 + blue + half * blue // 128, 128 + red + half * red // 128


def _sine(phase: Whole | Long | int) -> Whole:
    values: Whole = _SINE[np.asarray(phase) % _TURN]
    return values


def _graphics(stage: _Stage, frame: int) -> tuple[Whole, Whole, Whole]:
    luma = 60 + stage.x * 100 // stage.width + stage.y * 40 // stage.height
    blue = 128 + stage.x[:, ::2] * 60 // stage.width - stage.y[::2] * 30 // stage.height
    red = 110 + stage.y[::2] * 70 // stage.height + 0 * stage.x[:, ::2]
    for number in range(5):
        turn = frame * (5 + 2 * number) + number * 200
        at_x = stage.width * (160 + int(_sine(turn))) // 320
        at_y = stage.height * (160 + int(_sine(turn * 3 // 2 + 256))) // 320
        radius = stage.unit * (3 + number)
        inside = (stage.x - at_x) ** 2 + (stage.y - at_y) ** 2 < radius**2
        luma = np.where(inside, 90 + 30 * number, luma)
        blue = np.where(inside[::2, ::2], 60 + 35 * number, blue)
        red = np.where(inside[::2, ::2], 200 - 35 * number, red)
    return luma, blue, red


def _edges(stage: _Stage, frame: int) -> tuple[Whole, Whole, Whole]:
    size = stage.unit * 4
    far, near = frame * stage.unit * 3 // 4, frame * stage.unit // 4
    board = ((stage.x + far) // size + (stage.y + near) // size) % 2
    stripes = ((stage.x + stage.y - near * 2) // max(1, size // 4)) % 2
    luma = 40 + 130 * board + 40 * stripes
    return (luma, *stage.chroma(-40, 25, luma))


def _text(stage: _Stage, frame: int) -> tuple[Whole, Whole, Whole]:
    page = np.full((stage.height, stage.width), 24, dtype=np.int32)
    size = max(1, stage.unit // 3)
    pitch = 11 * size
    lines = stage.height // pitch + 2
    scroll = frame * max(1, size // 2)
    for line in range(lines):
        number = line + scroll // pitch
        text = f"{number:03d} {_PROSE[number * 3 % len(_PROSE)]}"
        left = 2 * stage.unit + int(_sine(number * 90)) * stage.unit // 127
        draw_text(page, text, left, line * pitch - scroll % pitch, size=size, level=210)
    return (page, *stage.chroma(20, -10, page))


def _waves(stage: _Stage, frame: int) -> tuple[Whole, Whole, Whole]:
    x, y = stage.x * 1024 // stage.width, stage.y * 1024 // stage.height
    luma = (
        128 + (_sine(2 * x + 9 * frame) + _sine(3 * y - 7 * frame) + _sine(x + y + 5 * frame)) // 4
    )
    half_x, half_y = x[:, ::2], y[::2]
    blue = 128 + _sine(half_x + half_y - 6 * frame) // 3
    red = 128 + _sine(2 * half_y - half_x + 4 * frame) // 3
    return luma, blue, red


def _dusk(stage: _Stage, frame: int) -> tuple[Whole, Whole, Whole]:
    x, y = stage.x * 512 // stage.width, stage.y * 512 // stage.height
    luma = 36 + (_sine(x + frame) + _sine(2 * y + x // 2 - frame)) // 16 + stage.grain(frame, 5)
    return (luma, *stage.chroma(12, -6, luma))


def _rush(stage: _Stage, frame: int) -> tuple[Whole, Whole, Whole]:
    far = stage.texture(frame * stage.unit // 2, 0)
    near = stage.texture(frame * stage.unit * 2 + 300, frame * stage.unit // 2)
    hill = stage.y > stage.height // 2 + stage.height * _sine(stage.x * 3 + frame * 12) // 700
    luma = np.where(hill, 110 + near // 4, 150 + far // 12) + stage.grain(frame, 3)
    blue = np.where(hill[::2, ::2], 104, 152)
    return luma, blue, np.where(hill[::2, ::2], 132, 118)


_SCENES: tuple[tuple[str, Callable[[_Stage, int], tuple[Whole, Whole, Whole]]], ...] = (
    ("GRAPHICS", _graphics),
    ("EDGES", _edges),
    ("TEXT", _text),
    ("WAVES", _waves),
    ("DUSK", _dusk),
    ("RUSH", _rush),
)


def pictures(spec: SceneSpec) -> Iterator[Picture]:
    """Every frame in order."""
    stage = _Stage(spec)
    starts, flashes = spec.scene_starts, frozenset(spec.flashes)
    scene = -1
    for frame in range(spec.frames):
        if scene + 1 < len(starts) and frame == starts[scene + 1]:
            scene += 1
        name, draw = _SCENES[scene % len(_SCENES)]
        luma, blue, red = draw(stage, frame - starts[scene])
        luma = np.array(np.broadcast_to(luma, (spec.height, spec.width)))
        _label(luma, stage, f"{name} {_clock(spec, frame)}")
        if frame in flashes or frame - 1 in flashes:
            side = 6 * stage.unit
            luma[-side - stage.unit : -stage.unit, -side - stage.unit : -stage.unit] = 235
        yield Picture(_plane(luma), _plane(blue), _plane(red))


def _clock(spec: SceneSpec, frame: int) -> str:
    second, part = divmod(frame, max(1, round(spec.frame_rate)))
    return f"{second // 60:02d}:{second % 60:02d}.{part:02d}"


def _label(luma: Whole, stage: _Stage, text: str) -> None:
    size = max(1, stage.unit // 3)
    luma[stage.unit : stage.unit + 9 * size, stage.unit : stage.unit + 6 * size * len(text)] = 16
    draw_text(luma, text, stage.unit + size, stage.unit + size, size=size, level=235)


def _plane(values: Whole) -> Plane:
    return np.clip(values, 16, 235).astype(np.uint8)


def sound(spec: SceneSpec) -> bytes:
    """The whole sound: stereo, 16 bits, little-endian, at ``SAMPLE_RATE``."""
    count = round(spec.frames / spec.frame_rate * SAMPLE_RATE)
    at = np.arange(count, dtype=np.int64)
    # A quiet chord that pans from side to side, so that no segment is silent.
    low, high = (_sine(_phase(at, hertz)).astype(np.int64) for hertz in (220, 330))
    sway = _sine(at * _TURN // (4 * SAMPLE_RATE)).astype(np.int64)
    left, right = low * (160 + sway) // 32, high * (160 - sway) // 32
    tone = _sine(_phase(at[: int(TONE_S * SAMPLE_RATE)], 1000)).astype(np.int64) * 110
    for frame in spec.flashes:
        begin = round(frame / spec.frame_rate * SAMPLE_RATE)
        piece = slice(begin, begin + len(tone))
        left[piece] += tone[: len(left[piece])]
        right[piece] += tone[: len(right[piece])]
    return np.stack([left, right], axis=1).astype("<i2").tobytes()


def _phase(at: Long, hertz: int) -> Long:
    return at * hertz * _TURN // SAMPLE_RATE
