"""Masters on disk, examined by ffprobe; one that cannot be used is refused with one line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from abr.errors import MediaError, MissingFileError
from abr.shell import reason_of
from transcode.masters.ends import ends_broken, with_missing_end
from transcode.masters.fields import whole
from transcode.masters.master import Master, master_from
from transcode.masters.negative import with_counted_start
from transcode.masters.packets import CORRUPT, KEY, Packets
from transcode.masters.sound import to_listen_to
from transcode.masters.stream import streams_of
from transcode.masters.streams import EXPECTED, StreamWish
from transcode.masters.texts import may_have_header
from transcode.run.ends import CUT_SHORT, has_open_end, stated_bytes
from transcode.run.examine import examine, find_first, follow
from transcode.run.ffprobe import LIMIT_S, ask_ffprobe, read_packets, url_of
from transcode.run.fieldcheck import look
from transcode.run.listening import find_bass, is_silent

_LISTS = frozenset({"concat", "hls", "dash", "imf", "webm_dash_manifest", "sdp"})
"""Formats whose media are elsewhere: a digest of the file says nothing about them, so that
products of other pictures would be found in the cache."""


async def probe(
    path: str | Path, *, wish: StreamWish | None = None, limit_s: float = LIMIT_S
) -> Master:
    """Facts about the master at ``path``; all of its packets are read once.

    Args:
        path: A video file.
        wish: Streams that are asked for.
        limit_s: Most seconds in which ffprobe says nothing.

    Raises:
        MissingFileError: no such file, or a folder.
        MediaError: it is empty, cut off before its index, not media, or has no video.
        ConfigError: a stream was asked for that is not there.
        ToolMissingError: no ffprobe.
        ToolFailedError: ffprobe said nothing for ``limit_s``.
    """
    path = Path(path)
    size, stated = _check_file(path)
    described = _Text()
    log = await ask_ffprobe(
        path,
        ["-of", "json", "-show_streams", "-show_format", "-show_programs"],
        described.feed,
        limit_s=limit_s,
    )
    found = described.json()
    if not found.get("streams"):
        why = log.splitlines()[-1].strip() if log.strip() else "nothing playable"
        why = why.removeprefix(f"{url_of(path)}: ")
        if stated:
            raise MediaError(
                f"{path}: is cut off before what is needed to read it ({why}): it holds {size:,} "
                f"of at least {stated:,} bytes; expected the whole file; copy or download it again"
            )
        raise MediaError(f"{path}: cannot be read as media ({why}); {EXPECTED}")
    if found.get("format", {}).get("format_name") in _LISTS:
        raise MediaError(
            f"{path}: only names other files; {EXPECTED}; join what it names into one file first"
        )
    if may_have_header(found):
        await _add_headers(path, found, limit_s)
    packets, log = await read_packets(path, sample_rates(found), limit_s=limit_s)
    if str(found.get("format", {}).get("format_name", "")).startswith("matroska"):
        packets = with_counted_start(packets)
    is_cut = bool(stated) or (CUT_SHORT in log and not has_open_end(path)) or ends_broken(packets)
    facts = partial(
        master_from,
        found,
        name=path.name,
        where=str(path),
        packets=packets,
        wish=wish,
        bass=await find_bass(path, to_listen_to(streams_of(found))),
    )
    facts = partial(facts, silent=await _find_silent(path, found, facts, wish))
    master = facts()
    if packets[master.index].is_vague:
        first_s = await find_first(path, master.index)
        known = replace(packets[master.index], first_shown_s=first_s)
        facts = partial(facts, packets={**packets, master.index: known})
        master = facts()
    seen = await look(path, master)
    master = facts(seen=seen)
    # Where each picture is a key frame, looking at them all would cost as much as an encode.
    if (seen and seen.is_changing) or not (packets[master.index].flags & KEY).all():
        master = await follow(path, master)
    if is_cut or _is_suspicious(master, packets, log):
        master = await examine(path, master)
    if is_cut:
        share = max(0, stated - size) / size
        master = with_missing_end(master, found, packets, missing_share=share)
    return master


async def _add_headers(path: Path, found: dict[str, Any], limit_s: float) -> None:
    """Headers of subtitles, which ffprobe prints with all other data only."""
    printed = _Text()
    entries = ["-show_data", "-show_entries", "stream=index,extradata"]
    await ask_ffprobe(
        path, ["-of", "json", "-select_streams", "s", *entries], printed.feed, limit_s=limit_s
    )
    headers = {each.get("index"): each for each in printed.json().get("streams", ())}
    for each in found["streams"]:
        each.update(headers.get(each.get("index"), {}))


async def _find_silent(
    path: Path, found: Mapping[str, Any], facts: Callable[..., Master], wish: StreamWish | None
) -> frozenset[int]:
    """Sounds that the rules prefer and that are silent, where another could be taken instead."""
    audio = [each for each in streams_of(found) if each.kind == "audio"]
    silent: frozenset[int] = frozenset()
    if len(audio) < 2 or (wish and wish.sound.tracks):
        return silent
    while sounds := facts(silent=silent).sounds:
        main = sounds[0].indices
        is_only = len(main) == len(audio)
        if is_only or silent.issuperset(main) or not await is_silent(path, main):
            break
        silent |= {*main}
    return silent


def _is_suspicious(master: Master, packets: Mapping[int, Packets], log: str) -> bool:
    """Whether there are signs of damage, so that decoding all of it is worth the time."""
    used = [master.index, *(index for sound in master.sounds for index in sound.indices)]
    flags = [packets[index].flags for index in used if index in packets]
    begins_late = not packets[master.index].flags[0] & KEY
    timing = master.timing
    has_hole = (
        timing is not None and timing.is_steady and timing.longest_gap_s * float(timing.rate) > 1.5
    )
    is_marked = any(bool((each & CORRUPT).any()) for each in flags)
    return bool(log.strip()) or begins_late or has_hole or is_marked


def sample_rates(found: Mapping[str, Any]) -> dict[int, int]:
    """Of audio streams in Hz, by number."""
    streams = [each for each in found.get("streams", ()) if isinstance(each, dict)]
    return {whole(each.get("index")): whole(each.get("sample_rate")) for each in streams}


def _check_file(path: Path) -> tuple[int, int]:
    """Bytes that the file holds, and that it says it has where that is more; else 0."""
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError as exc:
        shown = str(path).encode("utf-8", errors="backslashreplace").decode()
        raise MissingFileError(
            f"{shown}: its path is not in UTF-8, in which it is handed on; rename it"
        ) from exc
    try:
        if path.is_dir():
            raise MissingFileError(f"{path}: is a folder; {EXPECTED}")
        if not path.is_file() and path.exists():
            raise MissingFileError(f"{path}: is not a regular file; {EXPECTED}")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not size:
                raise MediaError(f"{path}: is empty; {EXPECTED}")
            return size, stated_bytes(file, size, str(path))
    except FileNotFoundError as exc:
        if isinstance(exc, MissingFileError):
            raise
        raise MissingFileError(f"{path}: no such file; {EXPECTED}") from exc
    except OSError as exc:
        raise MissingFileError(f"{path}: {reason_of(exc)}; {EXPECTED} that can be read") from exc


class _Text:
    """Gathers what a tool prints."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def __repr__(self) -> str:
        return f"<_Text of {sum(map(len, self._pieces)):,} bytes>"

    def feed(self, data: bytes) -> None:
        self._pieces.append(data)

    def json(self) -> dict[str, Any]:
        """An object; an empty one where it is none."""
        try:
            found = json.loads(b"".join(self._pieces).decode("utf-8", errors="replace") or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}
