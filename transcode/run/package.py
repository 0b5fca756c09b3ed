"""Transcoding: a master becomes a package on disk, whole or not at all.

Everything is written into a folder beside the target, named ``.OUT.partial-…``: segments as
the encoder delivers them, encrypted if asked, and then the playlists. That folder is checked,
flushed to the disk and renamed. A failure or an interruption leaves nothing behind.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from abr import __version__
from abr.errors import ConfigError, ToolFailedError
from transcode import layout
from transcode.config import TranscodeConfig
from transcode.encryption import METHOD, KeyProvider
from transcode.ffmpeg import decode_arguments, encode_arguments
from transcode.files.keystore import KeyStore, default_keys_dir
from transcode.files.reader import check_package
from transcode.graphs.video import TONEMAP_NEEDS
from transcode.indexfile import print_index
from transcode.layout import Encryption, PresentationIndex, SourceFacts, Track
from transcode.listing import media_playlist_of, multivariant_of
from transcode.masters.master import Master
from transcode.plan import EncodePlan, plan_encode
from transcode.playlist import print_media, print_multivariant
from transcode.run.encode import Outcome, Tick, run_ffmpeg
from transcode.run.ffmpegtools import ENCODING_NEEDS, find
from transcode.run.placing import check_target, flush, move_into_place, partial_folder
from transcode.run.probe import probe
from transcode.run.tracks import AudioSink, Encrypter, Folder, VideoSink
from transcode.verify import check_frames, fault_of, plain_line

_ENCODE_SHARE = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscodeProgress:
    """Progress of a transcode."""

    phase: str
    """``encode`` or ``verify``."""
    fraction: float
    """Of the whole, 0 to 1."""
    speed: float
    """Media seconds per second of real time, in this phase."""
    eta_s: float
    """Seconds left at the pace so far; ``inf`` before anything is done."""


async def transcode(
    master: str | Path,
    out: str | Path,
    config: TranscodeConfig | None = None,
    on_progress: Callable[[TranscodeProgress], None] | None = None,
    *,
    keys: KeyProvider | None = None,
    source_name: str | None = None,
) -> PresentationIndex:
    """Turn ``master`` into a package in the folder ``out``.

    Args:
        master: A video file.
        out: The folder to make; its name gives the title.
        config: Settings; the defaults when None.
        on_progress: Called with the progress a few times a second.
        keys: Where content keys come from; None opens the key store of ``config``.
        source_name: Name of the master in the index; its file name and size when None.

    Raises:
        MissingFileError, MediaError: the master cannot be used.
        PackageError: ``out`` is taken.
        ConfigError: settings do not fit the master or each other.
        KeyStoreError: the key store cannot be opened.
        ToolMissingError, ToolFailedError: ffmpeg.
        DiskFullError: no room; nothing is left behind.
    """
    config = (config or TranscodeConfig()).check()
    out = _absolute(out)
    title = layout.title_of(out.name)
    check_target(out, force=config.force)
    facts = await probe(master)
    plan = plan_encode(facts, config)
    encrypter = None
    if config.encrypt != "none":
        provider = keys or KeyStore.open(_keys_dir(config, out))
        encrypter = Encrypter(provider, title, config.rotate_every)
    async with partial_folder(out) as partial:
        work = _Work(
            Path(master), facts, plan, config, partial, encrypter, _Pace(plan, on_progress)
        )
        folders = await work.encode()
        await work.verify(folders)
        index = work.index(folders, title=title, source_name=source_name)
        _write_index(index, partial)
        check_package(partial)
        await flush(partial)
        move_into_place(partial, out, force=config.force)
    return index


def _absolute(path: str | Path) -> Path:
    """``path`` from the root, without ``..``; links are not followed."""
    return Path(os.path.abspath(path))


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

    def __init__(
        self, plan: EncodePlan, on_progress: Callable[[TranscodeProgress], None] | None
    ) -> None:
        self._total_s = max(plan.duration_s, 1e-3)
        self._on_progress = on_progress
        self._began_s = self._phase_began_s = time.monotonic()
        self._phase = "encode"

    def __repr__(self) -> str:
        return f"<_Pace {self._phase} of {self._total_s:.2f} s>"

    def begin(self, phase: str) -> None:
        self._phase, self._phase_began_s = phase, time.monotonic()

    def tell(self, media_s: float, *, of: int = 1) -> None:
        """Report that this phase has done ``media_s`` out of ``of`` times the duration."""
        if self._on_progress is None:
            return
        done = min(1.0, media_s / (self._total_s * of))
        share = _ENCODE_SHARE
        fraction = done * share if self._phase == "encode" else share + done * (1 - share)
        now_s = time.monotonic()
        spent_s = now_s - self._began_s
        self._on_progress(
            TranscodeProgress(
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
    encrypter: Encrypter | None
    pace: _Pace

    async def encode(self) -> list[Folder]:
        """Encode all tracks to the disk: the rungs, then the audio if there is any."""
        program = find("ffmpeg", self._needs()).path
        audio = AudioSink(self._folder(layout.audio_folder(0))) if self.plan.audio else None
        videos = [
            VideoSink(
                self._folder(layout.video_folder(rung)),
                self.plan.segment_frames,
                audio.end_at if audio and rung == 0 else lambda _end_s: None,
            )
            for rung in range(len(self.plan.rungs))
        ]
        sinks: list[VideoSink | AudioSink] = [*videos, *([audio] if audio else [])]
        outcome = await run_ffmpeg(
            lambda outputs: encode_arguments(
                self.plan, str(self.master.absolute()), outputs, program=program
            ),
            [sink.feed for sink in sinks],
            on_tick=self._show_encoded,
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

    def _folder(self, name: str) -> Folder:
        return Folder(self.partial / name, self.encrypter, self.config.seal_init)

    def _show_encoded(self, tick: Tick) -> None:
        self.pace.tell(tick.frames / float(self.plan.frame_rate))

    async def verify(self, folders: Sequence[Folder]) -> None:
        """Decode what was written.

        Raises:
            ToolFailedError: a track does not decode, or not to all of its frames.
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
                    on_tick=self._show_decoded(done, len(folders)),
                    stall_limit_s=self.config.stall_limit_s,
                )
                self._check_decode(folder, outcome, whole=len(numbers) == count)

    def _show_decoded(self, done: int, of: int) -> Callable[[Tick], None]:
        return lambda tick: self.pace.tell(done * self.plan.duration_s + tick.media_s, of=of)

    def _check_decode(self, folder: Folder, outcome: Outcome, *, whole: bool) -> None:
        name = folder.path.name
        if not outcome.is_clean:
            raise ToolFailedError(
                f"{name}: does not decode: {plain_line(outcome.reason())}; encode again, "
                "and report it if it happens again"
            )
        is_video = folder.codecs.startswith("avc1")
        if is_video and whole and outcome.frames != folder.frames:
            raise ToolFailedError(
                f"{name}: {outcome.frames} frames decode; expected {folder.frames}; encode again, "
                "and report it if it happens again"
            )

    def index(
        self, folders: Sequence[Folder], *, title: str, source_name: str | None
    ) -> PresentationIndex:
        """The index of what was written."""
        rungs = len(self.plan.rungs)
        channels = self.facts.audio.channels if self.facts.audio else 0
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
            video=tuple(
                self._video_track(folder, rung) for rung, folder in enumerate(folders[:rungs])
            ),
            audio=tuple(self._audio_track(folder) for folder in folders[rungs:]),
            encryption=self._encryption(),
            made_by=f"abrkit {__version__}",
        )

    def _encryption(self) -> Encryption | None:
        if self.encrypter is None:
            return None
        return Encryption(
            method=METHOD,
            kids=tuple(key.kid for key in self.encrypter.keys),
            rotate_every=self.config.rotate_every,
            seals_init=self.config.seal_init,
        )

    def _video_track(self, folder: Folder, rung: int) -> Track:
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

    def _audio_track(self, folder: Folder) -> Track:
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


def _write_index(index: PresentationIndex, folder: Path) -> None:
    for track in index.tracks:
        text = print_media(media_playlist_of(index, track))
        (folder / track.folder / layout.PLAYLIST).write_text(text, encoding="utf-8")
    (folder / layout.INDEX).write_text(print_index(index), encoding="utf-8")
    text = print_multivariant(multivariant_of(index))
    (folder / layout.MULTIVARIANT).write_text(text, encoding="utf-8")
