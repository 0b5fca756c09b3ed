"""Which key opens what a playlist lists, and whether this player can get it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from abr.errors import PlaybackError
from player.playback.actions import KeyUse, Method
from transcode.encryption import iv_for
from transcode.playlist import CLEAR_KEY, IDENTITY, Key, Map, Segment

METHODS: Mapping[str, Method] = {
    "AES-128": "AES-128",
    "SAMPLE-AES": "SAMPLE-AES",
    "SAMPLE-AES-CTR": "SAMPLE-AES-CTR",
}
SYSTEMS: Mapping[str, str] = {
    "com.apple.streamingkeydelivery": "FairPlay",
    "com.microsoft.playready": "PlayReady",
    "urn:uuid:9a04f079-9840-4286-ab92-e65be0885f95": "PlayReady",
    "urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed": "Widevine",
    "com.widevine": "Widevine",
    "urn:uuid:94ce86fb-07ff-4f43-adb8-93d2fa968ca2": "FairPlay",
    "urn:uuid:f239e769-efa3-4850-9c16-a903c6932efb": "Adobe Primetime",
    "urn:uuid:5e629af5-38da-4063-8977-97ffbd9902d4": "Marlin",
    "urn:uuid:9a27dd82-fde2-4725-8cbc-4234aa06ec09": "Verimatrix",
    "urn:uuid:3d5e6d35-9b9a-41e8-b843-dd3c6e72c42c": "WisePlay",
    "com.huawei.wiseplay": "WisePlay",
}
"""Systems of other players by their KEYFORMAT in lower case."""


Absolute = Callable[[str], str]
"""Makes URIs of one playlist absolute."""


def section_key(section: Map, absolute: Absolute) -> KeyUse | None:
    """What decrypts an initialisation section; None when it is in the clear.

    Raises:
        PlaybackError: another player is needed.
    """
    # Whole files only; encrypted samples have a section in the clear, which says so.
    if section.key is None or section.key.method != "AES-128":
        return None
    # RFC 8216, 4.3.2.5 requires an IV here: a section has no sequence number to take it from.
    return _key_use(section.key, section.key.iv or bytes(16), absolute)


def segment_key(segment: Segment, absolute: Absolute) -> KeyUse | None:
    """What decrypts a segment; None when it is in the clear.

    Raises:
        PlaybackError: another player is needed.
    """
    if segment.key is None:
        return None
    use = _key_use(segment.key, iv_for(segment), absolute)
    if use.method != "AES-128" and segment.map is None:
        raise PlaybackError(
            f"EXT-X-KEY METHOD={use.method} for segments without EXT-X-MAP; expected fMP4, since "
            "samples of transport streams and packed audio are not decrypted here"
        )
    return use


def _key_use(key: Key, iv: bytes, absolute: Absolute) -> KeyUse:
    """Where the key is, and how it is used.

    Raises:
        PlaybackError: another player is needed for this kind of key.
    """
    method = METHODS.get(key.method)
    if method is None:
        raise PlaybackError(
            f"EXT-X-KEY METHOD={key.method}; expected AES-128, SAMPLE-AES or SAMPLE-AES-CTR"
        )
    if key.keyformat == IDENTITY and key.uri.lower().startswith("skd:"):
        raise PlaybackError("EXT-X-KEY with a skd: URI, which is FairPlay's; expected an HTTP URL")
    if key.keyformat == IDENTITY:
        return KeyUse(absolute(key.uri), iv, method)
    if key.keyformat != CLEAR_KEY or method == "AES-128":
        name = SYSTEMS.get(key.keyformat.lower(), key.keyformat)
        raise PlaybackError(
            f"EXT-X-KEY KEYFORMAT of {name}, which needs a player with that system; "
            "this one takes keys as they are (identity) and ClearKey licences"
        )
    if not key.kid:
        raise PlaybackError("EXT-X-KEY of ClearKey without KEYID; expected the id of its key")
    if key.uri.startswith("data:"):
        raise PlaybackError(
            "EXT-X-KEY of ClearKey with a data: URI; expected the URL of a licence server, since "
            "this player asks where the playlist says"
        )
    return KeyUse(absolute(key.uri), iv, method, key.kid)
