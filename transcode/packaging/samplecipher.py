"""The four ciphers of Common Encryption over one sample: bytes to bytes, either way.

``cenc`` and ``cens`` are AES-128 in CTR mode, ``cbc1`` and ``cbcs`` in CBC mode; ``cens`` and
``cbcs`` leave out blocks by a pattern. Which boxes say so, ``protection`` knows.

Source: ISO/IEC 23001-7:2016, 9.4 to 9.6 (counters, chains, patterns) and 10.1 to 10.4 (schemes).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

BLOCK = 16
COUNTER_MODES = frozenset({"cenc", "cens"})
CHAIN_MODES = frozenset({"cbc1", "cbcs"})


class Part(NamedTuple):
    """Bytes of a sample that stay clear, and those after them that are encrypted."""

    clear: int
    protected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """How samples are encrypted: what ``schm`` and ``tenc`` say, or a ``seig`` group."""

    scheme: str
    """``cenc``, ``cens``, ``cbc1`` or ``cbcs``."""
    kid: str
    """Key id: 32 hexadecimal digits in lower case."""
    iv_bytes: int = 0
    """Size of the vector that each sample has; 0: all have ``constant_iv``."""
    constant_iv: bytes = b""
    pattern: tuple[int, int] = (0, 0)
    """Blocks encrypted, and blocks clear after them; (0, 0): all are encrypted."""
    is_protected: bool = field(default=True)
    """False for a group of samples in the clear."""


def apply(
    data: bytes,
    parts: Sequence[Part],
    sealing: Sealing,
    key: bytes,
    iv: bytes,
    *,
    encrypts: bool,
) -> bytes:
    """``data`` with its protected parts encrypted, or decrypted.

    Args:
        data: A whole sample.
        parts: All of it.
        sealing: Scheme and pattern.
        key: 16 bytes.
        iv: The sample's own vector, or the constant one; 8 bytes stand for the first half.
        encrypts: Which way.
    """
    result = bytearray(data)
    is_counter = sealing.scheme in COUNTER_MODES
    whole = iv.ljust(BLOCK, b"\0")
    coder = _Counter(key, whole) if is_counter else _chain(key, whole, encrypts=encrypts)
    at = 0
    for clear, protected in parts:
        at += clear
        if sealing.scheme == "cbcs":
            # 9.5.1: each part begins with the vector anew; the others are one chain or stream.
            coder = _chain(key, whole, encrypts=encrypts)
        # 9.4 and 9.5: only the counter of cenc covers bytes that are over; the others, blocks.
        size = protected if sealing.scheme == "cenc" else protected - protected % BLOCK
        end = at + size
        chosen = _chosen(size, sealing.pattern)
        if chosen is None:
            result[at:end] = coder.update(data[at:end])
        elif size:
            blocks = np.frombuffer(data, np.uint8, size, at).reshape(-1, BLOCK).copy()
            mixed = coder.update(blocks[chosen].tobytes())
            blocks[chosen] = np.frombuffer(mixed, np.uint8).reshape(-1, BLOCK)
            result[at:end] = blocks.tobytes()
        at += protected
    return bytes(result)


def _chosen(
    size: int, pattern: tuple[int, int]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]] | None:
    """Which blocks are encrypted; None: all."""
    encrypted, clear = pattern
    if not clear:
        return None
    return np.arange(size // BLOCK) % (encrypted + clear) < encrypted


class _Counter:
    """A counter of 64 bits, which wraps without a carry into the other half of the block."""

    def __init__(self, key: bytes, block: bytes) -> None:
        self._key, self._fixed = key, block[:8]
        # Blocks until the counter is 0 again, and bytes of them.
        self._left = ((1 << 64) - int.from_bytes(block[8:], "big")) * BLOCK
        self._stream = self._new(block)

    def __repr__(self) -> str:
        return "<_Counter>"

    def _new(self, block: bytes) -> CipherContext:
        return Cipher(algorithms.AES(self._key), modes.CTR(block)).encryptor()

    def update(self, data: bytes) -> bytes:
        if len(data) <= self._left:
            self._left -= len(data)
            return self._stream.update(data)
        now, later = data[: self._left], data[self._left :]
        before = self._stream.update(now)
        self._stream = self._new(self._fixed + bytes(8))
        self._left = (1 << 64) * BLOCK
        return before + self.update(later)


def _chain(key: bytes, iv: bytes, *, encrypts: bool) -> CipherContext:
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv))
    return cipher.encryptor() if encrypts else cipher.decryptor()


def parts_of(clear: int, protected: int) -> Iterator[Part]:
    """Parts whose clear bytes fit the 16 bits that ``senc`` has for them."""
    while clear > 0xFFFF:
        yield Part(0xFFFF, 0)
        clear -= 0xFFFF
    yield Part(clear, protected)
