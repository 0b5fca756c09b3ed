"""COSE messages: what is read, and that nothing else is."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from origin.tokens.cose import CoseError, Message, is_genuine, read, seal
from origin.tokens.keysets import Algorithm, VerificationKey
from origin.tokens.signingkeys import SigningKey

SECRET = SigningKey(kid="shared", algorithm="HS256", key=bytes(range(32)))
P256 = SigningKey(kid="p", algorithm="ES256", key=ec.derive_private_key(7, ec.SECP256R1()))
ED = SigningKey(kid="e", algorithm="EdDSA", key=Ed25519PrivateKey.from_private_bytes(bytes(32)))
NEW_ED = replace(ED, algorithm="Ed25519")
KEYS = (SECRET, P256, ED)
PAYLOAD = cbor2.dumps({1: "somebody", 4: 1_800_000_000})
SEALED = [(seal(PAYLOAD, key), key) for key in KEYS]


def public(key: SigningKey) -> VerificationKey:
    """The key that verifies what ``key`` signed."""
    if isinstance(key.key, bytes):
        return VerificationKey(kid=key.kid, algorithm="HS256", key=key.key)
    is_ed = isinstance(key.key, Ed25519PrivateKey)
    name: Algorithm = "EdDSA" if is_ed else "ES256"
    return VerificationKey(kid=key.kid, algorithm=name, key=key.key.public_key())


def verified(data: bytes, *keys: VerificationKey) -> Message | None:
    """What is read, if one of the keys made it."""
    message = read(data)
    return message if any(is_genuine(message, key) for key in keys) else None


def outer(data: bytes) -> list[Any]:
    """Protected header, unprotected header, payload and signature of a sealed message."""
    items: list[Any] = cbor2.loads(data).value.value
    return items


def tagged(items: object, *, tag: int) -> bytes:
    return cbor2.dumps(cbor2.CBORTag(61, cbor2.CBORTag(tag, items)))


@pytest.mark.parametrize(("data", "key"), SEALED)
def test_what_is_sealed_is_read_and_is_genuine_for_its_key_alone(
    data: bytes, key: SigningKey
) -> None:
    """A public key never serves as a shared secret, whatever the header says."""
    message = read(data)
    assert (message.kid, message.payload) == (key.kid.encode(), PAYLOAD)
    assert message.algorithm == key.algorithm
    assert [other for other in KEYS if is_genuine(message, public(other))] == [key]
    assert key.kid in repr(message)
    assert repr(PAYLOAD) not in repr(message)


@pytest.mark.parametrize(("key", "number"), [(ED, -19), (NEW_ED, -8), (P256, -9)])
def test_both_names_of_an_algorithm_are_read(key: SigningKey, number: int) -> None:
    """RFC 9864 gave Ed25519 and P-256 names of their own beside the older ones."""
    protected, unprotected, payload, _ = outer(seal(PAYLOAD, key))
    other = cbor2.dumps({**cbor2.loads(protected), 1: number})
    signed = cbor2.dumps(["Signature1", other, b"", payload])
    assert not isinstance(key.key, bytes)
    if isinstance(key.key, Ed25519PrivateKey):
        signature = key.key.sign(signed)
    else:
        r, s = decode_dss_signature(key.key.sign(signed, ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    data = tagged([other, unprotected, payload, signature], tag=18)
    assert verified(seal(PAYLOAD, key), public(key))
    assert verified(data, public(key))


def test_the_id_of_a_key_has_a_greatest_length() -> None:
    """A longer one would not be read."""
    assert verified(seal(PAYLOAD, replace(SECRET, kid="k" * 128)), public(SECRET))
    with pytest.raises(ValueError, match="129 bytes; expected 128 at most"):
        seal(PAYLOAD, replace(SECRET, kid="k" * 129))


@pytest.mark.parametrize(("data", "key"), SEALED)
def test_the_tags_may_be_absent(data: bytes, key: SigningKey) -> None:
    """The algorithm says which of the two structures it is. A CWT's tag needs one inside."""
    inner = cbor2.loads(data).value
    assert verified(cbor2.dumps(inner), public(key))
    assert verified(cbor2.dumps(inner.value), public(key))
    with pytest.raises(CoseError, match="without a COSE tag"):
        read(cbor2.dumps(cbor2.CBORTag(61, inner.value)))


@pytest.mark.parametrize(("data", "key"), SEALED)
def test_a_key_id_may_stand_outside_of_what_is_signed(data: bytes, key: SigningKey) -> None:
    """As others write it; but not at both places."""
    protected = cbor2.dumps({1: cbor2.loads(outer(data)[0])[1]})
    with_kid = [protected, {4: b"k"}, *outer(data)[2:]]
    tag = 17 if key is SECRET else 18
    assert read(tagged(with_kid, tag=tag)).kid == b"k"
    assert read(tagged([protected, {}, *outer(data)[2:]], tag=tag)).kid is None
    with pytest.raises(CoseError, match="two key ids"):
        read(tagged([outer(data)[0], {4: b"k"}, *outer(data)[2:]], tag=tag))


@pytest.mark.parametrize(
    ("protected", "unprotected"),
    [
        ({}, {}),
        ({}, {1: 5}),
        ({1: 0}, {}),
        ({1: 4}, {}),  # HMAC 256/64: a MAC of 8 bytes
        ({1: -7}, {}),  # not the structure of a signature
        ({1: 5, 2: [99]}, {}),  # something critical
        ({1: 5, 99: 1}, {}),
        ({1: 5}, {99: 1}),
        ({1: 5}, {1: 5}),
        ({1: 5}, {3: 1}),
        ({1: 5, 4: "text"}, {}),
        ({1: 5, 4: b"x" * 200}, {}),
        ({1: "HS256"}, {}),
        ({1: None}, {}),
        ([1, 5], {}),
    ],
)
def test_other_headers_are_refused(protected: object, unprotected: object) -> None:
    """No algorithm at all, one that a stranger could have written, or what we do not know."""
    with pytest.raises(CoseError):
        read(tagged([cbor2.dumps(protected), unprotected, PAYLOAD, bytes(32)], tag=17))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        cbor2.dumps([b"", {}, b"", b""]),
        cbor2.dumps(cbor2.CBORTag(16, [b"\xa1\x01\x03", {}, b""])),  # COSE_Encrypt0
        SEALED[0][0] + b"\x00",
        SEALED[0][0][:-1],
        cbor2.dumps(cbor2.CBORTag(61, cbor2.loads(SEALED[0][0]))),
        tagged([*outer(SEALED[0][0])[:2], None, outer(SEALED[0][0])[3]], tag=17),
        tagged([*outer(SEALED[0][0]), b""], tag=17),
        tagged(outer(SEALED[0][0]), tag=18),
        tagged(outer(SEALED[1][0]), tag=17),
        tagged([*outer(SEALED[0][0])[:3], bytes(8)], tag=17),
        bytes.fromhex("d83dd1845f4101ff"),
        bytes.fromhex("d8") * 2000,
        bytes.fromhex("9b7fffffffffffffff"),
        bytes.fromhex("845a7fffffff"),
    ],
)
def test_other_structures_are_refused(data: bytes) -> None:
    """Before anything is verified, and whatever lengths they claim to have."""
    with pytest.raises(CoseError):
        read(data)


def test_each_message_has_one_spelling() -> None:
    """Lengths that are written longer than need be would make another text of the same token."""
    data = SEALED[0][0]
    assert data[:4].hex() == "d83dd184"
    longer = [
        bytes.fromhex("d9003dd1") + data[3:],
        bytes.fromhex("d83dd811") + data[3:],
        bytes.fromhex("d83dd19804") + data[4:],
        bytes.fromhex("d83dd1845800") + data[5:],
    ]
    for other in longer:
        with pytest.raises(CoseError):
            read(other)


@pytest.mark.parametrize(("data", "key"), SEALED)
def test_no_single_changed_bit_is_accepted(data: bytes, key: SigningKey) -> None:
    """Every bit of a message is under its signature, or has one value only."""
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with contextlib.suppress(CoseError):
            assert verified(bytes(changed), public(key)) is None


@given(st.binary(max_size=200))
def test_garbage_is_refused_in_one_way(data: bytes) -> None:
    """No other error reaches the caller."""
    for start in (b"", b"\xd8\x3d\xd1\x84", b"\xd2\x84\x43\xa1\x01\x26\xa0"):
        with pytest.raises(CoseError):
            read(start + data)
