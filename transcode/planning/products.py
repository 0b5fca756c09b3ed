"""Products as files: what the encoder delivered, and behind it what was found out about it.

The file is a fragmented MP4 that any player opens. Its last box, of a kind that is skipped,
holds the number of samples and the digest of everything before it, so a product is whole and
unchanged or it is not there.

Source: ISO/IEC 14496-12:2022, 8.1.2 (free space box).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from abr.errors import MediaError, ToolFailedError
from transcode.media.boxes import box, read_header
from transcode.media.codecs import KeyFrameTest, is_video, key_frame_test
from transcode.media.fragments import Demuxer, timescale_of
from transcode.planning.jobs import Job, VideoJob

SEAL_BYTES = 256
"""Size of the last box."""
_HEADER_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFacts:
    """What was found when a product was checked."""

    samples: int
    """Frames of video, or packets of audio."""
    units: int
    """Duration in units of its timescale."""
    timescale: int
    sha256: str
    """Of everything before the seal."""


def seal(facts: ProductFacts) -> bytes:
    """The last box of a product."""
    text = json.dumps(asdict(facts), separators=(",", ":")).encode("ascii")
    return box(b"free", text.ljust(SEAL_BYTES - _HEADER_BYTES))


def read_seal(data: bytes) -> ProductFacts:
    """The facts in the last ``SEAL_BYTES`` bytes of a product.

    Raises:
        MediaError: it has no seal.
    """
    try:
        head = read_header(data)
        if len(data) != SEAL_BYTES or head is None or (head[0], head[2]) != (b"free", SEAL_BYTES):
            raise ValueError("no such box")
        return ProductFacts(**json.loads(data[_HEADER_BYTES:]))
    except (ValueError, TypeError) as exc:
        raise MediaError("product: has no seal; expected one in its last 256 bytes") from exc


class Inspection:
    """Reads a product in pieces of any size, and says whether it is what the job asked for."""

    def __init__(self, name: str, *, segment_frames: int = 0) -> None:
        """Begin; rates are known of video only, given the frames of a segment."""
        self._name = name
        self._demuxer = Demuxer()
        self._test: KeyFrameTest | None = None
        self._units = 0
        self._segment_frames = segment_frames
        self._spans: list[tuple[int, int]] = []
        self.samples = 0
        self.key_frames = 0

    def __repr__(self) -> str:
        return f"<Inspection of {self._name}: {self.samples} samples>"

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            MediaError: it is not a fragmented track.
            ToolFailedError: what is called a key frame is none, or the first frame is not.
        """
        for sample in self._demuxer.feed(data):
            assert self._demuxer.init is not None
            if self.samples == 0 and is_video(self._demuxer.init):
                self._test = key_frame_test(self._demuxer.init)
            if self._test is not None and (sample.sync or not self.samples):
                if not self._test.passes(sample.data):
                    raise ToolFailedError(
                        f"{self._name}: frame {self.samples} is no key frame that decoding can "
                        "start at; expected one; `abr doctor` shows which ffmpeg ran"
                    )
                self.key_frames += 1
            if self._segment_frames:
                if self.samples % self._segment_frames == 0:
                    self._spans.append((0, 0))
                size, units = self._spans[-1]
                self._spans[-1] = size + len(sample.data), units + sample.duration
            self.samples += 1
            self._units += sample.duration

    @property
    def fastest(self) -> tuple[float, float]:
        """Bit rate and seconds of the segment of the highest rate; zeros where none is known.

        RFC 8216bis, 4.1: a last segment of less than half the length is not counted alone.
        """
        if not self._spans or self._demuxer.init is None:
            return 0.0, 0.0
        scale = timescale_of(self._demuxer.init)
        whole = self._spans[0][1]
        counted = [each for each in self._spans if 0 < whole <= 2 * each[1]] or [(0, 1)]
        size, units = max(counted, key=lambda each: each[0] / each[1])
        return 8 * size * scale / units, units / scale

    def close(self, job: Job, digest: str) -> ProductFacts:
        """Facts about the whole product.

        Raises:
            MediaError: it ends early.
            ToolFailedError: it has too few frames, or too short a sound, for ``job``.
        """
        self._demuxer.close()
        assert self._demuxer.init is not None
        scale = timescale_of(self._demuxer.init)
        if isinstance(job, VideoJob):
            expected, found = job.chunk.frames, self.samples
            wrong = not found or (expected is not None and found != expected)
            words = f"{found} frames; expected {expected or 'some'}"
        else:
            wrong = self._units / scale < job.audio.duration_s - 0.03
            words = f"{self._units / scale:.3f} s; expected {job.audio.duration_s:.3f} s of sound"
        if wrong:
            raise ToolFailedError(
                f"{self._name}: ffmpeg delivered {words}; encode again, and report it if it "
                "happens again"
            )
        return ProductFacts(samples=self.samples, units=self._units, timescale=scale, sha256=digest)
