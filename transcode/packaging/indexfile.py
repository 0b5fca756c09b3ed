"""``presentation.json``: the index of a package as text, and back.

The fields of the file are named as those of the dataclasses in ``index``; this module adds
the version and a digest, and checks types. Unknown fields are ignored, so that minor
versions may add some; another major version is refused.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal, NoReturn

from abr.errors import PackageError
from transcode.packaging.checks import check_index
from transcode.packaging.index import (
    Encryption,
    KeyFrame,
    PresentationIndex,
    SegmentFacts,
    SourceFacts,
    SourceStream,
    Track,
)
from transcode.packaging.keygroups import NAMES, KeyGroup
from transcode.packaging.layout import INDEX, REMEDY, Container, title_of
from transcode.packaging.sidetracks import ImageTrack, TextTrack
from transcode.quality import QualityFacts, TrackQuality

FORMAT = "abrkit presentation"
MAJOR, MINOR = 1, 1


def print_index(index: PresentationIndex) -> str:
    """The text of ``presentation.json``.

    Raises:
        PackageError: the index is inconsistent.
    """
    check_index(index)
    head = {"format": FORMAT, "version": f"{MAJOR}.{MINOR}", "digest": digest_of(index)}
    return json.dumps({**head, **_plain(index)}, indent=1, ensure_ascii=False) + "\n"


def digest_of(index: PresentationIndex) -> str:
    """SHA-256 over title, encryption, tracks and sizes: equal on every machine."""
    told = ("source", "made_by", "quality")
    digested = {name: value for name, value in _plain(index).items() if name not in told}
    text = json.dumps(digested, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """``value`` as JSON has it; fields that came later are left out where they say nothing."""
    if is_dataclass(value):
        return {
            each.name: _plain(own)
            for each in fields(value)
            if (own := getattr(value, each.name)) != each.default or not each.metadata.get("later")
        }
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def parse_index(text: str, *, where: str = INDEX) -> PresentationIndex:
    """Read ``presentation.json``.

    Raises:
        PackageError: not JSON, of an unknown major version, a field missing or of another
            type, edited by hand, or inconsistent.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise PackageError(f"{where}: not JSON; expected a package index; {REMEDY}") from exc
    root = _Fields(value, where, "")
    _check_version(root)
    encryption = root.fields_or_none("encryption")
    index = PresentationIndex(
        title=root.text("title"),
        source=_source(root.fields("source")),
        video=tuple(_track(track) for track in root.list_of_fields("video")),
        audio=tuple(_track(track) for track in root.list_of_fields("audio")),
        encryption=None if encryption is None else _encryption(encryption),
        made_by=root.text("made_by"),
        text=tuple(_text(each) for each in root.list_of_fields("text", is_later=True)),
        dash=root.truth("dash") if "dash" in root.values else False,
        images=tuple(_images(each) for each in root.list_of_fields("images", is_later=True)),
        more_video=tuple(_track(each) for each in root.list_of_fields("more_video", is_later=True)),
        quality=_quality(root.fields_or_none("quality")),
        container=_container(root),
        watermarked="watermarked" in root.values and root.truth("watermarked"),
    )
    check_index(index, where=where)
    if index.title != title_of(index.title):
        root.fail("title", "a name of a-z, 0-9, - and _")
    if root.text("digest") != digest_of(index):
        raise PackageError(
            f"{where}: the digest does not fit the contents, so it was edited; {REMEDY}"
        )
    return index


def _check_version(root: _Fields) -> None:
    if root.values.get("format") != FORMAT:
        root.fail("format", repr(FORMAT))
    version = root.text("version")
    if version.partition(".")[0] != str(MAJOR):
        raise PackageError(
            f"{root.where}: version {version[:20]}; this abrkit reads {MAJOR}.x; "
            "use the abrkit that made it, or " + REMEDY
        )


def _container(root: _Fields) -> Container:
    found = root.values.get("container", "fmp4")
    if found == "fmp4":
        return "fmp4"
    return "ts" if found == "ts" else root.fail("container", "fmp4 or ts")


def _source(fields: _Fields) -> SourceFacts:
    return SourceFacts(
        name=fields.text("name"),
        duration_s=fields.number("duration_s"),
        width=fields.whole("width"),
        height=fields.whole("height"),
        frame_rate=fields.number("frame_rate"),
        size_bytes=fields.whole("size_bytes"),
        audio_channels=fields.whole("audio_channels"),
        streams=tuple(
            SourceStream(
                index=each.whole("index"),
                kind=each.text("kind"),
                what=each.text("what"),
                is_used=each.truth("is_used"),
                use=each.text("use"),
            )
            for each in (fields.list_of_fields("streams") if "streams" in fields.values else ())
        ),
        notes=fields.texts_or_none("notes"),
    )


def _track(fields: _Fields) -> Track:
    kind: Literal["video", "audio"]
    match fields.text("kind"):
        case "video":
            kind = "video"
        case "audio":
            kind = "audio"
        case _:
            fields.fail("kind", "video or audio")
    return Track(
        folder=fields.folder(kind[0]),
        kind=kind,
        codecs=fields.text("codecs"),
        init_bytes=fields.whole("init_bytes"),
        segments=tuple(
            SegmentFacts(
                size_bytes=each.whole("size_bytes"),
                duration_s=each.number("duration_s"),
                key_frames=_key_frames(each),
            )
            for each in fields.list_of_fields("segments")
        ),
        width=fields.whole("width"),
        height=fields.whole("height"),
        frame_rate=fields.number("frame_rate"),
        channels=fields.whole("channels"),
        language=None if fields.values.get("language") is None else fields.text("language"),
        name=fields.text("name"),
        groups=fields.texts_or_none("groups"),
        characteristics=fields.text_or_empty("characteristics"),
        autoselect=fields.values.get("autoselect") is None or fields.truth("autoselect"),
        loudness_lufs=fields.level_or_none("loudness_lufs"),
        video_range=_video_range(fields),
        timescale=fields.whole("timescale") if "timescale" in fields.values else 0,
    )


def _text(fields: _Fields) -> TextTrack:
    return TextTrack(
        folder=fields.folder("s"),
        name=fields.text("name"),
        sizes_bytes=fields.wholes("sizes_bytes"),
        whole_bytes=fields.whole("whole_bytes"),
        language=None if fields.values.get("language") is None else fields.text("language"),
        forced=fields.truth("forced"),
        hearing_impaired=fields.truth("hearing_impaired"),
    )


def _images(fields: _Fields) -> ImageTrack:
    return ImageTrack(
        folder=fields.folder("t"),
        width=fields.whole("width"),
        height=fields.whole("height"),
        columns=fields.whole("columns"),
        rows=fields.whole("rows"),
        interval_s=fields.number("interval_s"),
        count=fields.whole("count"),
        sizes_bytes=fields.wholes("sizes_bytes"),
    )


_RANGES: Mapping[object, Literal["SDR", "HLG", "PQ"]] = {"SDR": "SDR", "HLG": "HLG", "PQ": "PQ"}


def _video_range(fields: _Fields) -> Literal["SDR", "HLG", "PQ"]:
    value = fields.values.get("video_range", "SDR")
    found = _RANGES.get(value) if isinstance(value, str) else None
    return found or fields.fail("video_range", "SDR, HLG or PQ")


def _key_frames(fields: _Fields) -> tuple[KeyFrame, ...]:
    found = fields.values.get("key_frames", [])
    if not isinstance(found, list) or not all(map(_is_key_frame, found)):
        fields.fail("key_frames", "a list of [offset_bytes, size_bytes, duration_s]")
    return tuple(KeyFrame(offset, size, float(duration)) for offset, size, duration in found)


def _is_key_frame(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 3:
        return False
    *whole, duration_s = value
    return (
        all(type(each) is int and 0 <= each < 2**63 for each in whole)
        and type(duration_s) in (int, float)
        and math.isfinite(duration_s)
    )


def _encryption(fields: _Fields) -> Encryption:
    return Encryption(
        method=fields.text("method"),
        kids=_kids(fields),
        rotate_every=fields.whole("rotate_every"),
        seals_init=fields.truth("seals_init"),
        explicit_iv="explicit_iv" in fields.values and fields.truth("explicit_iv"),
        groups=tuple(_key_group(each) for each in fields.list_of_fields("groups", is_later=True)),
    )


def _kids(fields: _Fields) -> tuple[str, ...]:
    kids = fields.values.get("kids")
    if not isinstance(kids, list) or not all(isinstance(kid, str) for kid in kids):
        fields.fail("kids", "a list of key ids")
    return tuple(kids)


def _key_group(fields: _Fields) -> KeyGroup:
    found = fields.text("name")
    name = next((each for each in NAMES if each == found), None)
    if name is None:
        fields.fail("name", f"one of {', '.join(NAMES)}")
    return KeyGroup(
        name=name,
        height=fields.whole("height"),
        folders=fields.texts_or_none("folders"),
        kids=_kids(fields),
    )


def _quality(fields: _Fields | None) -> QualityFacts | None:
    if fields is None:
        return None
    return QualityFacts(
        metric=fields.text("metric"),
        model=fields.text("model"),
        width=fields.whole("width"),
        height=fields.whole("height"),
        tracks=tuple(
            TrackQuality(
                folder=each.text("folder"),
                mean=each.number("mean"),
                harmonic_mean=each.number("harmonic_mean"),
                low=each.number("low"),
                minimum=each.number("minimum"),
                segments=each.numbers("segments"),
                segments_low=each.numbers("segments_low"),
                target=None if each.values.get("target") is None else each.number("target"),
            )
            for each in fields.list_of_fields("tracks")
        ),
    )


@dataclass(frozen=True, slots=True)
class _Fields:
    """One JSON object, read with checks."""

    values: Mapping[str, Any]
    where: str
    path: str

    def __post_init__(self) -> None:
        if not isinstance(self.values, dict):
            raise PackageError(f"{self.where}: {self.path or 'root'} is not an object; {REMEDY}")

    def fail(self, name: str, expected: str) -> NoReturn:
        """Raise the error of one field."""
        value = self.values.get(name)
        found = "missing" if value is None else f"of type {type(value).__name__} or wrong"
        raise PackageError(
            f"{self.where}: {self.path}{name} is {found}; expected {expected}; {REMEDY}"
        )

    def text(self, name: str) -> str:
        value = self.values.get(name)
        return value if isinstance(value, str) else self.fail(name, "text")

    def level_or_none(self, name: str) -> float | None:
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1000:
            self.fail(name, "a level in decibels")
        return float(value)

    def text_or_empty(self, name: str) -> str:
        return "" if self.values.get(name) is None else self.text(name)

    def texts_or_none(self, name: str) -> tuple[str, ...]:
        values = self.values.get(name, [])
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            self.fail(name, "a list of texts")
        return tuple(values)

    def folder(self, letter: str) -> str:
        """Folders become paths, so only names that a package has are accepted."""
        folder = self.text("folder")
        if not (folder[:1] == letter and folder[1:].isascii() and folder[1:].isdigit()):
            self.fail("folder", f"{letter} and a number")
        return folder

    def wholes(self, name: str) -> tuple[int, ...]:
        values = self.values.get(name)
        if not isinstance(values, list) or not all(
            type(value) is int and 0 < value < 2**63 for value in values
        ):
            self.fail(name, "a list of whole numbers above 0")
        return tuple(values)

    def whole(self, name: str) -> int:
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
            self.fail(name, "a whole number of 0 or more")
        return value

    def number(self, name: str) -> float:
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(name, "a number")
        if not 0 <= value < 2**63 or not math.isfinite(value):
            self.fail(name, "a finite number of 0 or more")
        return float(value)

    def numbers(self, name: str) -> tuple[float, ...]:
        values = self.values.get(name)
        if not isinstance(values, list):
            self.fail(name, "a list of numbers")
        named = {f"{name}[{place}]": value for place, value in enumerate(values)}
        each = _Fields(named, self.where, self.path)
        return tuple(map(each.number, named))

    def truth(self, name: str) -> bool:
        value = self.values.get(name)
        return value if isinstance(value, bool) else self.fail(name, "true or false")

    def fields(self, name: str) -> _Fields:
        return _Fields(self.values.get(name, 0), self.where, f"{self.path}{name}.")

    def fields_or_none(self, name: str) -> _Fields | None:
        return None if self.values.get(name) is None else self.fields(name)

    def list_of_fields(self, name: str, *, is_later: bool = False) -> list[_Fields]:
        values = self.values.get(name, [] if is_later else None)
        if not isinstance(values, list):
            self.fail(name, "a list")
        return [
            _Fields(value, self.where, f"{self.path}{name}[{number}].")
            for number, value in enumerate(values)
        ]
