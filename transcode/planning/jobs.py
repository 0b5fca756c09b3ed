"""Pieces of work: what one run of ffmpeg encodes, as values that can be sent to a worker.

A job knows its tracks by the names of their folders. The tracks of a package are made of
products: one for each rung and chunk, and one for each audio rendition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from transcode.packaging.layout import audio_folder, video_folder
from transcode.planning.chunks import Chunk
from transcode.planning.plan import AudioPlan, EncodePlan, PicturePlan, VideoPlan
from transcode.watermark.marks import pictures_of


@dataclass(frozen=True, slots=True)
class ProductName:
    """Which piece of which track."""

    track: str
    """Name of the track's folder, such as ``v0``."""
    chunk: int = 0

    def __str__(self) -> str:
        return f"{self.track}-{self.chunk:05d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoJob:
    """One chunk of some rungs."""

    pictures: PicturePlan
    chunk: Chunk
    rungs: tuple[tuple[str, VideoPlan], ...]
    """Name of the track's folder, and how it is encoded."""

    def __str__(self) -> str:
        return f"chunk {self.chunk.index} of {', '.join(track for track, _ in self.rungs)}"

    @property
    def is_damaged(self) -> bool:
        """Whether parts of the master do not decode, which is known."""
        return self.pictures.is_damaged

    @property
    def marks(self) -> bytes:
        """The marks of its segments as ffmpeg reads them; empty where no rung is marked."""
        if not any(rung.variant for _, rung in self.rungs):
            return b""
        pictures, chunk = self.pictures, self.chunk
        assert pictures.marks_seed, "a watermarked plan has a seed"
        assert chunk.frames is not None, "chunks of a film have an end"
        first = chunk.first_frame // pictures.segment_frames
        count = -(-chunk.frames // pictures.segment_frames)
        return pictures_of(pictures.marks_seed, first=first, count=count)

    @property
    def products(self) -> tuple[ProductName, ...]:
        """What it makes, in the order of its outputs."""
        return tuple(ProductName(track, self.chunk.index) for track, _ in self.rungs)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioJob:
    """One rendition, from the beginning to the end."""

    track: str
    audio: AudioPlan

    def __str__(self) -> str:
        return f"sound {self.track}"

    @property
    def is_damaged(self) -> bool:
        """Whether parts of the master do not decode, which is known."""
        return self.audio.is_damaged

    @property
    def products(self) -> tuple[ProductName, ...]:
        """What it makes."""
        return (ProductName(self.track),)


Job = VideoJob | AudioJob


def variant_track(track: str) -> str:
    """The name under which variant B of a track is encoded; it ends up in the same folder."""
    return f"{track}.b"


def jobs_of(plan: EncodePlan) -> Iterator[Job]:
    """All the work of a plan: the sound first, because it is one long piece, then the chunks."""
    for rendition, audio in enumerate(plan.audio):
        yield AudioJob(track=audio_folder(rendition), audio=audio)
    rungs = tuple((video_folder(number), rung) for number, rung in enumerate(plan.rungs))
    rungs += tuple((variant_track(t), replace(r, variant="b")) for t, r in rungs if r.variant)
    for chunk in plan.chunks:
        yield VideoJob(pictures=plan.pictures, chunk=chunk, rungs=rungs)


_SOUND_PIXELS = 20_000
"""Pixels of a frame that cost as much as the sound of its time."""


def work_of(job: Job, plan: EncodePlan) -> float:
    """How much work a job of ``plan`` is, in pixels to encode."""
    rate = plan.pictures.frame_rate
    if isinstance(job, VideoJob):
        frames = job.chunk.frames or plan.duration_s * rate
        return float(frames * sum(rung.width * rung.height for _, rung in job.rungs))
    return float(job.audio.duration_s * rate * _SOUND_PIXELS)


def longest_first(jobs: Iterable[Job], plan: EncodePlan) -> list[Job]:
    """The order in which workers end at nearly the same time."""
    return sorted(jobs, key=lambda job: -work_of(job, plan))
