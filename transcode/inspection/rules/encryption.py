"""Rules over encryption: methods, vectors, patterns, and that tags say what files hold."""

from __future__ import annotations

from collections.abc import Iterator

from transcode.inspection.facts import MediaFacts, PackageFacts
from transcode.inspection.playlists import ListedKey
from transcode.inspection.rules.rule import Breach, Rule, at_line

METHODS = ("AES-128", "SAMPLE-AES", "SAMPLE-AES-CTR")
FAIRPLAY = "com.apple.streamingkeydelivery"
_SCHEMES = {"SAMPLE-AES": "cbcs", "SAMPLE-AES-CTR": "cenc"}
_BLOCK_BYTES = 16
_SLICED = ("avc1", "avc3", "hvc1", "hev1", "av01")


def _keys(media: MediaFacts) -> Iterator[ListedKey]:
    seen: set[int] = set()
    for segment in media.listed.segments:
        for key in (*segment.keys, *(segment.map.keys if segment.map else ())):
            if key.line not in seen:
                seen.add(key.line)
                yield key


def _method(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        for key in _keys(media):
            if key.method not in METHODS:
                yield Breach(
                    file=media.name,
                    place=at_line(key.line),
                    measured=f"METHOD={key.method[:20]}",
                    allowed=", ".join(METHODS),
                )


def _vector(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        seen: dict[tuple[str | None, bytes], int] = {}
        for number, segment in enumerate(media.listed.segments):
            key = next((each for each in segment.keys if each.method == "AES-128"), None)
            if key is None:
                continue
            vector = key.iv if key.iv is not None else segment.sequence.to_bytes(16, "big")
            first = seen.setdefault((key.uri, vector), number)
            same_file = media.listed.segments[first].uri == segment.uri
            if first != number and not (same_file and segment.byte_range is None):
                yield Breach(
                    file=media.name,
                    place=media.place(number),
                    measured=f"key and initialisation vector of segment {first}",
                    allowed="another vector for every segment of a key",
                )
                break


def _init_vector(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        told: set[int] = set()
        for segment in media.listed.segments:
            section = segment.map
            if section is None or section.line in told:
                continue
            told.add(section.line)
            if any(key.method == "AES-128" and key.iv is None for key in section.keys):
                yield Breach(
                    file=media.name,
                    place=at_line(section.line),
                    measured="an encrypted initialisation section without an IV",
                    allowed="an IV attribute in the EXT-X-KEY before EXT-X-MAP",
                )


def _padding(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        for number, segment in enumerate(media.listed.segments):
            size = media.segments[number].size_bytes
            if size and size % _BLOCK_BYTES and any(k.method == "AES-128" for k in segment.keys):
                yield Breach(
                    file=media.name,
                    place=media.place(number),
                    measured=f"{size:,} bytes",
                    allowed=f"a multiple of {_BLOCK_BYTES} (AES-128 with PKCS7 padding)",
                )
                break


def _scheme(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        for number, segment in enumerate(media.listed.segments):
            init = media.init_of(segment)
            if init is None or not init.tracks:
                continue
            stated = {_SCHEMES.get(key.method, "") for key in segment.keys} - {""}
            actual = {track.scheme for track in init.tracks if track.scheme}
            facts = media.segments[number]
            if any(stretch.is_clear for stretch in facts.stretches):
                clear = {each.track for each in facts.stretches if each.is_clear}
                actual = {t.scheme for t in init.tracks if t.scheme and t.id not in clear}
            plain = any(key.method == "AES-128" for key in segment.keys)
            if not plain and stated != actual:
                yield Breach(
                    file=media.name,
                    place=at_line(segment.line),
                    measured=f"{_keys_for(stated)}; the samples are {_words(actual)}",
                    allowed="EXT-X-KEY that says how samples are encrypted",
                )
                break


def _keys_for(schemes: set[str]) -> str:
    return f"a key for {_words(schemes)}" if schemes else "no key for encrypted samples"


def _words(schemes: set[str]) -> str:
    return " and ".join(sorted(schemes)) or "clear"


def _pattern(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        for track in media.tracks():
            if track.scheme != "cbcs" or track.kind != "video" or track.entry not in _SLICED:
                continue
            if track.pattern != (1, 9):
                found = "none" if track.pattern is None else ":".join(map(str, track.pattern))
                yield Breach(
                    file=media.name, measured=f"pattern {found}", allowed="1:9 (encrypt:skip)"
                )


def _counter_mode(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        if any(key.method == "SAMPLE-AES-CTR" for key in _keys(media)):
            yield Breach(
                file=media.name,
                measured="METHOD=SAMPLE-AES-CTR (cenc)",
                allowed="SAMPLE-AES (cbcs), which Apple devices play too",
            )


def _fairplay(package: PackageFacts) -> Iterator[Breach]:
    for media in package.media():
        for key in _keys(media):
            is_fairplay = key.keyformat == FAIRPLAY or (key.uri or "").startswith("skd:")
            if not is_fairplay:
                continue
            if key.method != "SAMPLE-AES" or key.keyformat != FAIRPLAY:
                yield Breach(
                    file=media.name,
                    place=at_line(key.line),
                    measured=f"METHOD={key.method}, KEYFORMAT={key.keyformat}",
                    allowed=f"METHOD=SAMPLE-AES, KEYFORMAT={FAIRPLAY}",
                )


def _hdcp(package: PackageFacts) -> Iterator[Breach]:
    for variant in package.variants:
        size, media = variant.listed.size, variant.media
        if size is None or media is None or min(size) < 720:
            continue
        protected = any(key.keyformat == FAIRPLAY for key in _keys(media))
        if protected and "HDCP-LEVEL" not in variant.listed.attributes:
            yield Breach(
                file=package.name,
                place=at_line(variant.listed.line),
                measured="no HDCP-LEVEL on a protected HD variant",
                allowed="TYPE-0 (HD) or TYPE-1 (over HD)",
            )


RULES = (
    Rule(
        id="key-method",
        clauses=("RFC 4.4.4.4",),
        severity="violation",
        text="The method of encryption is one that HLS knows.",
        remedy="use AES-128, SAMPLE-AES or SAMPLE-AES-CTR",
        needs="playlists",
        check=_method,
    ),
    Rule(
        id="vector-unique",
        clauses=("RFC 5.2",),
        severity="warning",
        text="No two segments of a key share an initialisation vector (AES-128).",
        remedy="leave IV out, so that the media sequence number counts, or change it each time",
        needs="playlists",
        check=_vector,
    ),
    Rule(
        id="init-vector",
        clauses=("RFC 4.4.4.5",),
        severity="violation",
        text="An encrypted initialisation section (AES-128) has an explicit IV.",
        remedy="write IV in the EXT-X-KEY before EXT-X-MAP, or move EXT-X-MAP before the key",
        needs="playlists",
        check=_init_vector,
    ),
    Rule(
        id="padding",
        clauses=("RFC 5.2",),
        severity="violation",
        text="Segments under AES-128 are whole blocks of 16 bytes.",
        remedy="encrypt whole files with PKCS7 padding",
        needs="sizes",
        check=_padding,
    ),
    Rule(
        id="scheme",
        clauses=("RFC 4.4.4.4",),
        severity="violation",
        text="EXT-X-KEY says how samples are encrypted, and only then.",
        remedy="SAMPLE-AES for cbcs, SAMPLE-AES-CTR for cenc, NONE for clear samples",
        needs="media",
        check=_scheme,
    ),
    Rule(
        id="pattern",
        clauses=("Apple 13.7",),
        severity="violation",
        text="Video under cbcs is encrypted in a pattern of 1:9.",
        remedy="encrypt one block in ten",
        needs="media",
        check=_pattern,
    ),
    Rule(
        id="no-counter-mode",
        clauses=("Apple 13.11",),
        severity="note",
        text="SAMPLE-AES-CTR is not used: Apple devices cannot play it.",
        remedy="use cbcs (SAMPLE-AES), unless Apple devices do not matter",
        needs="playlists",
        check=_counter_mode,
    ),
    Rule(
        id="fairplay",
        clauses=("Apple 13.2", "Apple 13.3"),
        severity="violation",
        text="FairPlay keys have METHOD=SAMPLE-AES and Apple's KEYFORMAT.",
        remedy=f"write METHOD=SAMPLE-AES and KEYFORMAT={FAIRPLAY}",
        needs="playlists",
        check=_fairplay,
    ),
    Rule(
        id="hdcp-level",
        clauses=("Apple 13.5", "Apple 13.6"),
        severity="note",
        text="Protected HD variants state HDCP-LEVEL.",
        remedy="add HDCP-LEVEL=TYPE-0 or TYPE-1",
        needs="playlists",
        check=_hdcp,
    ),
)
