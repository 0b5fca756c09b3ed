"""Tracks of a package while they are written: bytes from the encoder in, files out.

Each rung, and the audio, has its own folder. A segment is encrypted and written as soon as it
is complete; audio segments end where those of the first rung do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from abr.errors import ToolFailedError
from transcode import layout
from transcode.codecs import codec_of, nal_length_bytes, starts_with_idr
from transcode.encryption import ContentKey, KeyProvider, decrypt, encrypt, sequence_iv
from transcode.fragments import AudioCutter, Cut, Demuxer, VideoCutter, begin_at, timescale_of
from transcode.layout import SegmentFacts
from transcode.listing import init_iv


@dataclass(slots=True)
class Encrypter:
    """Content keys of one title by segment; each is asked for once."""

    provider: KeyProvider
    title: str
    rotate_every: int
    """Segments per key; 0 keeps one key for all."""
    keys: list[ContentKey] = field(default_factory=list)
    """Keys used so far, by period."""

    def key_of(self, segment: int) -> ContentKey:
        """The key that encrypts ``segment`` of every track."""
        period = layout.key_period(segment, self.rotate_every)
        while len(self.keys) <= period:
            self.keys.append(self.provider.key_for(self.title, len(self.keys)))
        return self.keys[period]


@dataclass(slots=True)
class Folder:
    """Folder of one track while it is written."""

    path: Path
    encrypter: Encrypter | None
    """None leaves everything in the clear."""
    encrypts_init: bool
    codecs: str = ""
    """RFC 6381 name, known once the initialisation section is written."""
    init_bytes: int = 0
    timescale: int = 1
    frames: int = 0
    """Written so far."""
    segments: list[SegmentFacts] = field(default_factory=list, repr=False)

    def write_init(self, init: bytes) -> None:
        """Write the initialisation section."""
        self.codecs, self.timescale = codec_of(init), timescale_of(init)
        if self.encrypter and self.encrypts_init:
            init = encrypt(init, self.encrypter.key_of(0).key, init_iv(self.path.name))
        self.init_bytes = len(init)
        self._write(layout.INIT, init)

    def write_segment(self, cut: Cut) -> None:
        """Write the next segment."""
        number = len(self.segments)
        data = cut.data
        if self.encrypter:
            data = encrypt(data, self.encrypter.key_of(number).key, sequence_iv(number))
        self._write(layout.segment_name(number), data)
        self.frames += cut.frames
        self.segments.append(
            SegmentFacts(size_bytes=len(data), duration_s=cut.duration / self.timescale)
        )

    def _write(self, name: str, data: bytes) -> None:
        self.path.mkdir(exist_ok=True)
        (self.path / name).write_bytes(data)

    def read_back(self, numbers: Sequence[int]) -> Iterator[bytes]:
        """The initialisation section and the segments ``numbers``, decrypted."""
        init = (self.path / layout.INIT).read_bytes()
        if self.encrypter and self.encrypts_init:
            init = decrypt(init, self.encrypter.key_of(0).key, init_iv(self.path.name))
        yield init
        for number in numbers:
            data = (self.path / layout.segment_name(number)).read_bytes()
            if self.encrypter:
                data = decrypt(data, self.encrypter.key_of(number).key, sequence_iv(number))
            yield data


class VideoSink:
    """Writes the segments of one rung from the encoder's bytes."""

    def __init__(
        self, folder: Folder, segment_frames: int, on_cut: Callable[[float], None]
    ) -> None:
        self.folder = folder
        self._demuxer = Demuxer()
        self._cutter = VideoCutter(segment_frames)
        self._on_cut = on_cut
        self._length_bytes = 4
        self._time = 0

    def __repr__(self) -> str:
        written = f"{self.folder.path.name}: {len(self.folder.segments)} segments"
        return f"<VideoSink {written}, {self._cutter!r}>"

    def feed(self, data: bytes) -> None:
        """Accept bytes that the encoder wrote."""
        samples = self._demuxer.feed(data)
        init = self._demuxer.init
        if init is not None and samples and not self.folder.init_bytes:
            self._length_bytes = nal_length_bytes(init)
            self.folder.write_init(begin_at(init, samples[0].cts))
        self._write(self._cutter.feed(samples))

    def close(self) -> None:
        """Write the remaining segments; the encoder has ended."""
        self._demuxer.close()
        self._write(self._cutter.close())

    def _write(self, cuts: list[Cut]) -> None:
        for cut in cuts:
            if not starts_with_idr(cut.first_sample, self._length_bytes):
                raise ToolFailedError(
                    f"{self.folder.path.name}: segment {len(self.folder.segments)} does not start "
                    "with a key frame; expected one; `abr doctor` shows which ffmpeg ran"
                )
            self.folder.write_segment(cut)
            self._time += cut.duration
            self._on_cut(self._time / self.folder.timescale)


class AudioSink:
    """Writes audio segments from the encoder's bytes; they end where those of the video do."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self._demuxer = Demuxer()
        self._cutter: AudioCutter | None = None
        self._ends: deque[float] = deque()

    def __repr__(self) -> str:
        written = f"{self.folder.path.name}: {len(self.folder.segments)} segments"
        return f"<AudioSink {written}, {len(self._ends)} ends to come>"

    def feed(self, data: bytes) -> None:
        """Accept bytes that the encoder wrote."""
        samples = self._demuxer.feed(data)
        if self._demuxer.init is not None and self._cutter is None:
            self.folder.write_init(self._demuxer.init)
            self._cutter = AudioCutter(self.folder.timescale)
        if self._cutter is not None:
            self._cutter.feed(samples)
            self._cut()

    def end_at(self, time_s: float) -> None:
        """End the current segment at ``time_s``, where a segment of the video ends."""
        self._ends.append(time_s)
        self._cut()

    def _cut(self) -> None:
        while self._cutter is not None and self._ends:
            cut = self._cutter.cut_to(self._ends[0])
            if cut is None:
                return
            self._ends.popleft()
            self.folder.write_segment(cut)

    def close(self) -> None:
        """Write the remaining segments; the encoder has ended."""
        self._demuxer.close()
        while self._cutter is not None and self._ends:
            cut = self._cutter.rest(self._ends.popleft())
            if cut is not None:
                self.folder.write_segment(cut)
