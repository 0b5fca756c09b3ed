"""The DASH manifest of a package, made from its index: the same segments as the playlists.

Static, one period, a ``SegmentTemplate`` with a ``SegmentTimeline`` for each set of tracks that can
be switched between. Not for packages whose segments are encrypted as a whole: DASH has no
word for that (its ``ContentProtection`` is about encrypted samples).

Source: ISO/IEC 23009-1:2022, 5.3 (hierarchical data model), annex B (schema: order of elements)
and 5.8.5.5 (roles); DASH-IF IOP 4.3, 6.2.6 (tiles of thumbnails); ISO/IEC 23001-8 (channels).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import groupby
from uuid import UUID
from xml.etree import ElementTree as ET

from transcode.packaging.index import PresentationIndex, Track
from transcode.packaging.layout import INIT
from transcode.packaging.rates import listed_peak_bps
from transcode.packaging.sampleencryption import SCHEME_OF
from transcode.packaging.sidetracks import WHOLE_TEXT, ImageTrack, TextTrack

_MICROSECONDS = 1_000_000
_ROLES = "urn:mpeg:dash:role:2011"
_SWITCHING = "urn:mpeg:dash:adaptation-set-switching:2016"
_CLEAR_KEY = "urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e"
_CHANNELS = "urn:mpeg:mpegB:cicp:ChannelConfiguration"
_TRANSFER = "urn:mpeg:mpegB:cicp:TransferCharacteristics"
# ISO/IEC 23091-2, table 3: 16 is PQ, 18 is HLG; SDR needs no word.
_TRANSFERS = {"PQ": "16", "HLG": "18"}
_TILES = "http://dashif.org/guidelines/thumbnail_tile"
# ISO/IEC 23001-8, table 8: codes up to 6 are the number of channels, 7.1 is 12.
_CODES = {1: "1", 2: "2", 3: "3", 4: "4", 5: "5", 6: "6", 8: "12"}
_DESCRIBES_VIDEO = "public.accessibility.describes-video"


def print_manifest(index: PresentationIndex) -> str:
    """The text of ``manifest.mpd``.

    Raises:
        ValueError: the segments are encrypted as a whole.
    """
    if index.encryption is not None and index.encryption.is_whole:
        raise ValueError("DASH cannot describe segments that are encrypted as a whole")
    film_s = sum(index.video[0].durations_s)
    root = ET.Element(
        "MPD",
        {
            "xmlns": "urn:mpeg:dash:schema:mpd:2011",
            "type": "static",
            "profiles": "urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019",
            "mediaPresentationDuration": _duration(film_s),
            "minBufferTime": _duration(index.target_duration_s),
        },
    )
    period = ET.SubElement(root, "Period", id="0", start="PT0S")
    if index.encryption is not None:
        root.set("xmlns:cenc", "urn:mpeg:cenc:2013")
    for number, adaptation in enumerate(_adaptations(index)):
        adaptation.set("id", str(number))
        period.append(adaptation)
    ET.indent(root, " ")
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return head + ET.tostring(root, encoding="unicode") + "\n"


def _adaptations(index: PresentationIndex) -> Iterator[ET.Element]:
    """Rungs whose keys differ are sets of their own, which say that players may switch."""
    sets = [list(rungs) for _, rungs in groupby(index.rungs, key=lambda t: _family(index, t))]
    families = [_family(index, rungs[0])[:2] for rungs in sets]
    for number, rungs in enumerate(sets):
        yield _video(
            index,
            rungs,
            others=[
                other
                for other, family in enumerate(families)
                if family == families[number] and other != number
            ],
        )
    for number, track in enumerate(index.audio):
        yield _audio(index, track, is_main=number == 0)
    yield from map(_text, index.text)
    yield from map(_images, index.images)


def _family(index: PresentationIndex, track: Track) -> tuple[str, str, str]:
    """What rungs of a set share: codec and range, without which no player can switch, and key."""
    kid = index.encryption.kid_of(track.folder) if index.encryption else ""
    return track.codecs.partition(".")[0], track.video_range, kid


def _video(
    index: PresentationIndex, rungs: Sequence[Track], *, others: Sequence[int]
) -> ET.Element:
    widest = max(rungs, key=lambda track: track.width)
    adaptation = ET.Element(
        "AdaptationSet",
        {
            "contentType": "video",
            "mimeType": "video/mp4",
            "segmentAlignment": "true",
            "startWithSAP": "1",
            "par": _aspect(widest),
            "maxWidth": str(widest.width),
            "maxHeight": str(max(track.height for track in rungs)),
            "maxFrameRate": _rate(max(track.frame_rate for track in rungs)),
        },
    )
    _protect(adaptation, index, rungs[0])
    if code := _TRANSFERS.get(widest.video_range):
        ET.SubElement(adaptation, "EssentialProperty", schemeIdUri=_TRANSFER, value=code)
    if others:
        # DASH-IF IOP 4.3, 3.8: ids of the sets that are one ladder with this one.
        ids = ",".join(map(str, others))
        ET.SubElement(adaptation, "SupplementalProperty", schemeIdUri=_SWITCHING, value=ids)
    ET.SubElement(adaptation, "Role", schemeIdUri=_ROLES, value="main")
    adaptation.append(_template(rungs[0]))
    for track in rungs:
        ET.SubElement(
            adaptation,
            "Representation",
            {
                "id": track.folder,
                "bandwidth": str(listed_peak_bps(track, index.target_duration_s)),
                "codecs": track.codecs,
                "width": str(track.width),
                "height": str(track.height),
                "sar": "1:1",
                "frameRate": _rate(track.frame_rate),
            },
        )
    return adaptation


def _audio(index: PresentationIndex, track: Track, *, is_main: bool) -> ET.Element:
    adaptation = ET.Element(
        "AdaptationSet",
        {
            "contentType": "audio",
            "mimeType": "audio/mp4",
            "segmentAlignment": "true",
            "startWithSAP": "1",
        },
    )
    if track.language:
        adaptation.set("lang", track.language)
    if code := _CODES.get(track.channels):
        ET.SubElement(adaptation, "AudioChannelConfiguration", schemeIdUri=_CHANNELS, value=code)
    _protect(adaptation, index, track)
    if track.name:
        ET.SubElement(adaptation, "Label").text = track.name
    role = "main" if is_main else "alternate"
    if _DESCRIBES_VIDEO in track.characteristics:
        # TV-Anytime's AudioPurposeCS: 1 is "audio description for the visually impaired".
        scheme = "urn:tva:metadata:cs:AudioPurposeCS:2007"
        ET.SubElement(adaptation, "Accessibility", schemeIdUri=scheme, value="1")
        role = "description"
    ET.SubElement(adaptation, "Role", schemeIdUri=_ROLES, value=role)
    adaptation.append(_template(track))
    ET.SubElement(
        adaptation,
        "Representation",
        {
            "id": track.folder,
            "bandwidth": str(listed_peak_bps(track, index.target_duration_s)),
            "codecs": track.codecs,
        },
    )
    return adaptation


def _protect(adaptation: ET.Element, index: PresentationIndex, track: Track) -> None:
    """Which scheme and which key (5.8.4.1; ISO/IEC 23001-7, 11.2), and that Clear Key may have it.

    Its id (DASH-IF IOP 4.3, 7.6.2.4) is not that of the common ``pssh``: dash.js fails on that.
    deviation: no ``dashif:Laurl`` says where licences are: shaka-player and dash.js take a relative
    one from where their page is, and shaka-player then heeds no other that the page gives it.
    """
    if index.encryption is None:
        return
    kid = index.encryption.kid_of(track.folder)
    ET.SubElement(
        adaptation,
        "ContentProtection",
        {
            "schemeIdUri": "urn:mpeg:dash:mp4protection:2011",
            "value": SCHEME_OF[index.encryption.method],
            "cenc:default_KID": str(UUID(kid)),
        },
    )
    ET.SubElement(adaptation, "ContentProtection", schemeIdUri=_CLEAR_KEY, value="ClearKey1.0")


def _text(track: TextTrack) -> ET.Element:
    """One file for the whole film: no player has to agree on how plain WebVTT is cut."""
    adaptation = ET.Element("AdaptationSet", {"contentType": "text", "mimeType": "text/vtt"})
    if track.language:
        adaptation.set("lang", track.language)
    ET.SubElement(adaptation, "Label").text = track.name
    role = "caption" if track.hearing_impaired else "subtitle"
    role = "forced-subtitle" if track.forced else role
    ET.SubElement(adaptation, "Role", schemeIdUri=_ROLES, value=role)
    one = ET.SubElement(adaptation, "Representation", id=track.folder, bandwidth="1000")
    ET.SubElement(one, "BaseURL").text = f"{track.folder}/{WHOLE_TEXT}"
    return adaptation


def _images(track: ImageTrack) -> ET.Element:
    adaptation = ET.Element("AdaptationSet", {"contentType": "image", "mimeType": "image/jpeg"})
    lasts_s = track.per_image * track.interval_s
    ET.SubElement(
        adaptation,
        "SegmentTemplate",
        {
            "media": "$RepresentationID$/$Number%05d$.jpg",
            "startNumber": "0",
            "timescale": str(_MICROSECONDS),
            "duration": str(round(lasts_s * _MICROSECONDS)),
        },
    )
    one = ET.SubElement(
        adaptation,
        "Representation",
        {
            "id": track.folder,
            "bandwidth": str(math.ceil(8 * max(track.sizes_bytes) / lasts_s)),
            "width": str(track.columns * track.width),
            "height": str(track.rows * track.height),
        },
    )
    tiles = f"{track.columns}x{track.rows}"
    ET.SubElement(one, "EssentialProperty", schemeIdUri=_TILES, value=tiles)
    return adaptation


def _template(track: Track) -> ET.Element:
    timescale = track.timescale or _MICROSECONDS
    template = ET.Element(
        "SegmentTemplate",
        {
            "timescale": str(timescale),
            "initialization": f"$RepresentationID$/{INIT}",
            "media": "$RepresentationID$/$Number%05d$.m4s",
            "startNumber": "0",
        },
    )
    timeline = ET.SubElement(template, "SegmentTimeline")
    units = (round(duration_s * timescale) for duration_s in track.durations_s)
    for number, (duration, run) in enumerate(groupby(units)):
        entry = ET.SubElement(timeline, "S", {} if number else {"t": "0"})
        entry.set("d", str(duration))
        # 5.3.9.6: how many more of the same follow.
        if more := len(list(run)) - 1:
            entry.set("r", str(more))
    return template


def _aspect(track: Track) -> str:
    """Such as ``16:9``: the simplest ratio within a pixel of the size."""
    for denominator in range(1, 101):
        numerator = round(track.width * denominator / track.height)
        if numerator and abs(track.width - track.height * numerator / denominator) <= 1:
            return f"{numerator}:{denominator}"
    ratio = Fraction(track.width, track.height)
    return f"{ratio.numerator}:{ratio.denominator}"


def _rate(frame_rate: float) -> str:
    """Such as ``24`` or ``24000/1001``."""
    rate = Fraction(frame_rate).limit_denominator(1001)
    return str(rate.numerator) if rate.denominator == 1 else f"{rate.numerator}/{rate.denominator}"


def _duration(seconds: float) -> str:
    """ISO 8601, to the microsecond."""
    return f"PT{f'{seconds:.6f}'.rstrip('0').rstrip('.')}S"
