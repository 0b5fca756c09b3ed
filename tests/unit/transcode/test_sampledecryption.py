"""Decryption of samples that others have encrypted, in forms that our own packages lack."""

from __future__ import annotations

import struct

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import MediaError
from tests.unit.transcode.test_fragments import AAC, init_section
from tests.unit.transcode.test_sampleencryption import KEY, fragment
from transcode.media.boxes import Box, box, boxes, find, full_box
from transcode.packaging.sampledecryption import (
    clear_init,
    clear_segment,
    kids_in,
    read_protection,
)
from transcode.packaging.sampleencryption import SampleEncrypter

OTHER = "ffeeddccbbaa99887766554433221100"
KEYS = {KEY.kid: KEY.key, OTHER: bytes(range(16, 32))}
SOUND = [bytes([value]) * size for value, size in ((1, 100), (2, 31), (3, 64))]
INIT = SampleEncrypter("cenc", KEY, init_section(AAC)).init(init_section(AAC))
CLEAR = fragment(*SOUND)


def seal(kid: str, sample: bytes, iv: bytes) -> bytes:
    """CTR over all of it."""
    stream = Cipher(algorithms.AES(KEYS[kid]), modes.CTR(iv.ljust(16, b"\0"))).encryptor()
    return stream.update(sample)


def seig(kid: str, *, protected: int = 1) -> bytes:
    """An entry of a sample group: pattern, whether encrypted, size of vectors, key id."""
    return bytes([0, 0, protected, 8 * protected]) + bytes.fromhex(kid)


def with_boxes(segment: bytes, *added: bytes) -> bytes:
    """``segment`` with boxes at the end of its ``traf``."""
    moof, traf = find(segment, b"moof"), find(segment, b"moof", b"traf")
    more = b"".join(added)
    children = bytearray(segment[traf.body : traf.end])
    trun = find(bytes(children), b"trun")
    (offset,) = struct.unpack_from(">i", children, trun.body + 8)
    struct.pack_into(">i", children, trun.body + 8, offset + len(more))
    mfhd = find(segment, b"moof", b"mfhd")
    grown = box(b"moof", segment[mfhd.start : mfhd.end], box(b"traf", bytes(children), more))
    return grown + segment[moof.end :]


def sealed(kids: list[str], ivs: list[bytes]) -> bytes:
    """The sound with each sample under its key; an empty kid leaves one clear."""
    return fragment(
        *(
            seal(kid, sample, iv) if kid else sample
            for kid, sample, iv in zip(kids, SOUND, ivs, strict=True)
        )
    )


IVS = [bytes([number]) * 8 for number in range(1, 4)]


def group_boxes(kids: list[str], numbers: list[int], *, version: int = 1) -> list[bytes]:
    """``sgpd`` and ``sbgp``; a sample is in the group of its number."""
    lengths = struct.pack(">I", 20) if version else b""
    entries = b"".join(seig(kid or KEY.kid, protected=int(bool(kid))) for kid in kids)
    sgpd = full_box(b"sgpd", version, 0, b"seig", lengths, struct.pack(">I", len(kids)), entries)
    runs = b"".join(struct.pack(">II", 1, number) for number in numbers)
    return [sgpd, full_box(b"sbgp", 0, 0, b"seig", struct.pack(">I", len(numbers)), runs)]


@pytest.mark.parametrize("version", [0, 1])
def test_samples_of_a_group_have_its_key(version: int) -> None:
    """ISO/IEC 23001-7, 6: the first by tenc, the second another key, the third clear."""
    media = sealed([KEY.kid, OTHER, ""], IVS)
    senc = full_box(b"senc", 0, 0, struct.pack(">I", 3), IVS[0], IVS[1])
    groups = group_boxes([OTHER, ""], [0, 0x10001, 0x10002], version=version)
    segment = with_boxes(media, *groups, senc)
    protection = read_protection(INIT)
    assert protection is not None
    assert kids_in(segment, protection) == (KEY.kid, OTHER)
    assert clear_segment(segment, protection, KEYS) == CLEAR


def test_vectors_are_found_by_saiz_and_saio_alone() -> None:
    """8.7.9: the offset is counted from moof; here the vectors stand in a box of another kind."""
    media = sealed([KEY.kid] * 3, IVS)
    saiz = full_box(b"saiz", 0, 0, struct.pack(">BI", 8, 3))
    moof = find(media, b"moof")
    vectors = box(b"free", *IVS)
    saio_bytes = 20
    # Behind what was there come saiz, saio and the vectors, each with a header of 8 bytes.
    at = moof.end + len(saiz) + saio_bytes + 8
    saio = full_box(b"saio", 0, 0, struct.pack(">II", 1, at))
    assert len(saio) == saio_bytes
    segment = with_boxes(media, saiz, saio, vectors)
    protection = read_protection(INIT)
    assert protection is not None
    assert clear_segment(segment, protection, KEYS) == with_boxes(CLEAR, vectors)


def test_an_encrypted_section_is_read_whose_track_comes_second() -> None:
    """Fragments name their track; those of a clear track stay as they are."""
    moov = find(INIT, b"moov")
    second = INIT[moov.body : moov.end].replace(
        struct.pack(">III", 0, 0, 1), struct.pack(">III", 0, 0, 2), 1
    )
    plain = init_section(AAC)
    first = find(plain, b"moov", b"trak")
    both = box(b"moov", plain[first.start : first.end], second)
    protection = read_protection(both)
    assert protection is not None
    assert sorted(protection.tracks) == [1, 2]
    assert kids_in(CLEAR, protection) == ()
    assert clear_segment(CLEAR, protection, {}) == CLEAR


def test_a_key_that_is_missing_is_named() -> None:
    encrypter = SampleEncrypter("cenc", KEY, init_section(AAC))
    protection = read_protection(INIT)
    assert protection is not None
    with pytest.raises(MediaError, match=f"no key {KEY.kid} at hand"):
        clear_segment(encrypter.segment(CLEAR), protection, {OTHER: KEYS[OTHER]})


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (b"schm", b"free", "no box schm"),
        (bytes(4) + b"cenc", bytes(4) + b"odkm", "scheme 'odkm'"),
        (b"\x01\x08\x00\x11", b"\x01\x07\x00\x11", "vectors of 8 or 16"),
    ],
)
def test_a_section_that_cannot_be_read_is_refused(before: bytes, after: bytes, said: str) -> None:
    assert INIT.count(before) == 1
    with pytest.raises(MediaError, match=said):
        read_protection(INIT.replace(before, after))


@given(st.data())
def test_damage_anywhere_raises_our_error_only(data: st.DataObject) -> None:
    """A byte changed or the end cut off, of the section and of a segment."""
    encrypter = SampleEncrypter("cbcs", KEY, init_section(AAC))
    files = [encrypter.init(init_section(AAC)), encrypter.segment(CLEAR)]
    which = data.draw(st.sampled_from([0, 1]))
    damaged = bytearray(files[which])
    place = data.draw(st.integers(0, len(damaged) - 1))
    if data.draw(st.booleans()):
        damaged[place] = data.draw(st.integers(0, 255))
    else:
        del damaged[place:]
    files[which] = bytes(damaged)
    try:
        protection = read_protection(files[0])
        clear_init(files[0])
        if protection is not None:
            clear_segment(files[1], protection, KEYS)
    except MediaError as exc:
        assert KEY.key.hex() not in str(exc)


def kinds(segment: bytes) -> list[bytes]:
    """Of the boxes in the first ``traf``."""
    traf: Box = find(segment, b"moof", b"traf")
    return [each.kind for each in boxes(segment, traf.body, traf.end)]


def test_no_word_of_encryption_is_left() -> None:
    media = sealed([KEY.kid, OTHER, ""], IVS)
    senc = full_box(b"senc", 0, 0, struct.pack(">I", 3), IVS[0], IVS[1])
    segment = with_boxes(media, *group_boxes([OTHER, ""], [0, 0x10001, 0x10002]), senc)
    protection = read_protection(INIT)
    assert protection is not None
    sidx = full_box(b"sidx", 0, 0, bytes(32))
    clear = clear_segment(sidx + segment, protection, KEYS)
    assert kinds(clear) == [b"tfhd", b"tfdt", b"trun"]
    assert b"sidx" not in clear
    assert read_protection(clear_init(INIT)) is None
