"""Which streams of a master are its sound, and what each of them is.

* Only streams that hold sound in a codec that ffmpeg knows, of the programme of the picture.
* Mono streams in a row that agree in codec, rate, language, kind and title are the channels
  of one sound. Where the file names their places, those count. Else they are pairs of left
  and right; six or more are 5.1 (L R C LFE Ls Rs) and pairs, if the fourth was found to
  hold bass only.
* The kind comes from dispositions, titles and the code ``qad``: main, dub, clear speech,
  music and effects, commentary, audio description; this is the order of preference.
* Of one kind: not silent; at least half as long as the longest; the original; marked as default;
  the first.

The first by that order is the main sound, and the only one unless more are asked for.

Source: ITU-R BR.1384-2, table 1, and SMPTE ST 2035 for the order of channels on tracks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from abr.errors import ConfigError
from transcode.masters.languages import is_same_language, language_tag, name_for_menu
from transcode.masters.stream import Sieve, Stream

Role = Literal["main", "dub", "clear-speech", "effects", "commentary", "description"]
ROLES: Mapping[Role, str] = {
    "main": "main sound",
    "dub": "dub",
    "clear-speech": "clear speech",
    "effects": "music and effects",
    "commentary": "commentary",
    "description": "audio description",
}
"""Kinds of sound in the order of preference, and the words for them."""
CHARACTERISTICS: Mapping[Role, str] = {"description": "public.accessibility.describes-video"}
"""Media characteristic tags of kinds (RFC 8216bis, 4.4.6.1, CHARACTERISTICS)."""
NEVER_BY_THEMSELVES: frozenset[Role] = frozenset({"commentary", "effects"})
"""Kinds that no player is to choose because of their language."""
_RANKS = {role: rank for rank, role in enumerate(ROLES)}
_BY_DISPOSITION: Mapping[str, Role] = {
    "visual_impaired": "description",
    "descriptions": "description",
    "dependent": "description",  # what a receiver mixes with the main sound
    "comment": "commentary",
    "clean_effects": "effects",
    "karaoke": "effects",
    "non_diegetic": "effects",
    "hearing_impaired": "clear-speech",
    "dub": "dub",
}
_BY_TITLE: tuple[tuple[Role, re.Pattern[str]], ...] = (
    ("description", re.compile(
        r"(?-i:\bAD\b)|audio.?des[ck]ri|descripti(ve|on)|descrip(tive|ción)|described|"
        r"d[eé]ficien\w* visuel|visual\w* (impaired|handicap)|h[öo]rfilm|for the blind|\bdvs\b",
        re.IGNORECASE,
    )),
    ("commentary", re.compile(
        r"comment(ary|aries|aire|s?\b)|[ck]ommentar|comentario|commento|コメンタリー|解说|评论",
        re.IGNORECASE,
    )),
    ("effects", re.compile(
        r"\bm ?& ?e\b|music (and|&) effects|isolated|\bscore\b|karaoke|instrumental|clean effects",
        re.IGNORECASE,
    )),
    ("clear-speech", re.compile(
        r"hard.of.hearing|hearing.impaired|clear (speech|dialog)|dialog(ue)? (boost|enhance)|"
        r"klare sprache|malentendant",
        re.IGNORECASE,
    )),
    ("dub", re.compile(r"\bdub(bed)?\b|synchron|doublage|doblaje|doppiaggio", re.IGNORECASE)),
)  # fmt: skip
_PLACES: Mapping[str, str] = {
    **dict.fromkeys(("l", "left", "fl", "front left", "lt", "lo"), "FL"),
    **dict.fromkeys(("r", "right", "fr", "front right", "rt", "ro"), "FR"),
    **dict.fromkeys(("c", "center", "centre", "fc", "front center", "front centre"), "FC"),
    **dict.fromkeys(("lfe", "sub", "subwoofer"), "LFE"),
    **dict.fromkeys(("ls", "left surround", "surround left", "bl", "sl", "back left"), "BL"),
    **dict.fromkeys(("rs", "right surround", "surround right", "br", "sr", "back right"), "BR"),
}
_STEREO, _SURROUND = ("FL", "FR"), ("FL", "FR", "FC", "LFE", "BL", "BR")
_LABEL = re.compile(r"\d+ channels \((\w+)\)")
_COUNTERS = re.compile(r"\d+|\b(ch|channel|track|audio|mono|a)\b|[^\w]+", re.IGNORECASE)
_LEAST_LENGTH = 2 / 3
SURROUND_CHANNELS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFacts:
    """One sound of the master: a stream, or several that are its channels."""

    index: int
    """Number of the stream in the file; of the first one where several are joined."""
    channels: int
    """Of all its streams."""
    language: str | None = None
    """RFC 5646 tag; None when undetermined."""
    joined: tuple[int, ...] = ()
    """Mono streams that hold its further channels: of two the right one, of six those of 5.1
    in the order R C LFE Ls Rs."""
    layout: str = ""
    """Of the channels, as ffmpeg names it; empty when the file does not say."""
    role: Role = "main"
    title: str = ""
    """What the file calls it."""
    wide: AudioFacts | None = None
    """The same sound in 5.1 or more, where it is a stream of its own."""

    @property
    def indices(self) -> tuple[int, ...]:
        """Numbers of all its streams."""
        return (self.index, *self.joined)

    @property
    def in_surround(self) -> AudioFacts | None:
        """This sound in 5.1 or more; None when the master has it in stereo only."""
        return self if self.channels >= SURROUND_CHANNELS else self.wide


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundWish:
    """What a person asks for; empty leaves it to the rule."""

    tracks: tuple[str, ...] = ()
    """Numbers of streams, ``2+3`` for left and right in two of them, or languages; the first
    becomes the default. ``none`` alone asks for silence."""
    all: bool = False
    """Whether every language and kind is kept."""


def choose_sounds(
    streams: Sequence[Stream],
    *,
    programme: frozenset[int] | None,
    wish: SoundWish,
    bass: frozenset[int],
    silent: frozenset[int] = frozenset(),
    sieve: Sieve,
    where: str,
) -> tuple[AudioFacts, ...]:
    """The sounds that are used, the default one first; none for a silent film.

    Args:
        streams: All of the master.
        programme: Streams that belong with the picture; None when all do.
        wish: What a person asks for.
        bass: Streams that were found to hold low frequencies only.
        silent: Streams that were found to hold silence.
        sieve: Takes the reasons for those that are left out.
        where: What messages call the master.

    Raises:
        ConfigError: a sound was asked for that is not there.
    """
    audio = [each for each in streams if each.kind == "audio"]
    able = sieve.drop(audio, _fault)
    if wish.tracks:
        chosen = _asked_for(able, wish, bass, where)
        used = {index for sound in chosen for index in sound.indices}
        sieve.drop(able, lambda each: "" if each.index in used else "not asked for")
        return chosen
    if programme is not None:
        able = sieve.drop(
            able, lambda each: "" if each.index in programme else "belongs to another programme"
        )
    ranked = _ranked(able, bass, silent)
    chosen = tuple(_distinct(ranked) if wish.all else ranked[:1])
    for sound in ranked:
        if sound not in chosen:
            reason = _why_left(sound, chosen, silent)
            sieve.left |= dict.fromkeys(sound.indices, reason)
    return tuple(_with_wide(sound, ranked) for sound in chosen)


def role_of(stream: Stream) -> Role:
    """What kind of sound it is, by its dispositions, its title and its language code."""
    for disposition, role in _BY_DISPOSITION.items():
        if disposition in stream.dispositions:
            return role
    # Broadcasters write ``qad`` for audio description: a code left for local use.
    if stream.language == "qad":
        return "description"
    found = (role for role, pattern in _BY_TITLE if pattern.search(stream.title))
    return next(found, "main")


def runs_of_mono(streams: Sequence[Stream]) -> Iterator[list[Stream]]:
    """Mono streams in a row that may be the channels of one sound; others, one by one."""

    def kind(stream: Stream) -> tuple[object, ...]:
        if stream.channels != 1:
            return (stream.index,)
        place = _place(stream)
        title = "" if place else _COUNTERS.sub("", stream.title.casefold())
        return (-1, stream.codec, stream.sample_rate, stream.language, role_of(stream), title)

    for _, run in groupby((each for each in streams if each.kind == "audio"), kind):
        yield list(run)


def to_listen_to(streams: Sequence[Stream]) -> tuple[int, ...]:
    """Streams of which it decides something whether they hold bass only: perhaps an LFE."""
    runs = (run for run in runs_of_mono(streams) if len(run) >= SURROUND_CHANNELS)
    return tuple(run[3].index for run in runs if not _place(run[3]))


def names_of(sounds: Sequence[AudioFacts]) -> tuple[str, ...]:
    """A name for each sound, for a player's menu: its title, else its language; all different."""
    names: list[str] = []
    for sound in sounds:
        names.append(
            name_for_menu(
                title=sound.title,
                language=sound.language,
                other="Main",
                marks=[] if sound.role == "main" else [f"({ROLES[sound.role]})"],
                taken=names,
            )
        )
    return tuple(names)


def _fault(stream: Stream) -> str:
    """Why it cannot be heard; empty when it can."""
    if not stream.codec:
        return "a codec that ffmpeg does not know"
    if not (stream.channels and stream.sample_rate):
        return "no channels or no sample rate"
    return "holds no sound" if stream.packets == 0 else ""


def _place(stream: Stream) -> str:
    """The place of a mono stream's channel that the file names, such as ``FL``; else empty."""
    label = _LABEL.fullmatch(str(stream.described.get("channel_layout", "")))
    name = label[1] if label else stream.title
    return _PLACES.get(name.casefold().strip(), "")


def _sounds(streams: Sequence[Stream], bass: frozenset[int]) -> Iterator[list[Stream]]:
    """The streams of each sound, in the order of its channels."""
    for run in runs_of_mono(streams):
        if len(run) > 1:
            yield from _split(run, bass)
        else:
            yield run


def _split(run: list[Stream], bass: frozenset[int]) -> Iterator[list[Stream]]:
    """A run of mono streams as sounds of six, two or one."""
    for places in (_SURROUND, _STEREO):
        head = {_place(each): each for each in run[: len(places)]}
        if set(head) == set(places):
            yield [head[place] for place in places]
            rest = run[len(places) :]
            break
    else:
        is_surround = len(run) >= SURROUND_CHANNELS and run[3].index in bass
        count = SURROUND_CHANNELS if is_surround else 2
        head_of_run, rest = run[:count], run[count:]
        # Places that do not make a pair mean that these are no pair.
        if count == 2 and len({*map(_place, head_of_run)} - {""}) > 0:
            yield from ([each] for each in head_of_run)
        else:
            yield head_of_run
    if rest:
        yield from _split(rest, frozenset()) if len(rest) > 1 else [rest]


def _facts(streams: Sequence[Stream]) -> AudioFacts:
    first, *more = streams
    layout = {1: first.layout, 2: "stereo", 6: "5.1"}[len(streams)]
    return AudioFacts(
        index=first.index,
        channels=len(streams) if more else first.channels,
        language=first.language,
        joined=tuple(each.index for each in more),
        layout=layout,
        role=role_of(first),
        title="" if more else first.title,
    )


def _ranked(
    streams: Sequence[Stream], bass: frozenset[int], silent: frozenset[int] = frozenset()
) -> list[AudioFacts]:
    """Sounds in the order of preference."""
    sounds = [(_facts(each), each) for each in _sounds(streams, bass)]

    def key(sound: tuple[AudioFacts, Sequence[Stream]]) -> tuple[object, ...]:
        facts, own = sound
        same_kind = [s[0].seconds for f, s in sounds if f.role == facts.role]
        return (
            _RANKS[facts.role],
            silent.issuperset(facts.indices),
            own[0].seconds < max(same_kind) * _LEAST_LENGTH,
            not any("original" in each.dispositions for each in own),
            not any(each.is_default for each in own),
            facts.index,
        )

    return [facts for facts, _ in sorted(sounds, key=key)]


def _distinct(ranked: Sequence[AudioFacts]) -> Iterator[AudioFacts]:
    """The best sound of each language and kind; every one of no stated language."""
    seen = set()
    for sound in ranked:
        title = sound.title if sound.role == "commentary" else ""
        key = (sound.language, sound.role, title) if sound.language else (sound.index, "", "")
        if key not in seen:
            seen.add(key)
            yield sound


def _why_left(sound: AudioFacts, chosen: Sequence[AudioFacts], silent: frozenset[int]) -> str:
    if silent.issuperset(sound.indices):
        return f"silent; --audio {'+'.join(map(str, sound.indices))} takes it"
    if any(
        each.language and (each.language, each.role) == (sound.language, sound.role)
        for each in chosen
    ):
        return f"the same language again; --audio {'+'.join(map(str, sound.indices))} takes it"
    if sound.role != "main":
        return f"{ROLES[sound.role]}; --all-audio keeps it"
    kind = "another language" if sound.language else "another sound"
    return f"{kind}; --all-audio keeps it"


def _with_wide(sound: AudioFacts, ranked: Sequence[AudioFacts]) -> AudioFacts:
    if sound.channels >= SURROUND_CHANNELS:
        return sound
    same = (sound.language, sound.role)
    wide = [
        each
        for each in ranked
        if (each.language, each.role) == same and each.channels >= SURROUND_CHANNELS
    ]
    return replace(sound, wide=wide[0]) if wide and sound.language else sound


def _asked_for(
    able: Sequence[Stream], wish: SoundWish, bass: frozenset[int], where: str
) -> tuple[AudioFacts, ...]:
    if wish.tracks == ("none",):
        return ()
    by_index = {each.index: each for each in able}
    ranked = _ranked(able, bass)
    chosen: list[AudioFacts] = []
    for text in wish.tracks:
        sound: AudioFacts | None = None
        if re.fullmatch(r"\d{1,9}(\+\d{1,9})*", text):
            numbers = [int(each) for each in text.split("+")]
            if len(numbers) in (1, 2, 6) and all(each in by_index for each in numbers):
                sound = _facts([by_index[each] for each in numbers])
            if sound and sound.joined and any(by_index[each].channels != 1 for each in numbers):
                sound = None
        elif tag := language_tag(text):
            named = (each for each in ranked if is_same_language(each.language, tag))
            sound = next(named, None)
        if sound is None:
            raise ConfigError(f"--audio {text}: {where} has {_offer(able)}; {_EXPECTED_TRACKS}")
        if sound not in chosen:
            chosen.append(_with_wide(sound, ranked))
    return tuple(chosen)


_EXPECTED_TRACKS = (
    "expected the number of one, a language, or 2 or 6 numbers of mono streams joined by +"
)


def _offer(able: Sequence[Stream]) -> str:
    """The streams that could have been asked for."""
    if not able:
        return "no sound"
    return "sound in " + ", ".join(f"{each.index} ({each.words})" for each in able)
