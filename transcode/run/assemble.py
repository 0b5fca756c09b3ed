"""The package from the products: tracks cut into segments, the index, the playlists."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from abr import __version__
from transcode.config import TranscodeConfig
from transcode.encryption import METHOD
from transcode.masters.master import Master
from transcode.masters.sound import CHARACTERISTICS, NEVER_BY_THEMSELVES
from transcode.masters.streams import StreamUse
from transcode.packaging import layout
from transcode.packaging.index import (
    Encryption,
    PresentationIndex,
    SourceFacts,
    SourceStream,
    Track,
)
from transcode.packaging.indexfile import print_index
from transcode.packaging.keygroups import NAMES, KeyGroup, group_for, lines_of
from transcode.packaging.listing import texts_of
from transcode.packaging.sampleencryption import METHODS
from transcode.packaging.sidetracks import ImageTrack, TextTrack
from transcode.planning.jobs import ProductName, variant_track
from transcode.planning.plan import AudioPlan, EncodePlan, VideoPlan, notes_on_sound
from transcode.quality import QualityFacts
from transcode.run.tracks import Encrypter, Folder, VideoTrack, write_audio

PIECE_BYTES = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracks:
    """The folders of a package, written."""

    video: tuple[Folder, ...]
    """Rungs, lowest first."""
    audio: tuple[Folder, ...]

    @property
    def all(self) -> tuple[Folder, ...]:
        """Video, then audio."""
        return self.video + self.audio


def write_tracks(
    plan: EncodePlan,
    path_of: Callable[[ProductName], Path],
    out: Path,
    *,
    encrypter: Encrypter | None,
    encrypts_init: bool,
    container: layout.Container = "fmp4",
    check: Callable[[], None] = lambda: None,
) -> Tracks:
    """Cut the products into the segments of a package.

    Args:
        plan: What was encoded.
        path_of: Where each product is.
        out: Folder of the package.
        encrypter: Keys; None leaves everything in the clear.
        encrypts_init: Encrypt initialisation sections too.
        container: What segments are.
        check: Called often; what it raises ends the work.

    Raises:
        MediaError, ToolFailedError: products are damaged or do not fit each other.
    """

    def folder(name: str, lines: int = 0) -> Folder:
        group = group_for(lines, encrypter.keys_per) if encrypter else "all"
        return Folder(out / name, encrypter, encrypts_init, container, group)

    places = [
        folder(layout.video_folder(number), lines_of(rung.width, rung.height))
        for number, rung in enumerate(plan.rungs)
    ]
    audio = [folder(layout.audio_folder(rendition)) for rendition in range(len(plan.audio))]
    if encrypter:
        for each in (*places, *audio):  # each section lists the keys of all
            encrypter.key_of(0, each.group)
    video = []
    for place, rung in zip(places, plan.rungs, strict=True):
        track = VideoTrack(place, plan.pictures.segment_frames, rung.light)
        for chunk in plan.chunks:
            name = track.folder.path.name
            product = _pieces(path_of(ProductName(name, chunk.index)), check)
            other = None
            if rung.variant:
                other = _pieces(path_of(ProductName(variant_track(name), chunk.index)), check)
            track.add(product, other)
        track.close()
        video.append(track)
    for each in audio:
        pieces = _pieces(path_of(ProductName(each.path.name)), check)
        write_audio(each, pieces, video[0].ends_s)
    return Tracks(video=tuple(track.folder for track in video), audio=tuple(audio))


def _pieces(path: Path, check: Callable[[], None]) -> Iterator[bytes]:
    with path.open("rb") as file:
        while data := file.read(PIECE_BYTES):
            check()
            yield data


def index_of(
    tracks: Tracks,
    master: Master,
    plan: EncodePlan,
    config: TranscodeConfig,
    *,
    title: str,
    source_name: str | None,
    encrypter: Encrypter | None,
    text: tuple[TextTrack, ...] = (),
    images: tuple[ImageTrack, ...] = (),
    quality: QualityFacts | None = None,
) -> PresentationIndex:
    """The index of a package that was written."""
    channels = master.audio.channels if master.audio else 0
    rungs = [
        _video_track(folder, rung, float(plan.pictures.frame_rate))
        for folder, rung in zip(tracks.video, plan.rungs, strict=True)
    ]
    first = sum(rung.codec == plan.rungs[0].codec for rung in plan.rungs)
    return PresentationIndex(
        title=title,
        source=SourceFacts(
            name=source_name or master.name,
            duration_s=sum(segment.duration_s for segment in tracks.video[0].segments),
            width=master.width,
            height=master.height,
            frame_rate=float(master.frame_rate),
            size_bytes=0 if source_name else master.size_bytes,
            audio_channels=channels,
            streams=() if source_name else tuple(map(_stream, master.streams)),
            notes=tuple(dict.fromkeys([*map(str, plan.notes), *notes_on_sound(plan, config)])),
        ),
        video=tuple(rungs[:first]),
        more_video=tuple(rungs[first:]),
        audio=tuple(
            _audio_track(folder, audio)
            for folder, audio in zip(tracks.audio, plan.audio, strict=True)
        ),
        encryption=_encryption(encrypter, config, tracks, rungs),
        made_by=f"abrkit {__version__}",
        text=text,
        images=images,
        quality=quality,
        dash=config.container == "fmp4" and (encrypter is None or encrypter.scheme is not None),
        container=config.container,
        watermarked=config.watermark,
    )


def _stream(use: StreamUse) -> SourceStream:
    return SourceStream(
        index=use.index, kind=use.kind, what=use.what, is_used=use.is_used, use=use.use
    )


def _encryption(
    encrypter: Encrypter | None, config: TranscodeConfig, tracks: Tracks, rungs: Sequence[Track]
) -> Encryption | None:
    if encrypter is None:
        return None
    lines = {track.folder: track.lines for track in rungs}
    groups = []
    for name in NAMES:
        folders = tuple(each.path.name for each in tracks.all if each.group == name)
        if folders:
            groups.append(
                KeyGroup(
                    name=name,
                    height=max(lines.get(folder, 0) for folder in folders),
                    folders=folders,
                    kids=tuple(key.kid for key in encrypter.keys_of(name)),
                )
            )
    return Encryption(
        method=METHODS[encrypter.scheme] if encrypter.scheme else METHOD,
        kids=tuple(key.kid for key in encrypter.keys),
        rotate_every=config.rotate_every,
        seals_init=config.seal_init,
        explicit_iv=config.explicit_iv,
        groups=tuple(groups) if config.keys_per == "quality" else (),
    )


def _video_track(folder: Folder, rung: VideoPlan, frame_rate: float) -> Track:
    return Track(
        folder=folder.path.name,
        kind="video",
        codecs=folder.codecs,
        init_bytes=folder.init_bytes,
        segments=tuple(folder.segments),
        timescale=folder.timescale,
        width=rung.width,
        height=rung.height,
        frame_rate=frame_rate,
        video_range=rung.colour.dynamic_range,
    )


def _audio_track(folder: Folder, audio: AudioPlan) -> Track:
    return Track(
        folder=folder.path.name,
        kind="audio",
        codecs=folder.codecs,
        init_bytes=folder.init_bytes,
        segments=tuple(folder.segments),
        timescale=folder.timescale,
        channels=audio.channels,
        language=audio.sound.language,
        name=audio.name,
        groups=audio.groups,
        characteristics=CHARACTERISTICS.get(audio.sound.role, ""),
        autoselect=audio.sound.role not in NEVER_BY_THEMSELVES,
        loudness_lufs=folder.loudness_lufs,
    )


def write_index(index: PresentationIndex, folder: Path) -> None:
    """Write the index, and the playlists that follow from it."""
    texts = {layout.INDEX: print_index(index), **texts_of(index)}
    for path, text in texts.items():
        (folder / path).write_text(text, encoding="utf-8")
