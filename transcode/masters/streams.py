"""Which streams of a master are used, and what becomes of the others.

``pictures`` and ``sound`` have the rules. Lengths and numbers of pictures are those of the
packets that the file holds, where they were measured: a header may say anything. What a
person asks for by number is taken, whatever the rules say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from abr.errors import ConfigError
from transcode.masters.fields import whole
from transcode.masters.pictures import EXPECTED, choose_picture
from transcode.masters.sound import ROLES, AudioFacts, SoundWish, choose_sounds
from transcode.masters.stream import Measured, Sieve, Stream, streams_of

__all__ = [
    "EXPECTED",
    "AudioFacts",
    "Choice",
    "Measured",
    "StreamUse",
    "StreamWish",
    "choose_streams",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamWish:
    """What a person asks for; empty leaves it to the rules."""

    video: int | None = None
    """Number of the video stream."""
    sound: SoundWish = field(default_factory=SoundWish)

    @classmethod
    def of(cls, video: str, audio: str, *, all_audio: bool = False) -> StreamWish:
        """A wish in the words of the command line.

        Raises:
            ConfigError: ``video`` is no number.
        """
        if video and not (video.isascii() and video.isdigit()):
            raise ConfigError(f"--video {video}: expected the number of a stream, such as 0")
        tracks = tuple(filter(None, (each.strip() for each in audio.split(","))))
        return cls(
            video=int(video) if video else None, sound=SoundWish(tracks=tracks, all=all_audio)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamUse:
    """One video or audio stream of the master, and what becomes of it."""

    index: int
    kind: str
    """``video`` or ``audio``."""
    what: str
    """Codec, size or layout, language and title, for people."""
    is_used: bool
    use: str
    """What it is used for, or why it is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The streams that are used, and what became of all."""

    video: Mapping[str, Any]
    """The picture, as ffprobe describes it."""
    audio: tuple[AudioFacts, ...]
    """Sounds, the default one first; empty for a silent film."""
    uses: tuple[StreamUse, ...]
    """By number of stream."""


def choose_streams(
    probed: Mapping[str, Any],
    *,
    where: str,
    measured: Mapping[int, Measured] | None = None,
    wish: StreamWish | None = None,
    bass: frozenset[int] = frozenset(),
    silent: frozenset[int] = frozenset(),
) -> Choice:
    """The picture and the sound of a master.

    Args:
        probed: ffprobe's ``-show_streams -show_format -show_programs``, read.
        where: What messages call the master.
        measured: What packets say, by number of stream; what headers say where absent.
        wish: What a person asks for.
        bass: Audio streams that were found to hold low frequencies only.
        silent: Audio streams that were found to hold silence.

    Raises:
        MediaError: there is no picture.
        ConfigError: a stream was asked for that is not there.
    """
    wish = wish or StreamWish()
    streams = streams_of(probed, measured)
    sieve = Sieve()
    if wish.video is None:
        video = choose_picture(streams, probed.get("format", {}), sieve, where)
    else:
        video = _asked_for(streams, wish.video, sieve, where)
    sounds = choose_sounds(
        streams,
        programme=_programme(probed, streams, video),
        wish=wish.sound,
        bass=bass,
        silent=silent,
        sieve=sieve,
        where=where,
    )
    return Choice(video=video.described, audio=sounds, uses=_uses(streams, video, sounds, sieve))


def _asked_for(streams: Sequence[Stream], index: int, sieve: Sieve, where: str) -> Stream:
    videos = [each for each in streams if each.kind == "video"]
    found = [each for each in videos if each.index == index and each.codec and each.packets != 0]
    if not found:
        offer = ", ".join(f"{each.index} ({each.words})" for each in videos) or "none"
        raise ConfigError(
            f"--video {index}: not a stream of pictures in {where}; expected one of: {offer}"
        )
    sieve.drop(videos, lambda each: "" if each.index == index else "not asked for")
    return found[0]


def _programme(
    probed: Mapping[str, Any], streams: Sequence[Stream], video: Stream
) -> frozenset[int] | None:
    """Streams that belong with the picture: of its programmes, or of none.

    None where the file has no programmes, or none that holds the picture.
    """
    members = [
        frozenset(whole(each.get("index")) for each in programme.get("streams") or ())
        for programme in probed.get("programs") or ()
        if isinstance(programme, dict)
    ]
    own = [each for each in members if video.index in each]
    if not own:
        return None
    strangers = frozenset(each.index for each in streams) - frozenset().union(*members)
    return frozenset().union(*own) | strangers


def _uses(
    streams: Sequence[Stream], video: Stream, sounds: Sequence[AudioFacts], sieve: Sieve
) -> tuple[StreamUse, ...]:
    uses = {video.index: "the picture"}
    for number, sound in enumerate(sounds):
        kind = ROLES[sound.role] + (", default" if number == 0 and len(sounds) > 1 else "")
        if sound.joined:
            kind += f", joined from {'+'.join(map(str, sound.indices))}"
        uses |= dict.fromkeys(sound.indices, kind)
    return tuple(
        StreamUse(
            index=each.index,
            kind=each.kind,
            what=each.words,
            is_used=each.index in uses,
            use=uses.get(each.index) or f"left out: {sieve.left.get(each.index, 'not needed')}",
        )
        for each in sorted(streams, key=lambda each: each.index)
    )
