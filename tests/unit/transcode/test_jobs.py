"""The order in which workers are given jobs."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from tests.golden.make_ffmpeg_arguments import master
from transcode.config import TranscodeConfig
from transcode.masters.sound import AudioFacts
from transcode.planning.chunks import Chunk
from transcode.planning.jobs import jobs_of, longest_first
from transcode.planning.plan import plan_encode


def test_long_chunks_come_first_then_the_sound_and_equal_ones_as_in_the_film() -> None:
    facts = master(640, 360, Fraction(24), sounds=(AudioFacts(index=1, channels=2),))
    plan = plan_encode(facts, TranscodeConfig(ladder="180:200,360:600"))
    lengths = (96, 288, 2, 288)
    chunks = (Chunk(index=n, first_frame=0, frames=each) for n, each in enumerate(lengths))
    plan = replace(plan, chunks=tuple(chunks))
    named = [str(job).partition(" of")[0] for job in longest_first(jobs_of(plan), plan)]
    assert named == ["chunk 1", "chunk 3", "chunk 0", "sound a0", "chunk 2"]


def test_the_sound_of_a_long_film_comes_first() -> None:
    """It is one long piece, and nothing may be left to wait for at the end."""
    facts = master(640, 360, Fraction(24), sounds=(AudioFacts(index=1, channels=2),))
    plan = plan_encode(facts, TranscodeConfig(ladder="180:200,360:600"))
    sound = next(jobs_of(plan)).audio  # type: ignore[union-attr]  # jobs begin with the sound
    chunk = Chunk(index=0, first_frame=0, frames=384)
    plan = replace(plan, audio=(replace(sound, duration_s=7200.0),), chunks=(chunk,))
    assert str(longest_first(jobs_of(plan), plan)[0]) == "sound a0"
