"""Rules over how servers deliver: types, compression, redirects. Nothing on a disk is delivered."""

from __future__ import annotations

from collections.abc import Iterator

from transcode.inspection.facts import Delivery, PackageFacts
from transcode.inspection.rules.rule import Breach, Rule

PLAYLIST_TYPES = ("application/vnd.apple.mpegurl", "audio/mpegurl")
_SEGMENT_TYPES = {
    "ts": ("video/mp2t",),
    "fmp4": ("video/mp4", "audio/mp4", "video/iso.segment", "application/mp4"),
    "aac": ("audio/aac", "audio/mpeg", "audio/ac3", "audio/eac3"),
    "vtt": ("text/vtt", "text/plain"),
}


def _playlists(package: PackageFacts) -> Iterator[tuple[str, Delivery]]:
    if package.delivery is not None:
        yield package.name, package.delivery
    for media in package.media():
        if media.delivery is not None:
            yield media.name, media.delivery


def _known(package: PackageFacts) -> Iterator[Breach]:
    for name, delivery in _playlists(package):
        path = name.lower()
        if delivery.content_type not in PLAYLIST_TYPES and not path.endswith((".m3u8", ".m3u")):
            yield Breach(
                file=name,
                measured=f"Content-Type {delivery.content_type or 'absent'}, and another ending",
                allowed=f"{PLAYLIST_TYPES[0]}, or a path that ends in .m3u8",
            )


def _types(package: PackageFacts) -> Iterator[Breach]:
    for name, delivery in _playlists(package):
        if delivery.content_type not in PLAYLIST_TYPES:
            yield Breach(
                file=name,
                measured=f"Content-Type {delivery.content_type or 'absent'}",
                allowed=PLAYLIST_TYPES[0],
            )
    for media in package.media():
        first = media.segment_delivery
        container = media.segments[0].container if media.segments else ""
        wanted = _SEGMENT_TYPES.get(container)
        if first is not None and wanted and first.content_type not in wanted:
            yield Breach(
                file=media.name,
                place=media.place(0),
                measured=f"Content-Type {first.content_type or 'absent'}",
                allowed=" or ".join(wanted),
            )


def _compressed(package: PackageFacts) -> Iterator[Breach]:
    plain = [name for name, delivery in _playlists(package) if delivery.encoding != "gzip"]
    if plain:
        yield Breach(
            file=plain[0],
            measured=f"{len(plain)} playlists without Content-Encoding",
            allowed="gzip, which was offered",
        )


def _redirected(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        delivery = media.segment_delivery
        if delivery is not None and delivery.was_redirected:
            yield Breach(
                file=media.name,
                place=media.place(0),
                measured="a redirect",
                allowed="segments at the address that is listed",
            )


RULES = (
    Rule(
        id="playlist-known",
        clauses=("RFC 4",),
        severity="violation",
        text="A playlist is known by its type or by its ending, .m3u8.",
        remedy="set the Content-Type of playlists on the server",
        needs="playlists",
        check=_known,
    ),
    Rule(
        id="content-types",
        clauses=("Apple 10.4",),
        severity="warning",
        text="Playlists and segments have the recommended content types.",
        remedy="set the types on the server; browsers may refuse others",
        needs="playlists",
        check=_types,
    ),
    Rule(
        id="playlists-compressed",
        clauses=("Apple 10.1",),
        severity="warning",
        text="Playlists are delivered with gzip.",
        remedy="switch compression of playlists on",
        needs="playlists",
        check=_compressed,
    ),
    Rule(
        id="segments-direct",
        clauses=("Apple 8.18",),
        severity="warning",
        text="Segments are delivered without redirects.",
        remedy="list the final addresses",
        needs="media",
        check=_redirected,
    ),
)
