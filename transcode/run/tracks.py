"""Tracks of a package while they are written: products of the encode in, files out.

Each rung, and each audio rendition, has its own folder. A segment is encrypted and written as
soon as it is complete; audio segments end where those of the first rung do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from abr.errors import ToolFailedError
from transcode.encryption import (
    ContentKey,
    KeyProvider,
    decrypt,
    encrypt,
    segment_iv,
    sequence_iv,
)
from transcode.masters.colour import Light
from transcode.media.codecs import KeyFrameTest, codec_of, is_video, key_frame_test
from transcode.media.fragments import (
    AudioCutter,
    Cut,
    Demuxer,
    VideoCutter,
    begin_at,
    timescale_of,
    without_delay,
)
from transcode.media.light import with_light
from transcode.media.transport import TransportMuxer
from transcode.packaging import layout
from transcode.packaging.iframes import key_frames_in_packets, key_frames_of
from transcode.packaging.index import KeyFrame, SegmentFacts, key_period
from transcode.packaging.keygroups import NAMES, GroupName, KeysPer
from transcode.packaging.listing import init_iv
from transcode.packaging.sampledecryption import (
    Protection,
    clear_init,
    clear_segment,
    read_protection,
)
from transcode.packaging.sampleencryption import SampleEncrypter, Scheme
from transcode.watermark.evening import evened


@dataclass(slots=True)
class Encrypter:
    """Content keys of one title by segment; each is asked for once."""

    provider: KeyProvider
    title: str
    rotate_every: int
    """Segments per key; 0 keeps one key for all."""
    scheme: Scheme | None = None
    """How samples are encrypted; None encrypts files as a whole."""
    keys_per: KeysPer = "title"
    """What has keys of its own."""
    explicit_iv: bool = False
    """Whether files have vectors of their own, instead of their numbers."""
    _keys: dict[GroupName, list[ContentKey]] = field(default_factory=dict)

    @property
    def keys(self) -> tuple[ContentKey, ...]:
        """Keys used so far: by period, of each group in turn."""
        return tuple(key for name in NAMES for key in self._keys.get(name, ()))

    def keys_of(self, group: GroupName) -> tuple[ContentKey, ...]:
        """Keys of a group used so far, by period."""
        return tuple(self._keys.get(group, ()))

    def key_of(self, segment: int, group: GroupName = "all") -> ContentKey:
        """The key that encrypts ``segment`` of every track of ``group``."""
        period = key_period(segment, self.rotate_every)
        keys = self._keys.setdefault(group, [])
        while len(keys) <= period:
            keys.append(self.provider.key_for(self.title, len(keys), group))
        return keys[period]

    def iv_of(self, segment: int, folder: str, group: GroupName = "all") -> bytes:
        """The vector of a file that is encrypted as a whole."""
        if not self.explicit_iv:
            return sequence_iv(segment)
        return segment_iv(self.key_of(segment, group).kid, folder, segment)


@dataclass(slots=True)
class Folder:
    """Folder of one track while it is written."""

    path: Path
    encrypter: Encrypter | None
    """None leaves everything in the clear."""
    encrypts_init: bool
    container: layout.Container = "fmp4"
    group: GroupName = "all"
    """Whose keys encrypt it."""
    codecs: str = ""
    """RFC 6381 name, known once the initialisation section is written."""
    is_video: bool = False
    """Known with ``codecs``."""
    init_bytes: int = 0
    timescale: int = 1
    frames: int = 0
    """Written so far."""
    segments: list[SegmentFacts] = field(default_factory=list, repr=False)
    loudness_lufs: float | None = None
    """Of sound, as written; None when nobody measured."""
    has_variants: bool = False
    """Whether each segment has a variant B beside it."""
    digests: dict[str, str] = field(default_factory=dict, repr=False)
    """SHA-256 of each file, as it was handed to the disk."""
    _samples: SampleEncrypter | None = None
    """Where the title's key encrypts samples, not files."""
    _muxer: TransportMuxer | None = None
    """Where segments are transport streams."""

    @property
    def duration_s(self) -> float:
        """Of all segments so far."""
        return sum(segment.duration_s for segment in self.segments)

    def write_init(self, init: bytes) -> None:
        """Write the initialisation section; what a transport stream needs of it is kept."""
        self.codecs, self.timescale = codec_of(init), timescale_of(init)
        self.is_video = is_video(init)
        if self.container == "ts":
            self._muxer = TransportMuxer(init)
            return
        if self.encrypter and self.encrypter.scheme:
            key = self.encrypter.key_of(0, self.group)
            kids = [each.kid for each in self.encrypter.keys]
            self._samples = SampleEncrypter(self.encrypter.scheme, key, init, kids=kids)
            init = self._samples.init(init)
        elif self.encrypter and self.encrypts_init:
            init = encrypt(init, self.encrypter.key_of(0, self.group).key, init_iv(self.path.name))
        self.init_bytes = len(init)
        self._keep(layout.INIT, init)

    def write_segment(self, cut: Cut, other: Cut | None = None) -> None:
        """Write the next segment, and variant B of it where there is one."""
        number = len(self.segments)
        name = layout.segment_name(number, self.container)
        data = self._described(cut)
        if other is not None:
            # Before files are encrypted as a whole, and after samples are, which adds boxes.
            data, twin = evened(data, self._described(other))
            self._keep(layout.variant_b(name), self._sealed(twin, number))
        data = self._sealed(data, number)
        self._keep(name, data)
        self.frames += cut.frames
        self.segments.append(
            SegmentFacts(
                size_bytes=len(data),
                duration_s=cut.duration / self.timescale,
                key_frames=self._key_frames(data, cut.duration / self.timescale),
            )
        )

    def _described(self, cut: Cut) -> bytes:
        """A segment in its container, its samples encrypted if they are to be."""
        data = self._muxer.segment(cut.data) if self._muxer else cut.data
        return self._samples.segment(data) if self._samples else data

    def _sealed(self, data: bytes, number: int) -> bytes:
        """A segment encrypted as a whole, if it is to be."""
        if self._samples or not self.encrypter:
            return data
        key = self.encrypter.key_of(number, self.group)
        return encrypt(data, key.key, self._iv_of(number))

    def _iv_of(self, number: int) -> bytes:
        """The vector of a segment that is encrypted as a whole."""
        assert self.encrypter is not None
        return self.encrypter.iv_of(number, self.path.name, self.group)

    def _key_frames(self, data: bytes, duration_s: float) -> tuple[KeyFrame, ...]:
        """Those of a segment of video that is not encrypted as a whole."""
        is_whole = self.encrypter is not None and self._samples is None
        if not self.is_video or is_whole:
            return ()
        if self.container == "ts":
            return key_frames_in_packets(data, duration_s)
        return key_frames_of(data, self.timescale)

    def _keep(self, name: str, data: bytes) -> None:
        self.digests[name] = hashlib.sha256(data).hexdigest()
        self._write(name, data)

    def _write(self, name: str, data: bytes) -> None:
        self.path.mkdir(exist_ok=True)
        (self.path / name).write_bytes(data)

    def read_back(self, numbers: Sequence[int], *, variant: str = "a") -> Iterator[bytes]:
        """The initialisation section, if there is one, and the segments ``numbers``, decrypted."""
        encrypter = self.encrypter
        protection: Protection | None = None
        if self.container == "fmp4":
            init = (self.path / layout.INIT).read_bytes()
            if encrypter and encrypter.scheme:
                protection = read_protection(init)
                init = clear_init(init)
            elif encrypter and self.encrypts_init:
                init = decrypt(init, encrypter.key_of(0, self.group).key, init_iv(self.path.name))
            yield init
        for number in numbers:
            name = layout.segment_name(number, self.container)
            name = layout.variant_b(name) if variant == "b" else name
            data = (self.path / name).read_bytes()
            if encrypter and protection:
                key = encrypter.key_of(number, self.group)
                data = clear_segment(data, protection, {key.kid: key.key})
            elif encrypter:
                key = encrypter.key_of(number, self.group)
                data = decrypt(data, key.key, self._iv_of(number))
            yield data


class VideoTrack:
    """Writes one rung: the products of its chunks, in order, cut into segments."""

    def __init__(self, folder: Folder, segment_frames: int, light: Light | None = None) -> None:
        """Begin; ``light`` is what the initialisation section is to say of it."""
        self.folder = folder
        self._light = light
        self._cutter = VideoCutter(segment_frames)
        self._other_cutter = VideoCutter(segment_frames)
        self._init = b""
        self._test: KeyFrameTest | None = None
        self._time = 0
        self.ends_s: list[float] = []
        """Where each segment ends, in media time."""

    def __repr__(self) -> str:
        written = f"{self.folder.path.name}: {len(self.folder.segments)} segments"
        return f"<VideoTrack {written}, {self._cutter!r}>"

    def add(self, product: Iterable[bytes], other: Iterable[bytes] | None = None) -> None:
        """Write the next chunk, given as bytes in pieces of any size.

        Args:
            product: The chunk.
            other: Variant B of it, where there is one.

        Raises:
            MediaError: the product is not a fragmented track.
            ToolFailedError: it does not fit the chunks before it, or its variant.
        """
        cuts = self._cuts(product, self._cutter)
        if other is None:
            for cut in cuts:
                self._write(cut)
        else:
            self._write_pairs(cuts, self._cuts(other, self._other_cutter))

    def _cuts(self, product: Iterable[bytes], cutter: VideoCutter) -> Iterator[Cut]:
        """The segments that a chunk completes."""
        demuxer = Demuxer()
        begun = False
        for data in product:
            samples = demuxer.feed(data)
            if samples and not begun:
                begun = True
                assert demuxer.init is not None
                self._begin(begin_at(demuxer.init, samples[0].cts))
            yield from cutter.feed(samples)
        demuxer.close()

    def _write_pairs(self, cuts: Iterable[Cut], others: Iterable[Cut]) -> None:
        """Write segments in two variants, which must have the same times."""
        self.folder.has_variants = True
        for cut, other in zip_longest(cuts, others):
            if cut is None or other is None or _times(cut) != _times(other):
                raise ToolFailedError(
                    f"{self.folder.path.name}: segment {len(self.folder.segments)} has other "
                    "times in its two variants; expected the same; report it"
                )
            self._write(cut, other)

    def _begin(self, init: bytes) -> None:
        """Check that all chunks have the same initialisation section; write the first one."""
        if self._light:
            init = with_light(
                init,
                screen=self._light.screen,
                most_nits=self._light.most_nits,
                mean_nits=self._light.mean_nits,
            )
        if not self._init:
            self._init = init
            self._test = key_frame_test(init)
            self.folder.write_init(init)
        elif init != self._init:
            raise ToolFailedError(
                f"{self.folder.path.name}: the encoder's parameter sets change at "
                f"{self._time / self.folder.timescale:.3f} s; expected the same in every chunk; "
                "report it"
            )

    def close(self) -> None:
        """Write the remaining segments; there are no more chunks."""
        if self.folder.has_variants:
            self._write_pairs(self._cutter.close(), self._other_cutter.close())
            return
        for cut in self._cutter.close():
            self._write(cut)

    def _write(self, cut: Cut, other: Cut | None = None) -> None:
        for each in filter(None, (cut, other)):
            if self._test is None or not self._test.passes(each.first_sample):
                raise ToolFailedError(
                    f"{self.folder.path.name}: segment {len(self.folder.segments)} does not start "
                    "with a key frame; expected one; `abr doctor` shows which ffmpeg ran"
                )
        self.folder.write_segment(cut, other)
        self._time += cut.duration
        self.ends_s.append(self._time / self.folder.timescale)


def _times(cut: Cut) -> tuple[int, int]:
    return cut.duration, cut.frames


def write_audio(folder: Folder, product: Iterable[bytes], ends_s: Sequence[float]) -> None:
    """Write one rendition, cut into segments that end nearest to ``ends_s``.

    Raises:
        MediaError: the product is not a fragmented track.
    """
    demuxer = Demuxer()
    cutter: AudioCutter | None = None
    ends = iter(ends_s)
    end_s = next(ends, None)
    for data in product:
        samples = demuxer.feed(data)
        if demuxer.init is not None and cutter is None:
            folder.write_init(without_delay(demuxer.init))
            cutter = AudioCutter(folder.timescale)
        if cutter is None:
            continue
        cutter.feed(samples)
        while end_s is not None and (cut := cutter.cut_to(end_s)) is not None:
            folder.write_segment(cut)
            end_s = next(ends, None)
    demuxer.close()
    assert cutter is not None
    while end_s is not None:
        cut = cutter.rest(end_s)
        if cut is not None:
            folder.write_segment(cut)
        end_s = next(ends, None)
