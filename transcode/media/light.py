"""What a picture of high dynamic range was graded on, as boxes of its sample entry.

Players read these before they decode anything; the same is in the stream itself.

Source: ISO/IEC 14496-12:2022, 12.1.6 (``clli``) and 12.1.7 (``mdcv``).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from transcode.media.boxes import Box, box, boxes, find

_ENTRY_BYTES = 78
"""Of a visual sample entry, before its boxes."""
_PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")


def with_light(
    init: bytes, *, screen: Sequence[float] | None, most_nits: int, mean_nits: int
) -> bytes:
    """``init`` of pictures with the light that they were graded on.

    Args:
        init: The initialisation section; boxes that are there already stay as they are.
        screen: Chromaticities x and y of red, green, blue and white, then the least and the most
            light in cd/m²; None where it is not known.
        most_nits: The brightest pixel of all; 0 where it is not known.
        mean_nits: The brightest frame's mean.

    Raises:
        MediaError: no track of pictures is described.
    """
    parents: list[Box] = [find(init, *_PATH[:depth]) for depth in range(1, len(_PATH) + 1)]
    entry = next(boxes(init, parents[-1].body + 8, parents[-1].end))
    there = {each.kind for each in boxes(init, entry.body + _ENTRY_BYTES, entry.end)}
    more = b""
    if screen is not None and b"mdcv" not in there:
        red, green, blue, white = (screen[at : at + 2] for at in (0, 2, 4, 6))
        # In the order of H.265, D.3.28: green, blue, red; units of 0.00002 and 0.0001 cd/m².
        places = [round(50_000 * at) for point in (green, blue, red, white) for at in point]
        least, most = (round(10_000 * each) for each in screen[8:])
        more += box(b"mdcv", struct.pack(">8H2I", *places, most, least))
    if most_nits and b"clli" not in there:
        more += box(b"clli", struct.pack(">2H", most_nits, mean_nits))
    longer = bytearray(init[: entry.end] + more + init[entry.end :])
    for each in (*parents, entry):
        struct.pack_into(">I", longer, each.start, each.end - each.start + len(more))
    return bytes(longer)
