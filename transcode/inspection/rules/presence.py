"""Rules over files: there, whole, readable, of a known kind."""

from __future__ import annotations

from collections.abc import Iterator

from transcode.inspection.facts import PackageFacts
from transcode.inspection.rules.rule import Breach, Rule, at_line


def _unusable(package: PackageFacts) -> Iterator[Breach]:
    for each in package.unusable:
        yield Breach(
            file=each.listed_in,
            place=at_line(each.line),
            measured=f"{each.name}: {each.why}",
            allowed="a media playlist that can be read",
        )


def _missing(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        for number, segment in enumerate(media.segments):
            if segment.is_missing and not media.listed.segments[number].gap:
                yield Breach(
                    file=media.name,
                    place=media.place(number),
                    measured=segment.problem or "missing",
                    allowed="a file that is there",
                )


def _empty(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        for number, segment in enumerate(media.segments):
            if segment.size_bytes == 0 and not segment.is_missing:
                yield Breach(
                    file=media.name,
                    place=media.place(number),
                    measured="0 bytes",
                    allowed="more than 0",
                )


def _damaged(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        for number, segment in enumerate(media.segments):
            if segment.problem and not segment.is_missing and segment.size_bytes != 0:
                yield Breach(
                    file=media.name,
                    place=media.place(number),
                    measured=segment.problem,
                    allowed="a whole segment of fMP4, transport stream, packed audio or WebVTT",
                )


def _init(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        for init in media.inits.values():
            if init.problem:
                yield Breach(
                    file=media.name,
                    place=f"EXT-X-MAP ({init.uri})",
                    measured=init.problem,
                    allowed="an initialisation section (ftyp and moov)",
                )


def _sealed(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        sealed = sum(segment.is_sealed for segment in media.segments)
        sealed += sum(init.is_sealed for init in media.inits.values())
        if sealed:
            yield Breach(
                file=media.name,
                measured=f"{sealed} encrypted files whose key is not at hand",
                allowed="keys that can be read, for their media to be checked",
            )


def _one_audio(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        for number, segment in enumerate(media.segments):
            count = sum(stretch.kind == "audio" for stretch in segment.stretches)
            if count > 1:
                yield Breach(
                    file=media.name,
                    place=media.place(number),
                    measured=f"{count} audio tracks",
                    allowed="one",
                )
                break


def _decoded(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        for number, segment in enumerate(media.segments):
            if segment.decode_problem:
                yield Breach(
                    file=media.name,
                    place=media.place(number),
                    measured=segment.decode_problem,
                    allowed="decodes alone, with its initialisation section before it",
                )


def _decoded_frames(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        for number, segment in enumerate(media.segments):
            stretch = segment.of("video")
            if stretch is None or segment.decoded_frames is None or segment.decode_problem:
                continue
            if segment.decoded_frames != stretch.frames:
                yield Breach(
                    file=media.name,
                    place=media.place(number),
                    measured=f"{segment.decoded_frames} frames decode",
                    allowed=f"all {stretch.frames} frames, when decoded alone",
                )


def _outside(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        for number, segment in enumerate(media.segments):
            if segment.counters:
                yield Breach(
                    file=media.name,
                    place=media.place(number),
                    measured=segment.counters,
                    allowed="continuity counters without a gap",
                )


RULES = (
    Rule(
        id="playlist-readable",
        clauses=("RFC 4.4.6.2", "RFC 4.4.6.1"),
        severity="violation",
        text="Every playlist that is listed can be read and is a media playlist.",
        remedy="restore the file, or take its line out of the playlist",
        needs="playlists",
        check=_unusable,
    ),
    Rule(
        id="segment-there",
        clauses=("RFC 6.2.1",),
        severity="violation",
        text="Every segment that is listed is there, unless it is marked as a gap.",
        remedy="restore the file, or package again",
        needs="sizes",
        check=_missing,
    ),
    Rule(
        id="segment-not-empty",
        clauses=("RFC 3",),
        severity="violation",
        text="No segment is empty.",
        remedy="package again; a full disk leaves empty files behind",
        needs="sizes",
        check=_empty,
    ),
    Rule(
        id="segment-whole",
        clauses=("RFC 3.1",),
        severity="violation",
        text="Every segment is whole and of a format that HLS knows.",
        remedy="restore the file, or package again; an interrupted copy cuts files off",
        needs="media",
        check=_damaged,
    ),
    Rule(
        id="init-readable",
        clauses=("RFC 3.1.2", "RFC 4.4.4.5"),
        severity="violation",
        text="Every initialisation section is there and can be read.",
        remedy="restore the file, or package again",
        needs="media",
        check=_init,
    ),
    Rule(
        id="keys-at-hand",
        clauses=("ours",),
        severity="note",
        text="Media that are encrypted whole can be checked only with their keys.",
        remedy="give the key store with --keys, or read the playlist from where keys are served",
        needs="media",
        check=_sealed,
    ),
    Rule(
        id="one-audio-stream",
        clauses=("Apple 2.17",),
        severity="violation",
        text="No segment holds more than one audio stream.",
        remedy="package each audio stream as a rendition of its own",
        needs="media",
        check=_one_audio,
    ),
    Rule(
        id="continuity-counters",
        clauses=("Apple 7.2",),
        severity="violation",
        text="The continuity counters of a transport stream grow without a gap.",
        remedy="package again; packets are missing",
        needs="media",
        check=_outside,
    ),
    Rule(
        id="decodes-alone",
        clauses=("Apple 7.4", "RFC 4.4.2.1"),
        severity="violation",
        text="Every segment decodes without errors after its initialisation section alone.",
        remedy="check that init and segment are of the same encode; encode with closed GOPs",
        needs="decode",
        check=_decoded,
    ),
    Rule(
        id="decodes-whole",
        clauses=("Apple 7.4", "RFC 4.4.2.1"),
        severity="violation",
        text="Every frame of a segment comes out when the segment is decoded alone.",
        remedy="encode with closed GOPs (x264: open-gop=0, x265: open-gop=0)",
        needs="decode",
        check=_decoded_frames,
    ),
)
