"""A presentation given whole, played as if its playlists were fetched and read.

Requests name what they ask for under a scheme of their own, because there is no server.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import accumulate

import numpy as np

from abr.media import Presentation, SideFiles
from player.playback.actions import KeyUse
from player.playback.ladder import Place, Rung
from player.playback.sizes import fill_known_sizes
from player.playback.timeline import InitRef, SegmentRef, Timeline

KNOWN_SOURCE = "presentation:"
"""Where what belongs to a given ``Presentation`` is asked for: ``presentation:v2/17`` is a
segment, ``presentation:audio/17`` its audio; side files are ``presentation:multivariant``,
``presentation:v2/playlist``, ``presentation:v2/init`` and ``presentation:key/0``."""

AUDIO = -1
"""In place of a rung: the audio."""


def presentation_known(given: Presentation, read: Collection[int]) -> Presentation:
    """``given`` as a player knows it that has read the media playlists of the rungs ``read``."""
    side = given.side_files
    if side is None:
        return given
    sizes = np.empty(given.sizes_bytes.shape)
    fill_known_sizes(
        sizes, side.listed_sizes_bytes, side.listed_rates_bps, sum(1 << rung for rung in read)
    )
    return replace(given, sizes_bytes=sizes, side_files=None)


def given_rungs(given: Presentation) -> list[Rung]:
    """The ladder of a given presentation."""
    audio = None if given.audio_sizes_bytes is None else f"{KNOWN_SOURCE}audio/playlist"
    return [
        Rung(
            bitrate_bps=float(rate_bps),
            is_first=rung == given.listed_first,
            places=(Place(video_url=f"{KNOWN_SOURCE}v{rung}/playlist", audio_url=audio),),
        )
        for rung, rate_bps in enumerate(given.bitrates_bps)
    ]


def given_timeline(given: Presentation, rung: int) -> Timeline:
    """The segments of one rung, or of the audio, and what each needs beside itself."""
    folder = KNOWN_SOURCE + ("audio" if rung == AUDIO else f"v{rung}")
    lasting_s = given.durations_s
    if rung == AUDIO and given.audio_durations_s is not None:
        lasting_s = given.audio_durations_s
    durations = lasting_s.tolist()
    bounds = list(accumulate(durations, initial=0.0))
    side = given.side_files
    keys = [-1] * len(durations) if side is None or side.keys is None else side.keys.tolist()
    return Timeline(
        [
            SegmentRef(
                index=index,
                url=f"{folder}/{index}",
                byte_range=None,
                duration_s=duration_s,
                start_s=bounds[index],
                end_s=bounds[index + 1],
                bitrate_bps=None,
                init=_given_init(side, rung, folder),
                key=_given_key(keys[index]),
            )
            for index, duration_s in enumerate(durations)
        ]
    )


def given_timelines(given: Presentation) -> dict[str, Timeline]:
    """All of them by the URLs of their playlists."""
    rungs = given_rungs(given)
    found = {rung.places[0].video_url: given_timeline(given, n) for n, rung in enumerate(rungs)}
    audio_url = rungs[0].places[0].audio_url
    if audio_url is not None:
        found[audio_url] = given_timeline(given, AUDIO)
    return found


def _given_init(side: SideFiles | None, rung: int, folder: str) -> InitRef | None:
    if side is None or not side_init_bytes(side, rung):
        return None
    return InitRef(url=f"{folder}/init", byte_range=None, key=_given_key(side.init_key))


def side_init_bytes(side: SideFiles, rung: int) -> float:
    """Size of the initialisation section of one rung, or of the audio."""
    return side.audio_init_bytes if rung == AUDIO else float(side.init_bytes[rung])


def _given_key(number: float) -> KeyUse | None:
    return KeyUse(f"{KNOWN_SOURCE}key/{number:.0f}", b"") if number >= 0 else None
