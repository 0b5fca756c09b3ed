"""Encryption of samples: what is encrypted, what stays clear, and how it is described."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import ConfigError, MediaError, PackageError
from tests import mp4facts
from tests.unit.transcode.test_fragments import AAC, init_section
from tests.unit.transcode.test_layout import INDEX
from transcode.config import TranscodeConfig
from transcode.encryption import ContentKey
from transcode.media.boxes import box, boxes, find
from transcode.media.fragments import Sample, write_fragment
from transcode.media.hevcslices import hevc_leader
from transcode.media.slices import h264_leader
from transcode.packaging.checks import check_index
from transcode.packaging.dash import print_manifest
from transcode.packaging.iframes import key_frames_of
from transcode.packaging.index import Encryption, KeyFrame
from transcode.packaging.indexfile import parse_index, print_index
from transcode.packaging.listing import iframe_playlist_of, media_playlist_of
from transcode.packaging.sampledecryption import (
    clear_init,
    clear_segment,
    kids_in,
    read_protection,
)
from transcode.packaging.sampleencryption import (
    SampleEncrypter,
    Scheme,
    constant_iv,
    sample_iv,
)
from transcode.playlist import parse, print_media

KEY = ContentKey("00112233445566778899aabbccddeeff", bytes(range(16)))
SCHEMES: Sequence[Scheme] = ("cbcs", "cenc")


class Writer:
    """Bits of a header, most significant first."""

    def __init__(self) -> None:
        self.text = ""

    def __repr__(self) -> str:
        return f"<Writer {self.text}>"

    def u(self, count: int, value: int) -> Writer:
        self.text += f"{value:0{count}b}"
        return self

    def ue(self, *values: int) -> Writer:
        """Exp-Golomb codes (ITU-T H.264, 9.1): 0 is ``1``, 1 is ``010``, 2 is ``011``."""
        for value in values:
            code = f"{value + 1:b}"
            self.text += "0" * (len(code) - 1) + code
        return self

    def unit(self, head: int) -> bytes:
        """A NAL unit, ended by a stop bit, with emulation prevention."""
        text = self.text + "1"
        text += "0" * (-len(text) % 8)
        plain = int(text, 2).to_bytes(len(text) // 8, "big")
        escaped = bytearray()
        for byte in plain:
            if escaped[-2:] == b"\0\0" and byte <= 3:
                escaped.append(3)
            escaped.append(byte)
        return bytes([head]) + bytes(escaped)


def sequence_set() -> bytes:
    """Main profile, 4 bits of frame_num, order counts of 6 bits, frames only."""
    bits = Writer().u(8, 77).u(16, 0x001F).ue(0, 0, 0, 2, 1).u(1, 0).ue(9, 5).u(1, 1)
    return bits.unit(0x67)


def picture_set() -> bytes:
    """CABAC, one reference, no weights, deblocking control."""
    bits = Writer().ue(0, 0).u(2, 0b10).ue(0, 0, 0).u(3, 0).ue(0, 0, 0).u(3, 0b100)
    return bits.unit(0x68)


def avcc() -> bytes:
    sps, pps = sequence_set(), picture_set()
    sets = struct.pack(">H", len(sps)) + sps + b"\x01" + struct.pack(">H", len(pps)) + pps
    return bytes([1, 77, 0, 31, 0xFF, 0xE1]) + sets


AVC = box(b"avc1", bytes(78), box(b"avcC", avcc()))
IDR_HEAD = Writer().ue(0, 7, 0).u(4, 0).ue(0).u(6, 0).u(2, 0).ue(0).ue(1)
"""first_mb 0, I, pps 0, frame_num, idr_pic_id, order count, marking, qp delta, deblocking off."""


def slice_unit(payload: int) -> bytes:
    """An IDR slice whose header is followed by ``payload`` bytes of data."""
    head = IDR_HEAD.text
    head += "1" * (-len(head) % 8)  # cabac_alignment_one_bit
    return (
        b"\x65"
        + int(head, 2).to_bytes(len(head) // 8, "big")
        + bytes(value % 251 + 4 for value in range(payload))
    )


HEAD_BYTES = 1 + -(-len(IDR_HEAD.text) // 8)


def picture(*units: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in units)


def fragment(*pictures: bytes) -> bytes:
    samples = [Sample(10, number == 0, 0, data) for number, data in enumerate(pictures)]
    return write_fragment(samples, sequence=1, decode_time=0)


def entries(segment: bytes, iv_bytes: int) -> list[list[tuple[int, int]]]:
    """Clear and protected bytes of each sample as ``senc`` says, found through ``saio``."""
    moof = find(segment, b"moof")
    traf = find(segment, b"moof", b"traf")
    saio = find(segment, b"saio", start=traf.body, end=traf.end)
    senc = find(segment, b"senc", start=traf.body, end=traf.end)
    (offset,) = struct.unpack_from(">I", segment, saio.body + 8)
    at = moof.start + offset
    assert at == senc.body + 8
    (count,) = struct.unpack_from(">I", segment, senc.body + 4)
    found = []
    for _ in range(count):
        (parts,) = struct.unpack_from(">H", segment, at + iv_bytes)
        at += iv_bytes + 2
        found.append([struct.unpack_from(">HI", segment, at + 6 * n) for n in range(parts)])
        at += 6 * parts
    return found


def test_the_slice_header_is_read_to_its_end() -> None:
    """The bits above: 1, 00111, 1, 4, 1, 6, 2, 1, 010 are 25, so 4 bytes after the first."""
    leader = h264_leader(avcc())
    assert HEAD_BYTES == 5
    assert leader(slice_unit(100)) == 5
    assert leader(b"\x67" + bytes(30)) == 31  # a parameter set stays clear


@pytest.mark.parametrize("data", [b"", b"\x01", avcc()[:9], avcc()[:5] + b"\xe0" + avcc()[6:]])
def test_parameter_sets_that_cannot_be_read_are_refused(data: bytes) -> None:
    for leader in (h264_leader, hevc_leader):
        with pytest.raises(MediaError):
            leader(data)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_garbage_in_parameter_sets_raises_our_error_only(sps: bytes, pps: bytes) -> None:
    """Of HEVC: whatever the bits say, the error is ours, and soon."""
    arrays = b"".join(
        struct.pack(">BHH", kind, 1, len(unit) + 2) + bytes([kind << 1, 1]) + unit
        for kind, unit in ((33, sps), (34, pps))
    )
    try:
        leader = hevc_leader(bytes(22) + b"\x02" + arrays)
        assert 0 <= leader(b"\x26\x01" + pps) <= 2 + len(pps)
    except MediaError as exc:
        assert "\n" not in str(exc)


def test_one_block_in_ten_of_a_picture_is_encrypted_by_cbcs() -> None:
    """ISO/IEC 23001-7, 10.4: of 25 blocks 0, 10 and 20 are one chain; the rest stays clear."""
    init = init_section(AVC)
    unit = slice_unit(407)
    made = SampleEncrypter("cbcs", KEY, init).segment(fragment(picture(b"\x09\xf0", unit)))
    assert entries(made, 0) == [[(4 + 2 + 4 + HEAD_BYTES, 407)]]
    (run,) = mp4facts.runs(init, made)
    before, after = unit[HEAD_BYTES:], run.samples[0].data[-407:]
    cipher = Cipher(algorithms.AES(KEY.key), modes.CBC(constant_iv(KEY.kid))).encryptor()
    expected = bytearray(before)
    for block in (0, 10, 20):
        expected[16 * block : 16 * block + 16] = cipher.update(before[16 * block : 16 * block + 16])
    assert after == bytes(expected)
    assert run.samples[0].data[:-407] == picture(b"\x09\xf0", unit)[:-407]


def test_all_whole_blocks_of_a_picture_are_encrypted_by_cenc() -> None:
    """10.1: 407 bytes hold 25 blocks, so 7 more bytes stay clear; slices are one stream."""
    init = init_section(AVC)
    data = picture(slice_unit(407), slice_unit(32))
    made = SampleEncrypter("cenc", KEY, init).segment(fragment(data))
    assert entries(made, 8) == [[(4 + HEAD_BYTES + 7, 400), (4 + HEAD_BYTES, 32)]]
    stream = Cipher(algorithms.AES(KEY.key), modes.CTR(sample_iv(data, KEY) + bytes(8))).encryptor()
    (run,) = mp4facts.runs(init, made)
    after = run.samples[0].data
    first = 4 + HEAD_BYTES + 7
    assert after[first : first + 400] == stream.update(data[first : first + 400])
    assert after[-32:] == stream.update(data[-32:])


def test_a_vector_is_never_used_for_two_contents() -> None:
    """Also when a title is encoded again under its key."""
    assert sample_iv(b"one", KEY) == sample_iv(b"one", KEY)
    others = [sample_iv(b"two", KEY), sample_iv(b"one", replace(KEY, key=bytes(16)))]
    assert sample_iv(b"one", KEY) not in others


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("entry", [AVC, AAC])
def test_what_is_encrypted_decrypts_to_the_same_bytes(scheme: Scheme, entry: bytes) -> None:
    """Initialisation section and segment, several fragments, samples of any size."""
    init = init_section(entry)
    is_video = entry is AVC
    sizes = [0, 1, 15, 16, 17, 159, 160, 161, 70_000]
    data = [picture(slice_unit(size)) if is_video else bytes(size + 1) for size in sizes]
    segment = box(b"styp", b"msdh") + fragment(*data[:1]) + fragment(*data[1:])
    encrypter = SampleEncrypter(scheme, KEY, init)
    sealed = encrypter.init(init)
    assert read_protection(init) is None
    assert clear_init(sealed) == clear_init(init) == init
    protection = read_protection(sealed)
    assert protection is not None
    made = encrypter.segment(segment)
    assert made != segment
    assert protection.kids == kids_in(made, protection) == (KEY.kid,)
    assert clear_segment(made, protection, {KEY.kid: KEY.key}) == segment
    before = [s.data for run in mp4facts.runs(init, segment) for s in run.samples]
    after = [s.data for run in mp4facts.runs(init, made) for s in run.samples]
    assert [len(each) for each in after] == [len(each) for each in before]


@pytest.mark.parametrize(("scheme", "pattern"), [("cbcs", 0x19), ("cenc", 0)])
def test_the_sample_entry_says_how(scheme: Scheme, pattern: int) -> None:
    """encv, and in sinf: avc1, the scheme, and tenc with the key's id and the pattern 1:9."""
    made = SampleEncrypter(scheme, KEY, init_section(AVC)).init(init_section(AVC))
    stsd = find(made, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    (entry,) = boxes(made, stsd.body + 8, stsd.end)
    assert entry.kind == b"encv"
    sinf = find(made, b"sinf", start=entry.body + 78, end=entry.end)
    frma = find(made, b"frma", start=sinf.body, end=sinf.end)
    assert made[frma.body : frma.end] == b"avc1"
    schm = find(made, b"schm", start=sinf.body, end=sinf.end)
    assert made[schm.body + 4 : schm.body + 8] == scheme.encode()
    tenc = find(made, b"schi", b"tenc", start=sinf.body, end=sinf.end)
    body = made[tenc.body : tenc.end]
    assert body[5] == pattern
    assert body[6:8] == bytes([1, 8 if scheme == "cenc" else 0])
    assert body[8:24].hex() == KEY.kid
    assert body[24:] == (b"\x10" + constant_iv(KEY.kid) if scheme == "cbcs" else b"")
    pssh = find(made, b"moov", b"pssh")
    assert made[pssh.body + 4 : pssh.body + 20].hex() == "1077efecc0b24d02ace33c1e52e2fb4b"


def test_key_frames_of_encrypted_segments_can_be_fetched_alone() -> None:
    """Their ranges cover the boxes that describe the encryption."""
    made = SampleEncrypter("cbcs", KEY, init_section(AVC)).segment(
        fragment(picture(slice_unit(500)))
    )
    assert key_frames_of(made, 10) == (KeyFrame(0, len(made), 1.0),)


def test_a_key_that_changes_is_refused_before_anything_is_encoded() -> None:
    assert TranscodeConfig(encrypt="cbcs", codec="h264,av1").check().scheme == "cbcs"
    with pytest.raises(ConfigError, match="rotate_every: set with cenc; expected encrypt"):
        TranscodeConfig(encrypt="cenc", rotate_every=3).check()
    with pytest.raises(MediaError, match="codec b'vp09' with cenc"):
        SampleEncrypter("cenc", KEY, init_section(box(b"vp09", bytes(78))))


def test_playlists_and_manifest_say_how_samples_are_encrypted() -> None:
    """A licence for the key id, before the section; the vector of cbcs stands in tenc."""
    encrypted = [
        replace(INDEX, encryption=Encryption(method=method, kids=(KEY.kid,)), dash=True)
        for method in ("SAMPLE-AES", "SAMPLE-AES-CTR")
    ]
    for index, value in zip(encrypted, ("cbcs", "cenc"), strict=True):
        check_index(index)
        assert parse_index(print_index(index)) == index
        for playlist in (
            media_playlist_of(index, index.video[0]),
            iframe_playlist_of(index, index.video[0]),
        ):
            assert {(s.key.kid, s.key.iv, s.key.uri) for s in playlist.segments if s.key} <= {
                (KEY.kid, None, f"../licence?kid={KEY.kid}")
            }
            assert all(s.map and s.map.key == s.key for s in playlist.segments)
            assert not playlist.segments or parse(print_media(playlist)) == playlist
        text = print_manifest(index)
        assert f'value="{value}" cenc:default_KID="00112233-4455-6677-8899-aabbccddeeff"' in text
        assert text.count('value="ClearKey1.0"') == 2
        assert "Laurl" not in text
        assert "1077efec" not in text
    with pytest.raises(PackageError, match="DASH cannot describe"):
        check_index(replace(encrypted[0], encryption=Encryption(method="AES-128", kids=(KEY.kid,))))
