"""Encrypted samples become clear with the keys of a playlist or of a licence."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from abr.errors import MediaError, PlaybackError
from player.playback.actions import KeyUse, Resource, Want
from player.playback.decrypting import (
    Arrival,
    Decrypter,
    Outcome,
    keys_in_licence,
    licence_request,
)
from player.playback.timeline import timeline_of
from tests.unit.transcode.test_fragments import AAC, init_section
from transcode.encryption import ContentKey
from transcode.media.fragments import Sample, write_fragment
from transcode.packaging.sampleencryption import METHODS, SampleEncrypter, Scheme
from transcode.playlist import MediaPlaylist, parse


def told(outcome: Outcome) -> str:
    """Why the one thing that cannot be used cannot."""
    (failure,) = outcome.failures.values()
    return failure.message


KEY = ContentKey("00112233445566778899aabbccddeeff", bytes(range(16)))
OTHER = "ff" * 16
WIDEVINE = "edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"
INIT = init_section(AAC)
SEGMENT = write_fragment(
    [Sample(1024, sync=True, cts=0, data=bytes([n]) * 64) for n in range(3)],
    sequence=1,
    decode_time=0,
)
AT = Resource("init", "init.mp4")


def encrypted(scheme: Scheme) -> tuple[bytes, bytes]:
    encrypter = SampleEncrypter(scheme, KEY, INIT)
    return encrypter.init(INIT), encrypter.segment(SEGMENT)


def init_arrival(body: bytes) -> Arrival:
    return Arrival(0, Want(kind="init", url="init.mp4", track="audio"), body)


def segment_arrival(body: bytes, use: KeyUse | None) -> Arrival:
    want = Want(kind="segment", url="0.m4s", track="audio", segment=0, key=use, init=AT)
    return Arrival(1, want, body)


def licence(*keys: tuple[str, bytes]) -> bytes:
    def text(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    entries = [{"kty": "oct", "kid": text(bytes.fromhex(kid)), "k": text(key)} for kid, key in keys]
    return json.dumps({"keys": entries, "type": "temporary"}).encode()


def licence_arrival(body: bytes, kid: str = KEY.kid) -> Arrival:
    return Arrival(2, Want(kind="licence", url="licence", kid=kid), body)


@pytest.mark.parametrize("scheme", METHODS)
@pytest.mark.parametrize("order", ["ISK", "SIK", "KSI", "SKI", "IKS", "KIS"])
@pytest.mark.parametrize("kind", ["key", "licence"])
def test_samples_become_clear_in_whatever_order_things_come(
    scheme: Scheme, order: str, kind: str
) -> None:
    init, segment = encrypted(scheme)
    if kind == "key":
        use = KeyUse("key/1", b"", METHODS[scheme])  # type: ignore[arg-type]  # a literal
        key = Arrival(2, Want(kind="key", url="key/1"), KEY.key)
    else:
        use = KeyUse("licence", b"", METHODS[scheme], KEY.kid)  # type: ignore[arg-type]
        key = licence_arrival(licence((KEY.kid, KEY.key)))
    parts = {"I": init_arrival(init), "S": segment_arrival(segment, use), "K": key}
    decrypter = Decrypter()
    clear = {want.kind: data for each in order for want, data in decrypter.take(parts[each]).media}
    assert clear == {"init": INIT, "segment": SEGMENT}


@pytest.mark.parametrize("scheme", METHODS)
def test_encrypted_samples_without_a_key_in_the_playlist_are_no_media(scheme: Scheme) -> None:
    init, segment = encrypted(scheme)
    decrypter = Decrypter()
    decrypter.take(init_arrival(init))
    outcome = decrypter.take(segment_arrival(segment, None))
    assert f"encrypted with key {KEY.kid}, and the playlist" in told(outcome)


@pytest.mark.parametrize("key", [b"", bytes(15), bytes(17), b"<html>"])
def test_a_key_of_another_length_names_the_segment(key: bytes) -> None:
    init, segment = encrypted("cenc")
    decrypter = Decrypter()
    decrypter.take(init_arrival(init))
    decrypter.take(segment_arrival(segment, KeyUse("key/1", b"", "SAMPLE-AES-CTR")))
    outcome = decrypter.take(Arrival(2, Want(kind="key", url="key/1"), key))
    assert list(outcome.failures) == [1]
    assert told(outcome).startswith("segment 0: a key of ")


def test_a_licence_without_the_key_says_so() -> None:
    outcome = Decrypter().take(licence_arrival(licence((OTHER, KEY.key))))
    assert f"no key {KEY.kid} in it; the viewer is not entitled" in told(outcome)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"keys": 7}',
        b'{"keys": [7]}',
        b'{"keys": [{}]}',
        b'{"keys": [{"kid": "AA", "k": "AA"}]}',
        b'{"keys": [{"kid": 7, "k": 7}]}',
        '{"keys": [{"kid": "\N{SNOWMAN}", "k": "AA"}]}'.encode(),
    ],
)
def test_what_is_no_licence_is_named(body: bytes) -> None:
    with pytest.raises(MediaError, match="no ClearKey licence"):
        keys_in_licence(body)


def test_a_licence_is_asked_for_as_browsers_do() -> None:
    asked = json.loads(licence_request(KEY.kid))
    assert asked == {"kids": ["ABEiM0RVZneImaq7zN3u_w"], "type": "temporary"}


def test_a_playlist_that_promises_what_the_media_lack_is_named() -> None:
    decrypter = Decrypter()
    decrypter.take(init_arrival(INIT))
    decrypter.take(Arrival(2, Want(kind="key", url="key/1"), KEY.key))
    outcome = decrypter.take(segment_arrival(SEGMENT, KeyUse("key/1", b"", "SAMPLE-AES")))
    assert "nothing of it in the initialisation section" in told(outcome)


MEDIA = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:4
#EXT-X-KEY:{key}
{map}#EXTINF:4,
0.m4s
#EXT-X-ENDLIST
"""
MAP = '#EXT-X-MAP:URI="init.mp4"\n'


def listed(key: str, section: str = MAP) -> Any:
    playlist = parse(MEDIA.format(key=key, map=section))
    assert isinstance(playlist, MediaPlaylist)
    return timeline_of(playlist, url="http://h/t/film/v/list.m3u8").segments[0]


def test_keys_of_samples_leave_the_initialisation_section_alone() -> None:
    """Which is in the clear and says how samples are encrypted."""
    segment = listed('METHOD=SAMPLE-AES,URI="../key/1",IV=0x' + "1" * 32)
    assert segment.init.key is None
    assert segment.key == KeyUse("http://h/t/film/key/1", b"\x11" * 16, "SAMPLE-AES")


def test_a_clearkey_playlist_leads_to_a_licence() -> None:
    tag = 'METHOD=SAMPLE-AES-CTR,URI="../licence",KEYID=0x{},KEYFORMAT="org.w3.clearkey"'
    segment = listed(tag.format(KEY.kid.upper()))
    assert segment.key.resource == Resource("licence", "http://h/t/film/licence", None, KEY.kid)


@pytest.mark.parametrize(
    ("key", "section", "message"),
    [
        ('METHOD=SAMPLE-AES,URI="k"', "", "segments without EXT-X-MAP"),
        (
            'METHOD=SAMPLE-AES,URI="skd://k",KEYFORMAT="com.apple.streamingkeydelivery"',
            MAP,
            "FairPlay",
        ),
        ('METHOD=SAMPLE-AES-CTR,URI="d",KEYFORMAT="com.microsoft.playready"', MAP, "PlayReady"),
        (
            'METHOD=SAMPLE-AES-CTR,URI="d",KEYFORMAT="urn:uuid:' + WIDEVINE + '"',
            MAP,
            "Widevine",
        ),
        ('METHOD=SAMPLE-AES,URI="l",KEYFORMAT="org.w3.clearkey"', MAP, "without KEYID"),
        (
            'METHOD=SAMPLE-AES,URI="data:;base64,AA",KEYFORMAT="org.w3.clearkey",KEYID=0x'
            + KEY.kid,
            MAP,
            "licence server",
        ),
        ('METHOD=AES-256,URI="k"', MAP, "METHOD=AES-256; expected AES-128"),
    ],
)
def test_keys_that_this_player_cannot_have_are_refused_by_name(
    key: str, section: str, message: str
) -> None:
    with pytest.raises(PlaybackError, match=message):
        listed(key, section)


def test_of_several_systems_the_one_that_can_be_had_is_taken() -> None:
    tag = (
        'METHOD=SAMPLE-AES,URI="skd://k",KEYFORMAT="com.apple.streamingkeydelivery"\n'
        f'#EXT-X-KEY:METHOD=SAMPLE-AES,URI="l",KEYID=0x{KEY.kid},KEYFORMAT="org.w3.clearkey"\n'
        '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="d",KEYFORMAT="com.microsoft.playready"'
    )
    assert listed(tag).key.kid == KEY.kid
