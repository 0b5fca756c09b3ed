"""Subtitles while a package is written: read from the master and from files, written as WebVTT."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from abr.errors import MediaError, MissingFileError
from abr.shell import reason_of
from transcode.ffmpeg import text_arguments
from transcode.masters.master import Master
from transcode.masters.texts import (
    Form,
    TextFacts,
    TextFile,
    faults_in_words,
    name_of_text,
    text_file,
)
from transcode.packaging import sidetracks
from transcode.packaging.sidetracks import TextTrack
from transcode.run.ffmpegtools import find
from transcode.run.ffprobe import ask_ffprobe
from transcode.run.process import run_ffmpeg
from transcode.subtitles.ass import parse_ass
from transcode.subtitles.cues import Fault, Subtitles, fit, shift
from transcode.subtitles.encodings import decode_text
from transcode.subtitles.matroska import file_of
from transcode.subtitles.srt import parse_srt
from transcode.subtitles.webvtt import parse_webvtt, print_webvtt, segment_texts
from transcode.verify import fault_of

NO_STREAMS = "none"
"""Instead of a file: leave the master's own subtitles out."""
_MOST_BYTES = 64 << 20
_FORMS: dict[str, Form] = {".srt": "srt", ".vtt": "webvtt", ".ass": "ass", ".ssa": "ass"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Subtitles that were read, in the film's time."""

    where: str
    """What messages call them."""
    subtitles: Subtitles
    language: str | None
    title: str
    forced: bool
    hearing_impaired: bool


async def read_texts(
    master: Path, facts: Master, wishes: Sequence[str], *, stall_limit_s: float
) -> list[Text]:
    """All subtitles of a package: the files asked for, then the streams of the master.

    Args:
        master: The master.
        facts: What is known of it.
        wishes: ``FILE[:LANGUAGE][:forced][:sdh]``; ``none`` leaves out the master's own.
        stall_limit_s: Most seconds without any progress of ffmpeg.

    Raises:
        MissingFileError, MediaError: a file cannot be used, or the master cannot be read.
    """
    files = [_read_file(text_file(wish)) for wish in wishes if wish != NO_STREAMS]
    streams = [] if NO_STREAMS in wishes else await _read_streams(master, facts, stall_limit_s)
    return [*files, *streams]


def _read_file(wish: TextFile) -> Text:
    path = Path(wish.path)
    expected = "expected subtitles in an .srt, .vtt, .ass or .ssa file"
    form = _FORMS.get(path.suffix.lower())
    if form is None:
        before, colon, word = wish.path.rpartition(":")
        if colon and Path(before).suffix.lower() in _FORMS:
            raise MediaError(
                f"{before}: {word!r} is no language; expected a tag such as de, or forced or sdh"
            )
        raise MediaError(f"{path}: is of another kind; {expected}")
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise MediaError(f"{path}: is larger than {_MOST_BYTES >> 20} MiB; {expected}")
        data = path.read_bytes()
    except OSError as exc:
        raise MissingFileError(f"{path}: {reason_of(exc)}; {expected}") from exc
    decoded = decode_text(data, language=wish.language, where=str(path))
    found = _parse(form, decoded.text, str(path))
    if not found.cues:
        first = f" (line {found.faults[0].line}: {found.faults[0].message})" if found.faults else ""
        raise MediaError(f"{path}: no cue can be read{first}; {expected}")
    if decoded.is_guess:
        found = _with_fault(
            found,
            f"is not UTF-8 and was read as {decoded.encoding}; if letters look wrong, save it as "
            "UTF-8 or name its language (FILE:LANGUAGE)",
        )
    return Text(
        where=str(path),
        subtitles=found,
        language=wish.language,
        title="",
        forced=wish.forced,
        hearing_impaired=wish.hearing_impaired,
    )


async def _read_streams(master: Path, facts: Master, stall_limit_s: float) -> list[Text]:
    if not facts.texts:
        return []
    parts = {
        text.index: await _read_blocks(master, text) for text in facts.texts if text.is_unknown
    }
    known = [text for text in facts.texts if not text.is_unknown]
    parts |= {text.index: bytearray() for text in known}
    if known:
        outcome = await run_ffmpeg(
            lambda outputs: text_arguments(
                known, str(master.absolute()), outputs, program=find("ffmpeg").path
            ),
            [parts[text.index].extend for text in known],
            stall_limit_s=stall_limit_s,
        )
        if outcome.exit_code or not outcome.finished:
            raise fault_of(facts.where, outcome.reason())
    offset_ms = round(1000 * facts.timing.picture.clock.start_s) if facts.timing else 0
    texts = []
    for stream in facts.texts:
        where = f"{facts.where}: {stream.words}"
        read = _stream(bytes(parts[stream.index]), stream, where)
        texts.append(
            Text(
                where=where,
                subtitles=shift(_without_lines(read), -offset_ms),
                language=stream.language,
                title=stream.title,
                forced=stream.forced,
                hearing_impaired=stream.hearing_impaired,
            )
        )
    return texts


async def _read_blocks(master: Path, text: TextFacts) -> bytearray:
    """WebVTT in Matroska that ffmpeg does not know, as the file that it came from."""
    printed = bytearray()
    what = ["-of", "json", "-select_streams", str(text.index), "-show_packets", "-show_data"]
    log = await ask_ffprobe(master, what, printed.extend)
    try:
        packets = json.loads(printed)["packets"]
    except (ValueError, KeyError) as exc:
        raise fault_of(str(master), log.strip() or "ffprobe printed no packets") from exc
    return bytearray(file_of(text.header, packets).encode())


def _stream(data: bytes, stream: TextFacts, where: str) -> Subtitles:
    """What ffmpeg wrote of a stream: UTF-8, unless it copied what is none."""
    if not data.strip():
        return Subtitles(cues=())
    try:
        text, encoding, is_guess = decode_text(data, language=stream.language, where=where)
    except MediaError:
        text, encoding, is_guess = data.decode(errors="replace"), "UTF-8 with damage", True
    found = _parse(stream.form, text, where)
    if stream.header and not stream.is_unknown:  # of which ffmpeg writes the cues only
        found = replace(found, blocks=parse_webvtt(stream.header, where=where).blocks)
    if is_guess:
        found = _with_fault(found, f"is not UTF-8 and was read as {encoding}; look at its letters")
    return found


def _parse(form: Form, text: str, where: str) -> Subtitles:
    match form:
        case "srt":
            return parse_srt(text)
        case "webvtt":
            return parse_webvtt(text, where=where)
        case "ass":
            return parse_ass(text, where=where)


def _with_fault(subtitles: Subtitles, message: str) -> Subtitles:
    return replace(subtitles, faults=(Fault(0, message), *subtitles.faults))


def _without_lines(subtitles: Subtitles) -> Subtitles:
    """Lines of text that only ffmpeg has seen help nobody."""
    return replace(subtitles, faults=tuple(Fault(0, f.message) for f in subtitles.faults))


def write_texts(
    texts: Sequence[Text],
    package: Path,
    durations_s: Sequence[float],
    *,
    origin: int = 0,
    on_note: Callable[[str], None],
) -> tuple[TextTrack, ...]:
    """Write subtitles as segments with the boundaries of the video.

    Args:
        texts: Subtitles in the film's time.
        package: Folder of the package.
        durations_s: Of the segments of the video.
        origin: Time stamp of the film's first picture, in units of 1/90,000 s.
        on_note: Told what could not be used.
    """
    tracks: list[TextTrack] = []
    for text in texts:
        fitted = fit(text.subtitles, sum(durations_s))
        for line in faults_in_words(text.where, ((f.line, f.message) for f in fitted.faults)):
            on_note(line)
        if not fitted.cues:
            on_note(f"{text.where}: holds no text that is shown, and is left out")
            continue
        folder = sidetracks.text_folder(len(tracks))
        (package / folder).mkdir()
        sizes = [
            _write(package / folder / sidetracks.text_name(number), part)
            for number, part in enumerate(segment_texts(fitted, durations_s, origin=origin))
        ]
        whole = print_webvtt(fitted.cues, blocks=fitted.blocks)
        tracks.append(
            TextTrack(
                folder=folder,
                name=name_of_text(
                    title=text.title,
                    language=text.language,
                    forced=text.forced,
                    hearing_impaired=text.hearing_impaired,
                    taken=[track.name for track in tracks],
                ),
                sizes_bytes=tuple(sizes),
                whole_bytes=_write(package / folder / sidetracks.WHOLE_TEXT, whole),
                language=text.language,
                forced=text.forced,
                hearing_impaired=text.hearing_impaired,
            )
        )
    return tuple(tracks)


def _write(path: Path, text: str) -> int:
    return path.write_bytes(text.encode())
