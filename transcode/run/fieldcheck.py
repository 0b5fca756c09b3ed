"""A short decode of a master: what its frames are, and whether they are fields in pairs.

A few pictures at one to five places, until it is clear, from the key frame before each, so that
little is decoded for nothing; only the middle of the picture is looked at. It took 0.1 to 0.2 s of
CPU for 1280x720. A failure here says nothing: the encode itself
will tell what is wrong with a file.
"""

from __future__ import annotations

import asyncio
import logging
import shlex
from pathlib import Path

import numpy as np

from transcode.masters.colour import carries_alpha
from transcode.masters.master import Master
from transcode.masters.scan import PROGRESSIVE_CODECS, Scan, Votes, is_clear, judge, votes_of
from transcode.masters.sight import Seen, Sight, colours_in, read_sight
from transcode.run.child import child_process
from transcode.run.ffmpegtools import ENCODING_NEEDS, find

logger = logging.getLogger(__name__)
_PICTURES, _SHORT_PICTURES = 13, 26
"""At each place; at the only one of a short film."""
_COLUMNS, _LINES = 512, 1088
# An even first line keeps top fields on top.
_MIDDLE = (
    f"crop=w=min(iw\\,{_COLUMNS}):h=min(ih\\,{_LINES}):x=(iw-ow)/2:y=floor((ih-oh)/8)*4:exact=1,"
    "scale,format=gray"
)
_ALPHA = "alphaextract,scale=256:256:flags=area,format=gray"
_ALPHA_PLACES = (0.5, 0.8, 0.2)
_PLACES = (0.3, 0.65, 0.1, 0.85, 0.5)
_SHORT_S = 4.0
"""Below it there is one place; from it on there are two at the least, to find mixtures."""
_SPAN_S = 10.0
"""Most seconds of the film that are read at a place: where nothing decodes, the log would fill."""
_LIMIT_S = 30.0


async def look(path: Path, master: Master) -> Seen | None:
    """Decode a little of the master's pictures; None when nothing could be decoded.

    Raises:
        ToolMissingError: no ffmpeg.
    """
    measures = master.codec not in PROGRESSIVE_CODECS
    places, count = [place * master.duration_s for place in _PLACES], _PICTURES
    if master.duration_s < _SHORT_S or not measures:
        places, count = [0.0], _SHORT_PICTURES if measures else 1
    least = 2 if measures and len(places) > 1 else 1
    sight: Sight | None = None
    votes: list[Votes] = []
    colours: set[tuple[str, ...]] = set()
    for number, at_s in enumerate(places):
        try:
            log, pictures = await _decode(path, master, at_s, count, _MIDDLE)
        except TimeoutError:
            logger.warning("%s: looking at %.1f s took over %g s", path, at_s, _LIMIT_S)
            break
        found = read_sight(log)
        if found is None:
            continue
        sight = sight or found
        colours |= colours_in(log)
        votes.append(_votes(pictures, found))
        if number + 1 >= least and is_clear(votes):
            break
    if sight is None:
        return None
    flagged = sight.scan if measures else Scan()
    scan = judge(votes, flagged=flagged, rate=master.frame_rate) if measures else Scan()
    logger.debug("%s: %s, flagged %s, measured %s", path, sight, flagged, scan)
    return Seen(
        sight,
        scan,
        is_changing=len(colours) > 1,
        alpha_is_empty=await _is_alpha_empty(path, master, sight),
    )


async def _is_alpha_empty(path: Path, master: Master, sight: Sight) -> bool:
    """Whether alpha is nothing but zeros: the fourth byte of some formats is filling only."""
    if not (carries_alpha(sight.pixels) or master.colour.has_alpha):
        return False
    for place in _ALPHA_PLACES:
        try:
            _, alpha = await _decode(path, master, place * master.duration_s, 1, _ALPHA)
        except TimeoutError:
            return False
        if not alpha or any(alpha):
            return False
    return True


def _votes(raw: bytes, sight: Sight) -> Votes:
    columns, lines = min(sight.width, _COLUMNS), min(sight.height, _LINES)
    whole = len(raw) // (columns * lines) * columns * lines
    return votes_of(np.frombuffer(raw[:whole], dtype=np.uint8).reshape(-1, lines, columns))


def _arguments(path: Path, master: Master, at_s: float, count: int, plane: str) -> list[str]:
    seek = ["-ss", f"{at_s:.3f}", "-noaccurate_seek"] if at_s > 0 else []
    decoder = master.colour.decoder
    chosen = [] if decoder is None else [f"-c:{master.index}", decoder]
    source = ["-protocol_whitelist", "file", "-t", f"{_SPAN_S:g}", "-i", f"file:{path.absolute()}"]
    return [
        find("ffmpeg", ENCODING_NEEDS).path,
        *("-hide_banner", "-nostdin", "-nostats", "-v", "info", "-noautorotate", "-threads", "1"),
        *(*chosen, *seek, *source),
        *("-map", f"0:{master.index}", "-frames:v", str(count), "-fps_mode", "passthrough"),
        *("-vf", f"showinfo=checksum=0,{plane}", "-f", "rawvideo", "pipe:1"),
    ]


async def _decode(
    path: Path, master: Master, at_s: float, count: int, plane: str
) -> tuple[str, bytes]:
    """The log of ffmpeg, and a plane of 8 bits of some pictures.

    Raises:
        TimeoutError: it took over ``_LIMIT_S``.
    """
    command = _arguments(path, master, at_s, count, plane)
    logger.debug("%s", shlex.join(command))
    async with child_process(command) as process, asyncio.timeout(_LIMIT_S):
        pictures, log = await process.communicate()
    return log.decode("utf-8", errors="replace"), pictures
