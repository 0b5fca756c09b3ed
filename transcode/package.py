"""A master becomes a package on disk, whole or not at all.

Everything is written into a folder beside the target, named ``.OUT.partial-…``: segments
as the encoder gives them, sealed when asked, then the playlists, checked, flushed to the
disk and renamed into place. Whatever stops that leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import os
import secrets
import shutil
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from abr import __version__
from abr.errors import (
    ConfigError,
    DiskFullError,
    MissingFileError,
    PackageError,
    ResourceError,
    ToolFailedError,
)
from abr.shell import NO_ROOM_ERRORS
from transcode import layout
from transcode.codecs import codec_of, nal_length_bytes, starts_with_idr
from transcode.config import TranscodeConfig
from transcode.ffmpeg import TONEMAP_NEEDS, decode_arguments, encode_arguments
from transcode.ffmpegtools import ENCODING_NEEDS, find
from transcode.fragments import AudioCutter, Cut, Demuxer, VideoCutter, timescale_of
from transcode.indexfile import print_index
from transcode.keystore import KeyStore, default_keys_dir
from transcode.layout import Encryption, PresentationIndex, SegmentFacts, SourceFacts, Track
from transcode.listing import init_iv, media_playlist_of, multivariant_of
from transcode.master import Master
from transcode.plan import EncodePlan, plan_encode
from transcode.playlist import print_media, print_multivariant
from transcode.probe import probe
from transcode.reader import check_package, is_package, presentation_of, read_index
from transcode.run import Outcome, Tick, run_ffmpeg
from transcode.sealing import METHOD, ContentKey, KeyProvider, open_sealed, seal, sequence_iv
from transcode.verify import check_frames, fault_of, plain_line

__all__ = ["Progress", "presentation_of", "read_index", "transcode"]

_ENCODE_SHARE = 0.85
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_AT_FDCWD = -100


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a transcode has come."""

    phase: str
    """``encode`` or ``verify``."""
    fraction: float
    """Of the whole, 0 to 1."""
    speed: float
    """Media seconds for each second spent, in this phase."""
    eta_s: float
    """Seconds left, by the pace so far; ``inf`` before there is one."""


@dataclass(slots=True)
class _Sealer:
    """Seals with the key of each period, which it asks for once."""

    provider: KeyProvider
    title: str
    rotate_every: int
    keys: list[ContentKey] = field(default_factory=list)

    def key(self, segment: int) -> ContentKey:
        period = segment // self.rotate_every if self.rotate_every else 0
        while len(self.keys) <= period:
            self.keys.append(self.provider.key_for(self.title, len(self.keys)))
        return self.keys[period]


@dataclass(slots=True)
class _Folder:
    """One track's folder while it fills."""

    path: Path
    sealer: _Sealer | None
    seals_init: bool
    codecs: str = ""
    init_bytes: int = 0
    timescale: int = 1
    frames: int = 0
    segments: list[SegmentFacts] = field(default_factory=list)

    def write_init(self, init: bytes) -> None:
        self.codecs, self.timescale = codec_of(init), timescale_of(init)
        if self.sealer and self.seals_init:
            init = seal(init, self.sealer.key(0).key, init_iv(self.path.name))
        self.init_bytes = len(init)
        self._write(layout.INIT, init)

    def write_segment(self, cut: Cut) -> None:
        number = len(self.segments)
        data = cut.data
        if self.sealer:
            data = seal(data, self.sealer.key(number).key, sequence_iv(number))
        self._write(layout.segment_name(number), data)
        self.frames += cut.frames
        self.segments.append(
            SegmentFacts(size_bytes=len(data), duration_s=cut.duration / self.timescale)
        )

    def _write(self, name: str, data: bytes) -> None:
        self.path.mkdir(exist_ok=True)
        (self.path / name).write_bytes(data)

    def read_back(self, numbers: list[int]) -> Iterator[bytes]:
        """The initialisation section and segments as they were before sealing."""
        init = (self.path / layout.INIT).read_bytes()
        if self.sealer and self.seals_init:
            init = open_sealed(init, self.sealer.key(0).key, init_iv(self.path.name))
        yield init
        for number in numbers:
            data = (self.path / layout.segment_name(number)).read_bytes()
            if self.sealer:
                data = open_sealed(data, self.sealer.key(number).key, sequence_iv(number))
            yield data


class _VideoSink:
    """Bytes of one rung in, segments on disk."""

    def __init__(
        self, folder: _Folder, segment_frames: int, on_cut: Callable[[float], None]
    ) -> None:
        self.folder = folder
        self._demuxer = Demuxer()
        self._cutter = VideoCutter(segment_frames)
        self._on_cut = on_cut
        self._length_bytes = 4
        self._time = 0

    def feed(self, data: bytes) -> None:
        had_init = self._demuxer.init is not None
        samples = self._demuxer.feed(data)
        init = self._demuxer.init
        if init is not None and not had_init:
            self._length_bytes = nal_length_bytes(init)
            self.folder.write_init(init)
        self._write(self._cutter.feed(samples))

    def close(self) -> None:
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


class _AudioSink:
    """Bytes of the audio in; segments on disk that end where the video's do."""

    def __init__(self, folder: _Folder) -> None:
        self.folder = folder
        self._demuxer = Demuxer()
        self._cutter: AudioCutter | None = None
        self._ends: deque[float] = deque()

    def feed(self, data: bytes) -> None:
        samples = self._demuxer.feed(data)
        if self._demuxer.init is not None and self._cutter is None:
            self.folder.write_init(self._demuxer.init)
            self._cutter = AudioCutter(self.folder.timescale)
        if self._cutter is not None:
            self._cutter.feed(samples)
            self._cut()

    def end_at(self, time_s: float) -> None:
        """A segment of the video ends at ``time_s``."""
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
        self._demuxer.close()
        while self._cutter is not None and self._ends:
            cut = self._cutter.rest(self._ends.popleft())
            if cut is not None:
                self.folder.write_segment(cut)


async def transcode(
    master: str | Path,
    out: str | Path,
    config: TranscodeConfig | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    *,
    keys: KeyProvider | None = None,
    source_name: str | None = None,
) -> PresentationIndex:
    """Turn ``master`` into a package in the folder ``out``.

    Args:
        master: A video file.
        out: The folder to make; its name becomes the title.
        config: Settings; the defaults when None.
        on_progress: Told a few times a second how far it is.
        keys: Where content keys come from; None opens the key store of ``config``.
        source_name: What the index calls the master; None: its file name and size.

    Raises:
        MissingFileError, MediaError: the master cannot be used.
        PackageError: ``out`` is taken.
        ConfigError: settings that do not fit the master or each other.
        KeyStoreError: the key store cannot be opened.
        ToolMissingError, ToolFailedError: ffmpeg.
        DiskFullError: no room; nothing is left behind.
    """
    config = (config or TranscodeConfig()).check()
    out = Path(os.path.abspath(out))
    title = layout.title_of(out.name)
    _check_target(out, force=config.force)
    facts = await probe(master)
    plan = plan_encode(facts, config)
    sealer = None
    if config.encrypt != "none":
        provider = keys or KeyStore.open(_keys_dir(config, out))
        sealer = _Sealer(provider, title, config.rotate_every)
    async with _partial_folder(out) as partial:
        work = _Work(Path(master), facts, plan, config, partial, sealer, _Pace(plan, on_progress))
        folders = await work.encode()
        await work.verify(folders)
        index = work.index(folders, title=title, source_name=source_name)
        _write_index(index, partial)
        check_package(partial)
        await _flush(partial)
        _move_into_place(partial, out, force=config.force)
    return index


def _keys_dir(config: TranscodeConfig, out: Path) -> Path:
    folder = Path(config.keys_dir) if config.keys_dir else default_keys_dir(os.environ)
    if folder.resolve().is_relative_to(out.resolve()):
        raise ConfigError(
            f"transcode.keys_dir: {folder} lies in the package {out}; expected a folder apart, "
            "because packages are public"
        )
    return folder


class _Pace:
    """Turns ticks into progress."""

    def __init__(self, plan: EncodePlan, on_progress: Callable[[Progress], None] | None) -> None:
        self._total_s = max(plan.duration_s, 1e-3)
        self._on_progress = on_progress
        self._began_s = self._phase_began_s = time.monotonic()
        self._phase = "encode"

    def begin(self, phase: str) -> None:
        self._phase, self._phase_began_s = phase, time.monotonic()

    def tell(self, media_s: float, *, of: int = 1) -> None:
        """``media_s`` of ``of`` times the title's duration are done in this phase."""
        if self._on_progress is None:
            return
        done = min(1.0, media_s / (self._total_s * of))
        share = _ENCODE_SHARE
        fraction = done * share if self._phase == "encode" else share + done * (1 - share)
        now_s = time.monotonic()
        spent_s = now_s - self._began_s
        self._on_progress(
            Progress(
                phase=self._phase,
                fraction=fraction,
                speed=media_s / max(1e-3, now_s - self._phase_began_s),
                eta_s=spent_s * (1 - fraction) / fraction if fraction > 0 else float("inf"),
            )
        )


@dataclass(slots=True)
class _Work:
    """One transcode under way."""

    master: Path
    facts: Master
    plan: EncodePlan
    config: TranscodeConfig
    partial: Path
    sealer: _Sealer | None
    pace: _Pace

    async def encode(self) -> list[_Folder]:
        """All tracks on disk: rungs, then the audio if there is any."""
        program = find("ffmpeg", self._needs()).path
        audio = _AudioSink(self._folder(layout.audio_folder(0))) if self.plan.audio else None
        videos = [
            _VideoSink(
                self._folder(layout.video_folder(rung)),
                self.plan.segment_frames,
                audio.end_at if audio and rung == 0 else lambda _end_s: None,
            )
            for rung in range(len(self.plan.rungs))
        ]
        sinks = [*videos, *([audio] if audio else [])]
        outcome = await run_ffmpeg(
            lambda outputs: encode_arguments(
                self.plan, str(self.master.absolute()), outputs, program=program
            ),
            [sink.feed for sink in sinks],
            on_tick=self._on_encoded,
            stall_limit_s=self.config.stall_limit_s,
        )
        if not outcome.is_clean:
            raise fault_of(self.facts, outcome.reason())
        for sink in sinks:
            sink.close()
        check_frames(self.facts, self.plan, [video.folder.frames for video in videos])
        return [sink.folder for sink in sinks]

    def _needs(self) -> tuple[str, ...]:
        return ENCODING_NEEDS + (TONEMAP_NEEDS if self.plan.tonemap else ())

    def _folder(self, name: str) -> _Folder:
        return _Folder(self.partial / name, self.sealer, self.config.seal_init)

    def _on_encoded(self, tick: Tick) -> None:
        self.pace.tell(tick.frames / float(self.plan.frame_rate))

    async def verify(self, folders: list[_Folder]) -> None:
        """Decode what stands on disk.

        Raises:
            ToolFailedError: a track does not decode, or not to as many frames as it has.
        """
        self.pace.begin("verify")
        program = find("ffmpeg").path
        for done, folder in enumerate(folders):
            count = len(folder.segments)
            ends = [[0], [count - 1]] if count > 1 else [[0]]
            runs = [list(range(count))] if self.config.verify == "full" else ends
            for numbers in runs:
                outcome = await run_ffmpeg(
                    lambda _outputs: decode_arguments(program=program),
                    feed=folder.read_back(numbers),
                    on_tick=self._on_decoded(done, len(folders)),
                    stall_limit_s=self.config.stall_limit_s,
                )
                self._check_decoded(folder, outcome, whole=len(numbers) == count)

    def _on_decoded(self, done: int, of: int) -> Callable[[Tick], None]:
        return lambda tick: self.pace.tell(done * self.plan.duration_s + tick.media_s, of=of)

    def _check_decoded(self, folder: _Folder, outcome: Outcome, *, whole: bool) -> None:
        name = folder.path.name
        if not outcome.is_clean:
            raise ToolFailedError(
                f"{name}: does not decode: {plain_line(outcome.reason())}; encode again, "
                "and report it if it stays"
            )
        is_video = folder.codecs.startswith("avc1")
        if is_video and whole and outcome.frames != folder.frames:
            raise ToolFailedError(
                f"{name}: {outcome.frames} frames decode; expected {folder.frames}; encode again, "
                "and report it if it stays"
            )

    def index(
        self, folders: list[_Folder], *, title: str, source_name: str | None
    ) -> PresentationIndex:
        """The index of what was written."""
        rungs = len(self.plan.rungs)
        video = sorted(
            (self._video_track(folder, rung) for rung, folder in enumerate(folders[:rungs])),
            key=lambda track: int(track.folder[1:]),
        )
        channels = self.facts.audio.channels if self.facts.audio else 0
        sealed = self.sealer and Encryption(
            method=METHOD,
            kids=tuple(key.kid for key in self.sealer.keys),
            rotate_every=self.config.rotate_every,
            seals_init=self.config.seal_init,
        )
        return PresentationIndex(
            title=title,
            source=SourceFacts(
                name=source_name or self.facts.name,
                duration_s=sum(segment.duration_s for segment in folders[0].segments),
                width=self.facts.width,
                height=self.facts.height,
                frame_rate=float(self.facts.frame_rate),
                size_bytes=0 if source_name else self.facts.size_bytes,
                audio_channels=channels,
            ),
            video=tuple(video),
            audio=tuple(self._audio_track(folder) for folder in folders[rungs:]),
            encryption=sealed,
            made_by=f"abrkit {__version__}",
        )

    def _video_track(self, folder: _Folder, rung: int) -> Track:
        planned = self.plan.rungs[rung]
        return Track(
            folder=folder.path.name,
            kind="video",
            codecs=folder.codecs,
            init_bytes=folder.init_bytes,
            segments=tuple(folder.segments),
            width=planned.width,
            height=planned.height,
            frame_rate=float(self.plan.frame_rate),
        )

    def _audio_track(self, folder: _Folder) -> Track:
        assert self.plan.audio is not None
        return Track(
            folder=folder.path.name,
            kind="audio",
            codecs=folder.codecs,
            init_bytes=folder.init_bytes,
            segments=tuple(folder.segments),
            channels=self.plan.audio.channels,
            language=self.plan.audio.language,
            name="Main",
        )


# --- files


def _check_target(out: Path, *, force: bool) -> None:
    if not os.path.lexists(out):
        return
    if not force:
        raise PackageError(f"{out}: exists already; give another folder, or --force to replace it")
    if not out.is_dir() or out.is_symlink():
        raise PackageError(f"{out}: is no folder; expected a package to replace; move it away")
    if not is_package(out) and any(out.iterdir()):
        raise PackageError(
            f"{out}: holds something else than a package; --force replaces packages only; "
            "give another folder"
        )


@contextlib.asynccontextmanager
async def _partial_folder(out: Path) -> AsyncIterator[Path]:
    """A folder beside ``out`` that is gone afterwards, unless it was renamed."""
    made: list[Path] = []
    partial = out.parent / f".{out.name}.partial-{secrets.token_hex(4)}"
    finished = False
    try:
        for folder in [*reversed(_missing(out.parent)), partial]:
            folder.mkdir()
            made.append(folder)
        yield partial
        finished = True
    except OSError as exc:
        raise _disk_error(exc, out) from exc
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if not finished:
            for folder in reversed(made):
                with contextlib.suppress(OSError):
                    folder.rmdir()


def _missing(folder: Path) -> list[Path]:
    """Those of ``folder`` and its parents that are not there, innermost first."""
    return [each for each in (folder, *folder.parents) if not each.exists()]


def _disk_error(exc: OSError, out: Path) -> Exception:
    if isinstance(exc, (ResourceError, MissingFileError)):
        return exc
    if exc.errno in NO_ROOM_ERRORS:
        return DiskFullError(
            f"{out.parent}: no room left on the disk for {out.name}; "
            "free some space or give another folder"
        )
    why = (exc.strerror or type(exc).__name__).lower()
    return MissingFileError(f"{out}: {why}; expected a place that can be written to")


def _write_index(index: PresentationIndex, folder: Path) -> None:
    for track in index.tracks:
        text = print_media(media_playlist_of(index, track))
        (folder / track.folder / layout.PLAYLIST).write_text(text, encoding="utf-8")
    (folder / layout.INDEX).write_text(print_index(index), encoding="utf-8")
    text = print_multivariant(multivariant_of(index))
    (folder / layout.MULTIVARIANT).write_text(text, encoding="utf-8")


async def _flush(folder: Path) -> None:
    """Make sure that everything under ``folder`` is on the disk."""
    for path in [*sorted(folder.rglob("*")), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        await asyncio.sleep(0)


def _move_into_place(partial: Path, out: Path, *, force: bool) -> None:
    _check_target(out, force=force)
    if os.path.lexists(out):
        _exchange(partial, out)  # what was there is in ``partial`` now, and goes with it
    else:
        partial.rename(out)
    descriptor = os.open(out.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exchange(one: Path, other: Path) -> None:
    """Let two folders change names in one step, or in two where the system has no such call."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is not None:
        if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0:
            return
        if ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(other))
    aside = one.with_name(one.name + "-old")
    other.rename(aside)
    one.rename(other)
    aside.rename(one)
