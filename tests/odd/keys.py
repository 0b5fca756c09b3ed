"""Encrypted streams: keys that come late, wrong, inline, or for other players."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote

from tests.odd.media import Media
from tests.odd.server import Answer, Script
from tests.odd.stream import (
    Files,
    Seen,
    at_most,
    exactly,
    fmp4,
    listing,
    master,
    never_asked,
    odd,
    plays,
    refused,
    variant,
)
from transcode.encryption import encrypt, sequence_iv

KEY = bytes(range(16))
OTHER = bytes(range(16, 32))
IV = bytes(range(32, 48))
SECRET = b64encode(KEY).decode()
LINE = f'#EXT-X-KEY:METHOD=AES-128,URI="k.key",IV=0x{IV.hex()}\n'


def tells_no_key(seen: Seen) -> str:
    """No key in what is written of a playback."""
    told = f"{seen.error} {seen.notes} {seen.log.dumps() if seen.log else ''}"
    return "the key is in the log" if SECRET in told or KEY.hex() in told else ""


def sealed(
    m: Media, *, iv: bytes | None = IV, first: int = 0, key: bytes = KEY
) -> dict[str, Script]:
    """TS segments under AES-128."""
    return {
        f"{at}.ts": encrypt(m[f"ts0/{at}.ts"], key, iv or sequence_iv(first + at))
        for at in range(3)
    }


def film(
    m: Media, line: str = LINE, *, key: Script = KEY, head: str = "", **more: bytes | None
) -> Files:
    """A playlist of encrypted TS; ``line`` stands before the first segment."""
    text = listing(line + "0.ts", "1.ts", "2.ts", version=5, head=head)
    return {"main.m3u8": text, "k.key": key, **sealed(m, **more)}  # type: ignore[arg-type]


@odd(plays(check=at_most(1, "k.key")))
def aes128(m: Media) -> Files:
    """The plain case: one key, its IV stated."""
    return film(m)


@odd(plays())
def aes128_with_iv_of_the_sequence(m: Media) -> Files:
    """4.4.4.4: without IV, the media sequence number."""
    line = '#EXT-X-KEY:METHOD=AES-128,URI="k.key"\n'
    return {**film(m, line, head="#EXT-X-MEDIA-SEQUENCE:7"), **sealed(m, iv=None, first=7)}


@odd(plays())
def aes128_with_iv_in_upper_case(m: Media) -> Files:
    """4.2: 0x or 0X, digits of either case."""
    return film(m, LINE.replace(f"0x{IV.hex()}", f"0X{IV.hex().upper()}"))


@odd(plays())
def aes128_with_short_iv(m: Media) -> Files:
    """Fewer digits than 32 are a smaller number."""
    short = bytes(15) + b"\x07"
    return film(m, LINE.replace(IV.hex(), "7"), iv=short)


@odd(plays())
def aes128_rotated(m: Media) -> Files:
    """Another key from the second segment on."""
    text = listing(LINE + "0.ts", LINE.replace("k.key", "l.key") + "1.ts", "2.ts", version=5)
    rest = {name: data for name, data in sealed(m, key=OTHER).items() if name != "0.ts"}
    return {**film(m), **rest, "l.key": OTHER, "main.m3u8": text}


@odd(plays())
def aes128_and_then_none(m: Media) -> Files:
    """METHOD=NONE ends it (advertisements in the clear)."""
    text = listing(LINE + "0.ts", "#EXT-X-KEY:METHOD=NONE\n1.ts", "2.ts", version=5)
    clear = {f"{at}.ts": m[f"ts0/{at}.ts"] for at in (1, 2)}
    return {**film(m), **clear, "main.m3u8": text}


@odd(plays())
def aes128_of_fmp4(m: Media) -> Files:
    """KEY before MAP: the section is encrypted too (4.4.4.5)."""
    files: dict[str, Script] = {n: encrypt(d, KEY, IV) for n, d in m.of("v0").items()}
    return {"main.m3u8": fmp4(head=LINE.strip()), "k.key": KEY, **files}


@odd(plays())
def aes128_of_fmp4_behind_a_clear_map(m: Media) -> Files:
    """KEY after MAP: the section is in the clear."""
    text = listing(LINE + "v0/0.m4s", "v0/1.m4s", "v0/2.m4s", init="v0/init.mp4")
    files: dict[str, Script] = {
        name: data if "init" in name else encrypt(data, KEY, IV)
        for name, data in m.of("v0").items()
    }
    return {"main.m3u8": text, "k.key": KEY, **files}


@odd(plays())
def aes128_of_ranges(m: Media) -> Files:
    """The range is of the encrypted file."""
    parts = [encrypt(m[f"ts0/{at}.ts"], KEY, IV) for at in range(3)]
    lines, at = [], 0
    for part in parts:
        lines.append(f"#EXT-X-BYTERANGE:{len(part)}@{at}\nall.ts")
        at += len(part)
    return {
        "main.m3u8": listing(LINE + lines[0], *lines[1:], version=5),
        "k.key": KEY,
        "all.ts": b"".join(parts),
    }


@odd(plays(check=exactly(2, "1.ts")))
def encrypted_segment_cut_once(m: Media) -> Files:
    """Cut at a multiple of 16 without a length: the padding tells, and it is fetched again."""
    whole = sealed(m)["1.ts"]
    assert isinstance(whole, bytes)
    return {**film(m), "1.ts": [Answer(body=whole[:1600], framing="close"), whole]}


@odd(plays())
def key_at_the_second_try(m: Media) -> Files:
    """503 once: hls.js asks again after a second."""
    return film(m, key=[Answer(status=503), KEY])


@odd(plays())
def key_wrong_at_first(m: Media) -> Files:
    """A page with status 200 where a key was expected, once."""
    return film(m, key=[Answer(body="<html>log in</html>"), KEY])


@odd(refused("key", within_s=30), config={"patience_s": 2.0})
def key_in_hexadecimal(m: Media) -> Files:
    """32 digits instead of 16 bytes: an old mistake of key servers; hls.js refuses."""
    return film(m, key=KEY.hex())


@odd(refused("key", within_s=30), config={"patience_s": 2.0})
def key_too_short(m: Media) -> Files:
    """15 bytes."""
    return film(m, key=KEY[:15])


@odd(refused("404"))
def key_not_found(m: Media) -> Files:
    """Nothing can be decrypted."""
    return film(m, key=Answer(status=404))


@odd(refused("403"))
def key_forbidden(m: Media) -> Files:
    """A viewer who may not."""
    return film(m, key=Answer(status=403), head="")


@odd(refused("(?i)decrypt|key", within_s=30), config={"patience_s": 2.0})
def key_of_another_film(m: Media) -> Files:
    """16 bytes, but others: padding that is none."""
    return film(m, key=OTHER)


@odd(plays(check=tells_no_key))
def key_in_the_playlist(m: Media) -> Files:
    """A data: URL holds it; it is used and never printed."""
    line = LINE.replace("k.key", f"data:application/octet-stream;base64,{SECRET}")
    return {**film(m, line), "k.key": Answer(status=404)}


@odd(plays(check=tells_no_key))
def key_in_the_playlist_with_escapes(m: Media) -> Files:
    """data: in percent escapes (RFC 2397)."""
    return film(m, LINE.replace("k.key", f"data:,{quote(KEY, safe='')}"))


@odd(refused("key|data", check=tells_no_key), config={"patience_s": 2.0})
def key_in_the_playlist_that_is_none(m: Media) -> Files:
    """A data: URL that cannot be read."""
    return film(m, LINE.replace("k.key", "data:application/octet-stream;base64,@@@"))


@odd(plays())
def key_on_another_host(m: Media) -> Files:
    """Key servers are seldom the CDN."""
    return film(m, LINE.replace("k.key", "{other}/k.key"))


@odd(plays())
def key_of_several_systems(m: Media) -> Files:
    """4.4.4.4: one line per KEYFORMAT; the one that this player can use is taken."""
    widevine = (
        '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="data:text/plain;base64,AAAA",'
        'KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed",KEYFORMATVERSIONS="1"\n'
    )
    return film(m, LINE + widevine)


@odd(plays())
def key_with_identity_in_words(m: Media) -> Files:
    """KEYFORMAT="identity" is the default spelled out."""
    line = LINE.strip() + ',KEYFORMAT="identity",KEYFORMATVERSIONS="1"\n'
    return film(m, line)


@odd(refused("Widevine"))
def widevine(m: Media) -> Files:
    """Refused by name: this player has no such module."""
    return film(m, protected("urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"))


@odd(refused("Widevine"))
def widevine_in_upper_case(m: Media) -> Files:
    """UUIDs are compared without regard to case (RFC 9562, 4)."""
    return film(m, protected("urn:uuid:EDEF8BA9-79D6-4ACE-A3C8-27DCD51D21ED"))


@odd(refused("FairPlay"))
def fairplay(m: Media) -> Files:
    """Refused by name."""
    return film(m, protected("com.apple.streamingkeydelivery"))


@odd(refused("PlayReady"))
def playready(m: Media) -> Files:
    """Refused by name."""
    return film(m, protected("com.microsoft.playready"))


@odd(refused("com.example.drm"))
def system_of_somebody(m: Media) -> Files:
    """Refused by the name it gives itself."""
    return film(m, protected("com.example.drm"))


@odd(refused("FairPlay"))
def fairplay_without_keyformat(m: Media) -> Files:
    """skd:// is FairPlay's scheme, whatever the line says."""
    return film(m, '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://asset"\n')


@odd(refused("SAMPLE-AES"))
def sample_aes_of_transport_streams(m: Media) -> Files:
    """Samples of TS are another format; hls.js reads them, this player says that it does not."""
    return film(m, '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k.key"\n')


@odd(refused("METHOD=AES-256"))
def method_unknown(m: Media) -> Files:
    """4.4.4.4 knows AES-128, SAMPLE-AES and SAMPLE-AES-CTR; hls.js knows AES-256 besides."""
    return film(m, LINE.replace("AES-128", "AES-256"))


@odd(refused("METHOD"))
def key_without_method(m: Media) -> Files:
    """REQUIRED."""
    return film(m, '#EXT-X-KEY:URI="k.key"\n')


@odd(refused("URI"))
def key_without_uri(m: Media) -> Files:
    """REQUIRED but for NONE."""
    return film(m, "#EXT-X-KEY:METHOD=AES-128\n")


@odd(refused("IV"))
def key_with_iv_that_is_none(m: Media) -> Files:
    """What would be decrypted with another IV is rubbish."""
    return film(m, LINE.replace(f"0x{IV.hex()}", "none"))


@odd(plays(), algorithm="throughput")
def protected_variant_beside_a_clear_one(m: Media) -> Files:
    """One rung that needs Widevine does not stop those that are in the clear."""
    closed = fmp4("v1", head=protected("urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed").strip())
    text = master(variant("v1.m3u8", 200_000), variant("v0.m3u8"))
    return {"main.m3u8": text, "v1.m3u8": closed, "v0.m3u8": fmp4(), **m.of("v0", "v1")}


@odd(plays(check=never_asked("session")))
def session_key_beside(m: Media) -> Files:
    """EXT-X-SESSION-KEY is an advance notice; nothing hangs on it."""
    text = master('#EXT-X-SESSION-KEY:METHOD=AES-128,URI="session.key"\n', variant("f.m3u8"))
    files = dict(film(m))
    return {**files, "f.m3u8": files["main.m3u8"], "main.m3u8": text}


def protected(keyformat: str) -> str:
    """EXT-X-KEY of another player's system."""
    return (
        f'#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://a",KEYFORMAT="{keyformat}",'
        'KEYFORMATVERSIONS="1"\n'
    )
