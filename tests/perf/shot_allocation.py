"""What choosing the constant quality chunk by chunk would save, at equal mean VMAF.

Every group of pictures of a clip is encoded at ten constant qualities and measured, by the
trials that per-title ladders are made of. Between them, curves give bits and quality at each
quarter of a step. Groups are joined to chunks, and the chunks given the qualities with the
fewest bits for the same mean VMAF as one quality for all has: those of equal slope, found by
Lagrange's method. Nothing is capped and everything is known beforehand, so no allocation that
is made of less can save more, but for the steps.

    nice .venv/bin/python -m tests.perf.shot_allocation CLIP --height 360 --chunks-s 2,8,16

Source of the method: Y. Shoham, A. Gersho, "Efficient bit allocation for an arbitrary set of
quantizers", IEEE Transactions on Acoustics, Speech and Signal Processing 36 (1988).
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from abr.media import FloatArray
from transcode.config import TranscodeConfig
from transcode.ladders.curves import interpolate
from transcode.ladders.pertitle import CRF_STEP
from transcode.run.cache import Cache
from transcode.run.pertitle import Study, study_title
from transcode.run.probe import probe

FACTORS = tuple(float(crf) for crf in range(20, 40, 2))
_SLOPES = np.geomspace(1e-9, 1e-2, 4000)
"""VMAF of the whole clip for a bit; the best allocation has one of about this many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunks:
    """Bits and quality of every chunk at every constant quality, shape (Q, C)."""

    crf: FloatArray
    bits: FloatArray
    quality: FloatArray
    weights: FloatArray
    """Part of the frames that each chunk has, shape (C,)."""


async def study(clip: Path, height: int, preset: str, scratch: Path) -> Study:
    """Encode and measure every group of pictures."""
    facts = await probe(clip)
    cache = Cache(scratch / "cache")
    cache.create()
    width = 2 * round(facts.width * height / facts.height / 2)
    return await study_title(
        clip, facts, TranscodeConfig(preset=preset),  # type: ignore[arg-type]  # a name of one
        cache, "vmaf", most_samples=10_000, sizes=[(width, height)], factors=FACTORS,
    )  # fmt: skip


def join(found: Study, groups: int) -> Chunks:
    """Chunks of so many groups of pictures."""
    frames = np.array([sample.frames for sample in found.samples])
    factors = np.array([trial.crf for trial in found.trials])
    crf = np.arange(factors[0], factors[-1] + CRF_STEP / 2, CRF_STEP)
    bits = 2 ** interpolate(crf, factors, np.log2([trial.bits for trial in found.trials]))
    quality = interpolate(crf, factors, np.array([trial.quality for trial in found.trials]))
    starts = np.arange(0, len(frames), groups)
    sizes = np.add.reduceat(frames, starts)
    return Chunks(
        crf=crf,
        bits=np.add.reduceat(bits, starts, axis=1),
        quality=np.add.reduceat(quality * frames, starts, axis=1) / sizes,
        weights=sizes / sizes.sum(),
    )


def allocate(chunks: Chunks, least: float) -> FloatArray:
    """Number of the quality of each chunk: the fewest bits whose mean is ``least`` or more."""
    every = np.arange(len(chunks.weights))
    best, fewest = np.zeros(len(every), dtype=int), np.inf
    for slope in _SLOPES:
        picked = np.argmax(chunks.quality * chunks.weights - slope * chunks.bits, axis=0)
        mean = float(chunks.quality[picked, every] @ chunks.weights)
        bits = float(chunks.bits[picked, every].sum())
        if mean >= least and bits < fewest:
            best, fewest = picked, bits
    return best


def report(chunks: Chunks, chunk_s: float, factors: Sequence[float]) -> None:
    """Print what allocation saves against one quality for all."""
    every = np.arange(len(chunks.weights))
    for crf in factors:
        one = int(np.argmin(abs(chunks.crf - crf)))
        mean = float(chunks.quality[one] @ chunks.weights)
        picked = allocate(chunks, mean)
        saved = 1 - chunks.bits[picked, every].sum() / chunks.bits[one].sum()
        own = chunks.quality[picked, every]
        print(
            f"{len(every):3} chunks of {chunk_s:4g} s, CRF {crf:g}, VMAF {mean:.2f}: "
            f"saves {100 * saved:+.1f} %, CRF {chunks.crf[picked].min():g} to "
            f"{chunks.crf[picked].max():g}; worst chunk {chunks.quality[one].min():.1f} -> "
            f"{own.min():.1f}",
            flush=True,
        )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--height", type=int, default=360)
    parser.add_argument("--preset", default="veryfast")
    parser.add_argument("--chunks-s", default="2,8,16", help="multiples of 2 s")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shots-") as scratch:
        found = asyncio.run(study(given.clip, given.height, given.preset, Path(scratch)))
    for chunk_s in map(float, given.chunks_s.split(",")):
        report(join(found, round(chunk_s / 2)), chunk_s, (24.0, 27.0, 30.0, 33.0))


if __name__ == "__main__":
    main()
