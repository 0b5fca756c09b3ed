"""The playlists of a package, made from its index.

Every tag and attribute that is served is chosen here; the figures come from the index, and
``playlist`` prints the text.

Source: Apple's HLS authoring specification, items 1.32 (default variant), 8.2, 8.9, 8.10
and 9.1 to 9.15; RFC 8216bis, 4.4.4.4 and 4.4.4.5 for keys.
"""

from __future__ import annotations

import math
from dataclasses import replace

from transcode.encoders.video import h264_bits
from transcode.encryption import segment_iv
from transcode.packaging.dash import print_manifest
from transcode.packaging.index import Encryption, PresentationIndex, Track
from transcode.packaging.layout import (
    IFRAMES,
    INIT,
    LICENCE,
    MANIFEST,
    MULTIVARIANT,
    PLAYLIST,
    segment_name,
)
from transcode.packaging.rates import mean_bps, run_peak_bps
from transcode.packaging.sidetracks import (
    THUMBNAILS,
    ImageTrack,
    TextTrack,
    image_name,
    text_name,
    thumbnail_texts,
)
from transcode.playlist import (
    CLEAR_KEY,
    ByteRange,
    Key,
    Map,
    MediaPlaylist,
    MultivariantPlaylist,
    Rendition,
    Segment,
    Tiles,
    TrickPlayVariant,
    Variant,
    print_media,
    print_multivariant,
    vod_playlist,
)

TEXT_GROUP = "subs"
DEFAULT_START_BPS = 2_000_000
"""Apple's item 1.32: the variant whose average is nearest this is listed first."""
_LEAST_SCORE = 0.001
"""SCORE is above zero (RFC 8216bis, 4.4.6.2), and printed in thousandths."""


def default_rung(index: PresentationIndex) -> int:
    """The rung listed first: its average is nearest 2 Mbit/s by ratio, the lower on a tie."""

    def distance(rung: int) -> float:
        return abs(math.log(index.average_bandwidth_bps(rung) / DEFAULT_START_BPS))

    return min(range(len(index.video)), key=distance)


def multivariant_of(index: PresentationIndex) -> MultivariantPlaylist:
    """The playlist of all variants: the default one first, the others ascending.

    Where there are several groups of audio, each rung is listed with each of them; those of
    the first group, which every player can play, come first.
    Ladders in further codecs follow in each group: a player that takes the codec of the first
    variant has a whole ladder of it.
    """
    first = default_rung(index)
    scores = _scores(index)
    order = [first, *(rung for rung in range(len(index.rungs)) if rung != first)]
    groups = index.audio_groups or (None,)
    return MultivariantPlaylist(
        variants=tuple(
            _variant(index, rung, group, score=scores[rung]) for group in groups for rung in order
        ),
        renditions=(
            *(
                _rendition(track, group, default=number == 0)
                for group in index.audio_groups
                for number, track in enumerate(index.audio_of(group))
            ),
            *map(_text_rendition, index.text),
        ),
        independent_segments=True,
        version=6,
        iframe_variants=tuple(
            _iframe_variant(index, track, score=score)
            for track, score in zip(index.rungs, scores, strict=True)
            if track.key_frames
        ),
        image_variants=tuple(map(_image_variant, index.images)),
    )


def _scores(index: PresentationIndex) -> list[float]:
    """SCORE of every rung: its mean quality where that was measured, else its place.

    Scores of pictures of different dynamic ranges cannot be compared, so where there are
    several, places count.
    """
    ranges = {track.video_range for track in index.rungs}
    if index.quality is None or len(ranges) > 1:
        return _places(index)
    return [max(each.mean, _LEAST_SCORE) for each in index.quality.tracks]


def _places(index: PresentationIndex) -> list[float]:
    """Place of every rung: from 1 for the lowest, and half as much again for a high range.

    Ladders of several codecs that are equally long were made for the same pictures, place by
    place. Others are ranked together by the bits that H.264 would need for their pictures.
    """
    kinds = [track.codecs.partition(".")[0] for track in index.rungs]
    if len(set(map(kinds.count, kinds))) == 1:
        places = [kinds[:rung].count(kind) for rung, kind in enumerate(kinds)]
    else:
        worth = [h264_bits(track.codecs, mean_bps(track)) for track in index.rungs]
        places = [sum(other < own for other in worth) for own in worth]
    return [
        1 + place + (0.5 if track.video_range != "SDR" else 0.0)
        for place, track in zip(places, index.rungs, strict=True)
    ]


def _variant(index: PresentationIndex, rung: int, group: str | None, *, score: float) -> Variant:
    track = index.rungs[rung]
    codecs = dict.fromkeys([track.codecs, *(audio.codecs for audio in index.audio_of(group))])
    return Variant(
        uri=f"{track.folder}/{PLAYLIST}",
        bandwidth_bps=index.bandwidth_bps(rung, group),
        average_bandwidth_bps=index.average_bandwidth_bps(rung, group),
        codecs=",".join(codecs),
        width=track.width,
        height=track.height,
        frame_rate=track.frame_rate,
        video_range=track.video_range,
        audio_group=group,
        subtitles_group=TEXT_GROUP if index.text else None,
        closed_captions="NONE",
        score=score,
    )


def _iframe_variant(index: PresentationIndex, track: Track, *, score: float) -> TrickPlayVariant:
    frames = track.key_frames
    average_bps = 8 * sum(frame.size_bytes for frame in frames) / sum(track.durations_s)
    return TrickPlayVariant(
        uri=f"{track.folder}/{IFRAMES}",
        bandwidth_bps=run_peak_bps(frames, index.target_duration_s),
        average_bandwidth_bps=math.ceil(average_bps),
        codecs=track.codecs,
        width=track.width,
        height=track.height,
        video_range=track.video_range,
        score=score,
    )


def _rendition(track: Track, group: str, *, default: bool) -> Rendition:
    return Rendition(
        type="AUDIO",
        group_id=group,
        name=track.name or track.language or track.folder,
        language=track.language,
        uri=f"{track.folder}/{PLAYLIST}",
        channels=str(track.channels),
        default=default,
        # RFC 8216bis, 4.4.6.1: AUTOSELECT must be YES where DEFAULT is.
        autoselect=default or track.autoselect,
        characteristics=track.characteristics or None,
    )


def media_playlist_of(index: PresentationIndex, track: Track) -> MediaPlaylist:
    """The playlist of one track: bitrates from its sizes, keys where periods change.

    Keys of whole files carry an IV where the index says so; else a segment's is its sequence
    number. The key that encrypts the initialisation section has one of its own, as RFC 8216bis,
    4.4.4.5 demands. Keys of samples stand before EXT-X-MAP: players then ask for a licence
    before they have read what the section says.
    """
    encryption = index.encryption
    section = _section(index, track)
    playlist = vod_playlist(
        Segment(
            uri=segment_name(number, index.container),
            duration_s=round(facts.duration_s, 6),  # what the text can hold
            key=_segment_key(encryption, track, number) if encryption else None,
            map=section,
            bitrate_kbps=max(1, round(8 * facts.size_bytes / facts.duration_s / 1000)),
        )
        for number, facts in enumerate(track.segments)
    )
    return replace(playlist, target_duration_s=index.target_duration_s)


def iframe_playlist_of(index: PresentationIndex, track: Track) -> MediaPlaylist:
    """The playlist of one rung's key frames alone: byte ranges of its segments.

    A rung whose segments are encrypted as a whole has none: in CBC mode a part of a file
    cannot be decrypted by what a playlist can say (RFC 8216bis, 5.2). In transport streams
    players find the programme tables at the head of each segment (4.4.3.6).
    """
    section = _section(index, track)
    encryption = index.encryption
    playlist = vod_playlist(
        (
            Segment(
                uri=segment_name(number, index.container),
                duration_s=round(frame.duration_s, 6),
                key=_segment_key(encryption, track, number) if encryption else None,
                byte_range=ByteRange(frame.offset_bytes, frame.size_bytes),
                map=section,
            )
            for number, facts in enumerate(track.segments)
            for frame in facts.key_frames
        ),
        iframes_only=True,
    )
    return replace(playlist, target_duration_s=index.target_duration_s)


def _text_rendition(track: TextTrack) -> Rendition:
    return Rendition(
        type="SUBTITLES",
        group_id=TEXT_GROUP,
        name=track.name,
        language=track.language,
        uri=f"{track.folder}/{PLAYLIST}",
        autoselect=True,
        forced=track.forced,
        characteristics=track.characteristics,
    )


def text_playlist_of(index: PresentationIndex, track: TextTrack) -> MediaPlaylist:
    """The playlist of subtitles: boundaries and length of the video."""
    playlist = vod_playlist(
        Segment(uri=text_name(number), duration_s=round(facts.duration_s, 6))
        for number, facts in enumerate(index.video[0].segments)
    )
    return replace(playlist, target_duration_s=index.target_duration_s)


def image_playlist_of(index: PresentationIndex, track: ImageTrack) -> MediaPlaylist:
    """The playlist of thumbnails; the last image lasts to the end of the film."""
    full_s = track.per_image * track.interval_s
    film_s = sum(index.video[0].durations_s)
    tiles = Tiles(track.width, track.height, track.columns, track.rows, round(track.interval_s, 6))
    return vod_playlist(
        (
            Segment(
                uri=image_name(number),
                duration_s=round(min(full_s, film_s - number * full_s), 6),
                tiles=tiles,
            )
            for number in range(len(track.sizes_bytes))
        ),
        images_only=True,
    )


def _image_variant(track: ImageTrack) -> TrickPlayVariant:
    lasts_s = track.per_image * track.interval_s
    return TrickPlayVariant(
        uri=f"{track.folder}/{PLAYLIST}",
        bandwidth_bps=math.ceil(8 * max(track.sizes_bytes) / lasts_s),
        codecs="jpeg",
        width=track.width,
        height=track.height,
    )


def texts_of(index: PresentationIndex) -> dict[str, str]:
    """Every file of the package that follows from its index, by relative path."""
    texts = {MULTIVARIANT: print_multivariant(multivariant_of(index))}
    for track in index.tracks:
        texts[f"{track.folder}/{PLAYLIST}"] = print_media(media_playlist_of(index, track))
        if track.key_frames:
            texts[f"{track.folder}/{IFRAMES}"] = print_media(iframe_playlist_of(index, track))
    if index.dash:
        texts[MANIFEST] = print_manifest(index)
    for text in index.text:
        texts[f"{text.folder}/{PLAYLIST}"] = print_media(text_playlist_of(index, text))
    for images in index.images:
        texts[f"{images.folder}/{PLAYLIST}"] = print_media(image_playlist_of(index, images))
        film_s = sum(index.video[0].durations_s)
        texts[f"{images.folder}/{THUMBNAILS}"] = thumbnail_texts(images, film_s)
    return texts


def _section(index: PresentationIndex, track: Track) -> Map | None:
    """Where the initialisation section is, with the key in force before it."""
    encryption = index.encryption
    if index.container == "ts":
        return None
    if encryption is None:
        return Map(uri=INIT)
    if not encryption.is_whole:
        return Map(uri=INIT, key=_segment_key(encryption, track, 0))
    if not encryption.seals_init:
        return Map(uri=INIT)
    uri = key_uri(encryption.kid_of(track.folder))
    return Map(uri=INIT, key=Key(method=encryption.method, uri=uri, iv=init_iv(track.folder)))


def _segment_key(encryption: Encryption, track: Track, segment: int) -> Key:
    kid = encryption.kid_of(track.folder, segment)
    if encryption.is_whole:
        iv = segment_iv(kid, track.folder, segment) if encryption.explicit_iv else None
        return Key(method=encryption.method, uri=key_uri(kid), iv=iv)
    # hls.js keeps keys by URI, so that each has one of its own.
    return Key(
        method=encryption.method,
        uri=f"../{LICENCE}?kid={kid}",
        kid=kid,
        keyformat=CLEAR_KEY,
        keyformat_versions="1",
    )


def key_uri(kid: str) -> str:
    """Where a media playlist finds the key ``kid``."""
    return f"../key/{kid}"


def init_iv(folder: str) -> bytes:
    """The initialisation vector of a track's initialisation section, another for each folder.

    The top bit is set, so that it never equals a media sequence number (64 bits).
    """
    return b"\x80init" + folder.encode().rjust(11, b"\0")[-11:]
