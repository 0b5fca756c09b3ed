"""Encryption: AES-128-CBC with PKCS7 over whole segments, and the vectors it uses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abr.errors import MediaError
from transcode.encryption import ContentKey, decrypt, encrypt, iv_for, sequence_iv
from transcode.playlist import Key, Segment

KEY, IV = bytes(range(16)), bytes(range(16, 32))
SEGMENT = Segment(uri="a", duration_s=4.0, sequence=258, key=Key(method="AES-128", uri="k"))


def test_encryption_agrees_with_a_published_vector() -> None:
    """NIST SP 800-38A, F.2.1, first block of CBC-AES128.Encrypt; padding makes a second."""
    key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    iv = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
    plain = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")
    encrypted = encrypt(plain, key, iv)
    assert encrypted[:16].hex() == "7649abac8119b246cee98e9b12e9197d"
    assert len(encrypted) == 32


@given(st.binary(max_size=100))
def test_what_is_encrypted_decrypts_to_the_same(data: bytes) -> None:
    """And its size was known before."""
    encrypted = encrypt(data, KEY, IV)
    assert decrypt(encrypted, KEY, IV) == data
    assert len(encrypted) == (len(data) // 16 + 1) * 16


@pytest.mark.parametrize("data", [b"", b"x" * 15, b"x" * 33])
def test_a_segment_cut_off_does_not_open(data: bytes) -> None:
    """Encrypted bytes come in blocks of 16."""
    with pytest.raises(MediaError, match="expected a multiple of 16"):
        decrypt(data, KEY, IV)


def test_a_wrong_key_is_noticed_by_its_padding() -> None:
    """The message has no key in it."""
    with pytest.raises(MediaError, match="wrong padding") as caught:
        decrypt(encrypt(b"hello", KEY, IV), KEY[::-1], IV)
    assert KEY[::-1].hex() not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(("key", "iv"), [(b"short", IV), (KEY, b"")])
def test_keys_and_vectors_of_other_lengths_are_misuse(key: bytes, iv: bytes) -> None:
    """AES-128 only, though the library would take longer keys."""
    with pytest.raises(ValueError, match="expected 16 and 16"):
        encrypt(b"", key, iv)


def test_the_vector_is_the_sequence_number_unless_the_key_has_one() -> None:
    """RFC 8216bis, 4.4.4.4: 258 is 0x0102, big-endian in 128 bits."""
    assert iv_for(SEGMENT) == bytes(14) + b"\x01\x02" == sequence_iv(258)
    assert iv_for(replace(SEGMENT, key=Key(method="AES-128", uri="k", iv=IV))) == IV


def test_a_clear_segment_has_no_vector() -> None:
    """Asking for one is misuse."""
    with pytest.raises(ValueError, match="no key"):
        iv_for(replace(SEGMENT, key=None))


def test_a_content_key_hides_its_bytes() -> None:
    """Neither repr nor str shows the key."""
    key = ContentKey("ab" * 16, KEY)
    assert repr(key) == str(key) == f"ContentKey(kid='{'ab' * 16}')"


@pytest.mark.parametrize(("kid", "key"), [("AB" * 16, KEY), ("ab", KEY), ("ab" * 16, b"short")])
def test_a_content_key_of_another_form_is_misuse(kid: str, key: bytes) -> None:
    """Key ids are 32 hexadecimal digits, keys 16 bytes."""
    with pytest.raises(ValueError, match="expected"):
        ContentKey(kid, key)
