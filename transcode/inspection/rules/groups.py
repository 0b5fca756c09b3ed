"""Rules over EXT-X-MEDIA: renditions and the groups they make."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from transcode.inspection.facts import PackageFacts
from transcode.inspection.playlists import ListedRendition
from transcode.inspection.rules.rule import Breach, Rule, at_line

_TYPES = ("AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS")
_ACCESSIBLE = ("public.accessibility.describes-video", "transcribes-spoken-dialog")
_GROUP_ATTRIBUTES = {"AUDIO": "AUDIO", "VIDEO": "VIDEO", "SUBTITLES": "SUBTITLES"}


def _groups(package: PackageFacts) -> dict[tuple[str, str], list[ListedRendition]]:
    found: dict[tuple[str, str], list[ListedRendition]] = defaultdict(list)
    for rendition in package.multivariant.renditions if package.multivariant else ():
        found[rendition.kind, rendition.group].append(rendition)
    return found


def _label(rendition: ListedRendition) -> str:
    return f"{at_line(rendition.line)} ({rendition.kind} {rendition.group} {rendition.name!r})"


def _defined(package: PackageFacts) -> Iterator[Breach]:
    groups = _groups(package)
    for variant in (*package.variants, *package.iframes):
        for name, kind in (*_GROUP_ATTRIBUTES.items(), ("CLOSED-CAPTIONS", "CLOSED-CAPTIONS")):
            group = variant.listed.attributes.get(name)
            if group is None or (name == "CLOSED-CAPTIONS" and group == "NONE"):
                continue
            if (kind, group) not in groups:
                yield Breach(
                    file=package.name,
                    place=at_line(variant.listed.line),
                    measured=f"{name}={group!r}, a group that no EXT-X-MEDIA makes",
                    allowed="the GROUP-ID of a rendition of that type",
                )


def _unused(package: PackageFacts) -> Iterator[Breach]:
    used = {
        (kind, variant.listed.attributes.get(kind))
        for variant in (*package.variants, *package.iframes)
        for kind in _TYPES
    }
    for (kind, group), members in _groups(package).items():
        if kind in _TYPES and (kind, group) not in used:
            yield Breach(
                file=package.name,
                place=_label(members[0]),
                measured="a group that no variant names",
                allowed="a variant that plays it",
            )


def _required(package: PackageFacts) -> Iterator[Breach]:
    for rendition in package.multivariant.renditions if package.multivariant else ():
        missing = [n for n in ("TYPE", "GROUP-ID", "NAME") if not rendition.attributes.get(n)]
        if rendition.kind == "SUBTITLES" and not rendition.uri:
            missing.append("URI")
        if rendition.kind == "CLOSED-CAPTIONS" and "INSTREAM-ID" not in rendition.attributes:
            missing.append("INSTREAM-ID")
        if missing:
            yield Breach(
                file=package.name,
                place=_label(rendition),
                measured=f"no {', '.join(missing)}",
                allowed="all attributes that its type requires",
            )
        elif rendition.kind not in _TYPES:
            yield Breach(
                file=package.name,
                place=_label(rendition),
                measured=f"TYPE={rendition.kind}",
                allowed=" or ".join(_TYPES),
            )


def _names(package: PackageFacts) -> Iterator[Breach]:
    for members in _groups(package).values():
        seen: dict[str, int] = {}
        for rendition in members:
            if rendition.name and rendition.name in seen:
                yield Breach(
                    file=package.name,
                    place=_label(rendition),
                    measured=f"the NAME of line {seen[rendition.name]} in the same group",
                    allowed="another NAME for each rendition of a group",
                )
            seen.setdefault(rendition.name, rendition.line)


def _defaults(package: PackageFacts) -> Iterator[Breach]:
    for members in _groups(package).values():
        chosen = [each for each in members if each.says("DEFAULT")]
        if len(chosen) > 1:
            yield Breach(
                file=package.name,
                place=_label(chosen[1]),
                measured=f"{len(chosen)} renditions with DEFAULT=YES in one group",
                allowed="one at most",
            )


def _autoselect(package: PackageFacts) -> Iterator[Breach]:
    for rendition in package.multivariant.renditions if package.multivariant else ():
        if rendition.says("DEFAULT") and rendition.attributes.get("AUTOSELECT") == "NO":
            yield Breach(
                file=package.name,
                place=_label(rendition),
                measured="DEFAULT=YES with AUTOSELECT=NO",
                allowed="AUTOSELECT=YES",
            )


def _match(package: PackageFacts) -> Iterator[Breach]:
    by_kind: dict[str, list[tuple[str, list[ListedRendition]]]] = defaultdict(list)
    for (kind, group), members in _groups(package).items():
        if kind in _GROUP_ATTRIBUTES:
            by_kind[kind].append((group, members))
    for groups in by_kind.values():
        (first, reference), *others = groups
        names = {each.name for each in reference}
        for group, members in others:
            theirs = {each.name for each in members}
            if theirs != names:
                odd = ", ".join(sorted(repr(name) for name in theirs ^ names))
                yield Breach(
                    file=package.name,
                    place=_label(members[0]),
                    measured=f"groups {first!r} and {group!r} differ in {odd}",
                    allowed="the same renditions by NAME in every group of a type",
                )


def _language(package: PackageFacts) -> Iterator[Breach]:
    for rendition in package.multivariant.renditions if package.multivariant else ():
        if rendition.kind != "VIDEO" and not rendition.attributes.get("LANGUAGE"):
            yield Breach(
                file=package.name,
                place=_label(rendition),
                measured="no LANGUAGE",
                allowed="a language tag (RFC 5646)",
            )


def _described(package: PackageFacts) -> Iterator[Breach]:
    for rendition in package.multivariant.renditions if package.multivariant else ():
        marks = rendition.attributes.get("CHARACTERISTICS", "")
        if any(mark in marks for mark in _ACCESSIBLE) and not rendition.says("AUTOSELECT"):
            yield Breach(
                file=package.name,
                place=_label(rendition),
                measured=f"{marks} without AUTOSELECT=YES",
                allowed="AUTOSELECT=YES",
            )


def _channels(package: PackageFacts) -> Iterator[Breach]:
    for rendition in package.renditions:
        listed = rendition.listed
        if listed.kind != "AUDIO":
            continue
        stated = listed.attributes.get("CHANNELS", "").partition("/")[0]
        track = rendition.media.track("audio") if rendition.media else None
        if not stated:
            yield Breach(
                file=package.name,
                place=_label(listed),
                measured="no CHANNELS",
                allowed="the number of channels",
            )
        elif (
            track is not None
            # Dolby Digital Plus and parametric stereo hide channels from the sample entry.
            and track.codec in ("mp4a.40.2", "Opus", "flac", "fLaC")
            and track.channels
            and stated != str(track.channels)
        ):
            yield Breach(
                file=package.name,
                place=_label(listed),
                measured=f"CHANNELS={stated}; the track has {track.channels}",
                allowed=f"CHANNELS={track.channels}",
            )


def _separate(package: PackageFacts) -> Iterator[Breach]:
    for variant in package.variants:
        media = variant.media
        if media is None:
            continue
        kinds = {track.kind for track in media.tracks()}
        if {"video", "audio"} <= kinds:
            yield Breach(
                file=package.name,
                place=at_line(variant.listed.line),
                measured="sound inside the video segments",
                allowed="sound as a rendition of its own",
            )
            return


RULES = (
    Rule(
        id="group-defined",
        clauses=("RFC 4.4.6.2", "Apple 8.9"),
        severity="violation",
        text="Every group that a variant names has a rendition of its type.",
        remedy="add the EXT-X-MEDIA line, or correct the name of the group",
        needs="playlists",
        check=_defined,
    ),
    Rule(
        id="group-used",
        clauses=("ours",),
        severity="warning",
        text="Every group of renditions is named by a variant.",
        remedy="name the group in the variants, or take it out",
        needs="playlists",
        check=_unused,
    ),
    Rule(
        id="rendition-attributes",
        clauses=("RFC 4.4.6.1",),
        severity="violation",
        text="Every rendition has the attributes that its type requires.",
        remedy="add the attributes",
        needs="playlists",
        check=_required,
    ),
    Rule(
        id="names-differ",
        clauses=("RFC 4.4.6.1.1",),
        severity="violation",
        text="The renditions of a group have different names.",
        remedy="give each rendition a NAME of its own",
        needs="playlists",
        check=_names,
    ),
    Rule(
        id="one-default",
        clauses=("RFC 4.4.6.1.1",),
        severity="violation",
        text="At most one rendition of a group is the default.",
        remedy="keep DEFAULT=YES on one rendition",
        needs="playlists",
        check=_defaults,
    ),
    Rule(
        id="default-autoselect",
        clauses=("RFC 4.4.6.1",),
        severity="violation",
        text="A default rendition can be selected without the viewer's choice.",
        remedy="write AUTOSELECT=YES",
        needs="playlists",
        check=_autoselect,
    ),
    Rule(
        id="groups-match",
        clauses=("RFC 4.4.6.1.1",),
        severity="violation",
        text="All groups of a type offer the same renditions.",
        remedy="list every rendition in every group of the type",
        needs="playlists",
        check=_match,
    ),
    Rule(
        id="language-stated",
        clauses=("Apple 8.10", "Apple 4.7"),
        severity="warning",
        text="Every rendition of sound or text states its language.",
        remedy="add LANGUAGE; und when nobody knows",
        needs="playlists",
        check=_language,
    ),
    Rule(
        id="accessible-autoselect",
        clauses=("Apple 2.13", "Apple 4.6"),
        severity="violation",
        text="Descriptions for the blind and captions for the deaf can be selected automatically.",
        remedy="write AUTOSELECT=YES",
        needs="playlists",
        check=_described,
    ),
    Rule(
        id="channels",
        clauses=("RFC 4.4.6.1",),
        severity="warning",
        text="Every audio rendition states the number of channels that it has.",
        remedy="add CHANNELS",
        needs="playlists",
        check=_channels,
    ),
    Rule(
        id="audio-separate",
        clauses=("Apple 9.5",),
        severity="note",
        text="Video and audio are separate streams.",
        remedy="package the sound as a rendition, so that rungs share it",
        needs="media",
        check=_separate,
    ),
)
