"""What is missing behind the end of a master that was cut off.

What headers say of lengths is not believed elsewhere. Where the file ends before its container
says so, it is all there is to tell how much was lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from transcode.masters.damage import TrackDamage, end_note
from transcode.masters.fields import whole
from transcode.masters.master import Master
from transcode.masters.packets import CORRUPT, Packets
from transcode.masters.stream import streams_of
from transcode.masters.timing import seconds

_LITTLE_S = 0.03
"""Less than this is how containers round, or a frame of sound."""
_SAYS_END = ("matroska", "flv")
"""Formats whose length is the time of the end, wherever the beginning is."""


def ends_broken(packets: Mapping[int, Packets]) -> bool:
    """Whether the last packet of the file is incomplete."""
    held = [each for each in packets.values() if each.count]
    if not held:
        return False
    last = max(held, key=lambda each: int(each.places[-1]))
    return bool(last.flags[-1] & CORRUPT)


def with_missing_end(
    master: Master,
    probed: Mapping[str, Any],
    packets: Mapping[int, Packets],
    *,
    missing_share: float = 0.0,
) -> Master:
    """``master``, of a file that is cut off, with what is missing of the streams that are used.

    Args:
        master: It was decoded from end to end.
        probed: ffprobe's description of the file.
        packets: That the file holds, by number of the stream.
        missing_share: Bytes that are missing at the least, over those that are there: tells where
            the container knows its size and not its length.
    """
    found = tuple(_damage(master, probed, packets, missing_share))
    return replace(
        master, damage=found, notes=(*master.notes, *(end_note(x) for x in found if x.is_cut_off))
    )


def _damage(
    master: Master, probed: Mapping[str, Any], packets: Mapping[int, Packets], missing_share: float
) -> Iterator[TrackDamage]:
    indices = [master.index, *(index for sound in master.sounds for index in sound.indices)]
    streams = {whole(each.get("index")): each for each in probed.get("streams", ())}
    timing = master.timing
    assert timing is not None  # the master was measured
    for index, each in zip(indices, master.damage or (), strict=True):
        ends_s = next((t.end_s for t in timing.sounds if t.index == index), timing.picture.end_s)
        held_s = packets[index].span_s
        lacks_s = _stated_s(streams[index], probed, packets[index]) - held_s
        if lacks_s < _LITTLE_S:
            lacks_s = missing_share * held_s
        yield replace(each, is_cut_off=True, ends_s=ends_s, lacks_s=lacks_s)
    lost = [each for each in streams_of(probed) if each.kind == "audio"]
    if not master.sounds and lost:
        # All of it lay behind the cut.
        stated_s = max(seconds(each.described) for each in lost) or master.duration_s
        yield TrackDamage(
            what="sound", count=0, of=0, longest_s=0.0, total_s=0.0, places_s=(),
            is_cut_off=True, lacks_s=stated_s,
        )  # fmt: skip


def _stated_s(stream: Mapping[str, Any], probed: Mapping[str, Any], packets: Packets) -> float:
    shown = probed.get("format", {})
    stated_s = seconds(stream) or seconds(shown)
    times_s = packets.pts_s[~np.isnan(packets.pts_s)]
    first_s = float(times_s.min()) if len(times_s) else 0.0
    says_end = str(shown.get("format_name", "")).startswith(_SAYS_END)
    return stated_s - first_s if says_end and 0 < first_s < stated_s else stated_s
