"""COSE: a payload with one signature (COSE_Sign1) or one MAC (COSE_Mac0), as bytes.

What a stranger sent is read with as little as possible: no value is decoded before the signature
is verified but those of two small headers, and each has one spelling only (the shortest). The tags
in front, and a key id outside of what is signed, may be there or not; nothing else can be altered.

Sources: RFC 9052 §3, §4.2, §6.2 and §9 (structures), RFC 9053 §2 and §3 (algorithms), RFC 9864
(ESP256 and Ed25519, the names that say the curve), RFC 8949 §3 and §4.1 (encoding), RFC 8392 §6
(the tag of a CWT).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import cbor2

from origin.tokens.keysets import Algorithm, VerificationKey
from origin.tokens.signatures import LENGTHS, is_signature, sign
from origin.tokens.signingkeys import AlgorithmName, SigningKey

ALGORITHMS: Mapping[int, Algorithm] = {
    5: "HS256",
    -7: "ES256",
    -9: "ES256",  # ESP256
    -8: "EdDSA",
    -19: "EdDSA",  # Ed25519
}
"""Algorithms by their number in the header."""

NUMBERS: Mapping[AlgorithmName, int] = {"HS256": 5, "ES256": -7, "EdDSA": -8, "Ed25519": -19}
"""The number that we write for an algorithm; every library knows the first three."""

MAX_KID_BYTES = 128
"""Longest key id."""

_CWT_TAG, _MAC0_TAG, _SIGN1_TAG = 61, 17, 18
_INTEGER, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG = range(7)
_ALG, _KID = 1, 4
# Parameters 3 and 16 say what the payload is (RFC 9052 §3.1, RFC 9596), which we know untold. 2 is
# missing: ``crit`` names parameters that must be understood, and we know no more than these.
_PROTECTED = frozenset({_ALG, _KID, 3, 16})
_UNPROTECTED = frozenset({_KID})


class CoseError(ValueError):
    """Not a message of the kinds that are read here. Its text holds nothing of the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A COSE message of which nothing is verified yet."""

    algorithm: Algorithm
    kid: bytes | None
    """Id of the key; None when the message names none."""
    payload: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    signed: bytes = field(repr=False)
    """The bytes that ``signature`` is over."""


def read(data: bytes) -> Message:
    """The message in ``data``.

    The tag of a CWT may stand before it, and its own tag may be absent; what it is follows from
    its algorithm.

    Raises:
        CoseError: it is no COSE_Sign1 or COSE_Mac0 of an algorithm that is known.
    """
    reader = _Reader(data)
    tag = _outer_tag(reader)
    if reader.length_of(_ARRAY) != 4:
        raise CoseError("not an array of 4 items")
    protected = reader.string_of(_BYTES)
    header = _header(_Reader(protected), known=_PROTECTED, ends=True) if protected else {}
    outside = _header(reader, known=_UNPROTECTED)
    payload, signature = reader.string_of(_BYTES), reader.string_of(_BYTES)
    reader.end()
    # RFC 8725 §3.1: an algorithm that a stranger could have changed is none.
    algorithm = ALGORITHMS.get(_number(header.get(_ALG)))
    if algorithm is None or header.keys() & outside.keys():
        raise CoseError("an algorithm that is not known or not protected, or two key ids")
    is_mac = algorithm == "HS256"
    if tag not in (None, _MAC0_TAG if is_mac else _SIGN1_TAG):
        raise CoseError("the tag and the algorithm do not go together")
    if len(signature) != LENGTHS[algorithm]:
        raise CoseError("a signature of another length")
    kid = header.get(_KID, outside.get(_KID))
    if kid is not None and not isinstance(kid, bytes):
        raise CoseError("a key id that is not bytes")
    signed = _signed(protected, payload, is_mac=is_mac)
    return Message(
        algorithm=algorithm, kid=kid, payload=payload, signature=signature, signed=signed
    )


def is_genuine(message: Message, key: VerificationKey) -> bool:
    """Whether ``key`` made the signature; False for a key of another algorithm."""
    return key.algorithm == message.algorithm and is_signature(
        message.signature, message.signed, key.key
    )


def seal(payload: bytes, key: SigningKey) -> bytes:
    """A CWT of ``payload``, with its tags, signed with ``key``, whose id is protected as well.

    Raises:
        ValueError: the key's id is too long.
    """
    kid = key.kid.encode()
    if len(kid) > MAX_KID_BYTES:
        raise ValueError(f"a key id of {len(kid)} bytes; expected {MAX_KID_BYTES} at most")
    is_mac = key.algorithm == "HS256"
    protected = cbor2.dumps({_ALG: NUMBERS[key.algorithm], **({_KID: kid} if kid else {})})
    signature = sign(_signed(protected, payload, is_mac=is_mac), key.key)
    message = [protected, {}, payload, signature]
    tagged = cbor2.CBORTag(_MAC0_TAG if is_mac else _SIGN1_TAG, message)
    return cbor2.dumps(cbor2.CBORTag(_CWT_TAG, tagged))


def _signed(protected: bytes, payload: bytes, *, is_mac: bool) -> bytes:
    """MAC_structure or Sig_structure (RFC 9052 §6.3 and §4.4), without external data."""
    return cbor2.dumps(["MAC0" if is_mac else "Signature1", protected, b"", payload])


def _outer_tag(reader: _Reader) -> int | None:
    """The COSE tag that a message begins with, after the tag of a CWT if there is one."""
    tag = reader.tag()
    if tag != _CWT_TAG:
        return tag
    tag = reader.tag()
    if tag is None:  # RFC 8392 §6
        raise CoseError("the tag of a CWT without a COSE tag")
    return tag


def _header(reader: _Reader, *, known: frozenset[int], ends: bool = False) -> dict[int, Value]:
    """A header whose parameters are all among ``known``."""
    header: dict[int, Value] = {}
    for _ in range(reader.length_of(_MAP)):
        label = reader.value()
        if not isinstance(label, int) or label not in known:
            raise CoseError("a header parameter that is not understood")
        if label in header:
            raise CoseError("a header parameter twice")
        header[label] = reader.value()
    if ends:
        reader.end()
    return header


Value = int | bytes | str


def _number(value: Value | None) -> int:
    return value if isinstance(value, int) else 0


class _Reader:
    """Reads integers, strings, and heads of arrays, maps and tags, in their shortest form."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __repr__(self) -> str:
        return f"<_Reader at {self._at} of {len(self._data)} bytes>"

    def end(self) -> None:
        """Nothing may follow."""
        if self._at != len(self._data):
            raise CoseError("something follows")

    def tag(self) -> int | None:
        """The number of a tag, if one comes next."""
        if self._at < len(self._data) and self._data[self._at] >> 5 == _TAG:
            return self._head()[1]
        return None

    def length_of(self, major: int) -> int:
        """How many items an array, or pairs a map, has."""
        found, length = self._head()
        if found != major:
            raise CoseError("an item of another type")
        return length

    def string_of(self, major: int) -> bytes:
        """The bytes of a string."""
        found, length = self._head()
        if found != major:
            raise CoseError("an item of another type")
        return self._take(length)

    def value(self) -> Value:
        """An integer or a string."""
        major, argument = self._head()
        if major == _INTEGER:
            return argument
        if major == _NEGATIVE:
            return -1 - argument
        if major not in {_BYTES, _TEXT} or argument > MAX_KID_BYTES:
            raise CoseError("an item of another type, or too long")
        taken = self._take(argument)
        return taken if major == _BYTES else str(taken, "utf-8", "replace")

    def _head(self) -> tuple[int, int]:
        """Major type and argument (RFC 8949 §3)."""
        first = self._take(1)[0]
        major, info = first >> 5, first & 31
        if info < 24:
            return major, info
        if info > 26:
            raise CoseError("a length of 8 bytes, or none")
        size = 1 << (info - 24)
        argument = int.from_bytes(self._take(size), "big")
        if argument < (24, 1 << 8, 1 << 16)[info - 24]:
            raise CoseError("not the shortest form")
        return major, argument

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) != count:
            raise CoseError("cut off")
        self._at += count
        return taken
