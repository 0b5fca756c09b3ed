"""Encryption of segments: AES-128 over whole files, and who provides the keys.

Bytes to bytes, given a key and an initialisation vector. Keys come from a ``KeyProvider``;
``keystore`` is the one that stores them. Key bytes appear in no message and no ``repr``.

Source: RFC 8216bis, sections 4.4.4.4 and 5.2: AES-128 in CBC mode over the whole segment,
PKCS7 padding; the vector is the key's IV attribute or else the media sequence number.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from abr.errors import MediaError
from transcode.playlist import Segment

METHOD = "AES-128"
"""The METHOD attribute of EXT-X-KEY for this encryption."""
KEY_BYTES = 16
IV_BYTES = 16
_BLOCK_BYTES = 16


def is_key_id(text: str) -> bool:
    """Whether ``text`` has the form of a content key's id: 32 hexadecimal digits in lower case."""
    return re.fullmatch(r"[0-9a-f]{32}", text) is not None


@dataclass(frozen=True, slots=True)
class ContentKey:
    """A content key and its public name."""

    kid: str
    """Key id: 32 hexadecimal digits in lower case."""
    key: bytes = field(repr=False)
    """16 secret bytes."""

    def __post_init__(self) -> None:
        if not is_key_id(self.kid):
            raise ValueError(f"kid {self.kid!r}; expected 32 hexadecimal digits in lower case")
        if len(self.key) != KEY_BYTES:
            raise ValueError(f"a key of {len(self.key)} bytes; expected {KEY_BYTES}")


class KeyProvider(Protocol):
    """A source of content keys."""

    def key_for(self, title: str, period: int, group: str = "all") -> ContentKey:
        """The key of a period of ``title``, counted from 0; the same at every call.

        Each group of tracks has keys of its own; ``all`` is that of titles without groups.
        """
        ...


def encrypt(data: bytes, key: bytes, iv: bytes) -> bytes:
    """Encrypt a whole segment; the result is 1 to 16 bytes longer, a multiple of 16."""
    _check(key, iv)
    padder = PKCS7(_BLOCK_BYTES * 8).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    padded = padder.update(data) + padder.finalize()
    return encryptor.update(padded) + encryptor.finalize()


def decrypt(data: bytes, key: bytes, iv: bytes) -> bytes:
    """Decrypt what ``encrypt`` made.

    Raises:
        MediaError: cut off, or encrypted with another key. AES-CBC carries no proof of
            origin, so about one wrong key in 256 passes unnoticed here.
    """
    _check(key, iv)
    if not data or len(data) % _BLOCK_BYTES:
        raise MediaError(
            f"encrypted segment: {len(data)} bytes; expected a multiple of {_BLOCK_BYTES}"
        )
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    unpadder = PKCS7(_BLOCK_BYTES * 8).unpadder()
    padded = decryptor.update(data) + decryptor.finalize()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        # No cause is kept: a message that tells how padding failed helps an attacker.
        raise MediaError(
            "encrypted segment: wrong padding; expected PKCS7, so the key is another one "
            "or the data is damaged"
        ) from None


def sequence_iv(sequence: int) -> bytes:
    """The initialisation vector of a segment by its media sequence number.

    RFC 8216bis, 4.4.4.4: without an IV attribute, the number as 128 bits, big-endian.
    """
    return sequence.to_bytes(IV_BYTES, "big")


def segment_iv(kid: str, folder: str, number: int) -> bytes:
    """The explicit initialisation vector of a segment: another for each under the same key.

    Numbers repeat from track to track, so that without it equal beginnings show as equal.
    """
    return hashlib.sha256(f"iv|{kid}|{folder}|{number}".encode()).digest()[:IV_BYTES]


def iv_for(segment: Segment) -> bytes:
    """The initialisation vector of ``segment``.

    Raises:
        ValueError: the segment is not encrypted.
    """
    if segment.key is None:
        raise ValueError("the segment has no key, so no initialisation vector")
    return sequence_iv(segment.sequence) if segment.key.iv is None else segment.key.iv


def _check(key: bytes, iv: bytes) -> None:
    if len(key) != KEY_BYTES or len(iv) != IV_BYTES:
        raise ValueError(
            f"a key of {len(key)} and a vector of {len(iv)} bytes; "
            f"expected {KEY_BYTES} and {IV_BYTES}"
        )
