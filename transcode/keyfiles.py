"""The files of a key store as text, and the encryption of what they hold.

Bytes and text only: ``keystore`` reads and writes files and makes the random numbers. Key
bytes appear in no message and no ``repr``.

A key is encrypted by AES-256-GCM under a key-encryption key (KEK). The associated data
``title|kid|version`` binds it to its place: an encrypted key copied to another title, or under
another key id, does not decrypt.

Source: NIST SP 800-38D (GCM, 96-bit nonces).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from abr.errors import KeyStoreError

FORMAT = "abrkit keys"
MAJOR, MINOR = 1, 1
ALL = "all"
KEK_BYTES = 32
NONCE_BYTES = 12

_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedKey:
    """A secret as a file holds it."""

    kid: str
    """Key id."""
    version: int
    """Version of the key; a new key with the same id has another."""
    kek: str
    """Id of the KEK it is encrypted under."""
    nonce: bytes
    ciphertext: bytes
    period: int = 0
    """Which run of segments it belongs to."""
    group: str = ALL
    """Which tracks: a group of ``keygroups``; ``all`` where they share their keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """Key-encryption keys by id."""

    current: str
    """Id of the one that encrypts; the others only decrypt."""
    keks: Mapping[str, bytes] = field(repr=False)


def encrypt_key(
    secret: bytes,
    ring: Ring,
    *,
    title: str,
    kid: str,
    nonce: bytes,
    period: int = 0,
    version: int = 1,
    group: str = ALL,
) -> EncryptedKey:
    """Encrypt ``secret`` under the ring's current KEK. A nonce must never be used twice."""
    associated = _associated(title, kid, version)
    return EncryptedKey(
        kid=kid,
        version=version,
        kek=ring.current,
        nonce=nonce,
        ciphertext=AESGCM(ring.keks[ring.current]).encrypt(nonce, secret, associated),
        period=period,
        group=group,
    )


def decrypt_key(entry: EncryptedKey, ring: Ring, *, title: str, where: str) -> bytes:
    """The secret that ``entry`` holds.

    Raises:
        KeyStoreError: its KEK is not in the ring, or it was changed, moved or damaged.
    """
    kek = ring.keks.get(entry.kek)
    if kek is None:
        raise KeyStoreError(
            f"{where}: key {entry.kid} is encrypted under KEK {entry.kek}, which ring.json lacks; "
            "expected the ring that belongs to this folder"
        )
    associated = _associated(title, entry.kid, entry.version)
    try:
        return AESGCM(kek).decrypt(entry.nonce, entry.ciphertext, associated)
    except (InvalidTag, ValueError):
        raise KeyStoreError(
            f"{where}: key {entry.kid} does not decrypt; it was changed, moved from another title, "
            "or damaged; restore the file"
        ) from None


def print_ring(ring: Ring) -> str:
    """The text of ``ring.json``."""
    keks = {kek_id: _text(kek) for kek_id, kek in ring.keks.items()}
    return _print({"current": ring.current, "keks": keks})


def parse_ring(text: str, *, where: str) -> Ring:
    """Read ``ring.json``.

    Raises:
        KeyStoreError: damaged, or of an unknown major version.
    """

    def read(value: Any) -> Ring:
        keks = {_id(kek_id): _bytes(kek) for kek_id, kek in value["keks"].items()}
        if any(len(kek) != KEK_BYTES for kek in keks.values()):
            raise ValueError
        ring = Ring(current=_id(value["current"]), keks=keks)
        if ring.current not in keks:
            raise ValueError
        return ring

    return _parse(text, read, where)


def print_keys(keys: Sequence[EncryptedKey]) -> str:
    """The text of a file of encrypted keys, by period; a group is named where there are some."""
    entries = [
        {
            "kid": entry.kid,
            **({} if entry.group == ALL else {"group": entry.group}),
            "period": entry.period,
            "version": entry.version,
            "kek": entry.kek,
            "nonce": _text(entry.nonce),
            "sealed": _text(entry.ciphertext),
        }
        for entry in sorted(keys, key=lambda entry: entry.period)
    ]
    return _print({"keys": entries})


def parse_keys(text: str, *, where: str) -> tuple[EncryptedKey, ...]:
    """Read a file of encrypted keys.

    Raises:
        KeyStoreError: damaged, or of an unknown major version.
    """
    return _parse(text, lambda value: tuple(map(_entry, value["keys"])), where)


def _entry(value: Any) -> EncryptedKey:
    entry = EncryptedKey(
        kid=_id(value["kid"]),
        period=value["period"],
        version=value["version"],
        kek=_id(value["kek"]),
        nonce=_bytes(value["nonce"]),
        ciphertext=_bytes(value["sealed"]),
        group=_id(value.get("group", ALL)),
    )
    if type(entry.period) is not int or type(entry.version) is not int:
        raise TypeError
    if len(entry.nonce) != NONCE_BYTES:
        raise ValueError
    return entry


def _print(value: Mapping[str, Any]) -> str:
    head = {"format": FORMAT, "version": f"{MAJOR}.{MINOR}"}
    return json.dumps({**head, **value}, indent=1) + "\n"


def _parse(text: str, read: Callable[[Any], _Read], where: str) -> _Read:
    # Causes are not kept: a JSON error may quote the text, and with it a secret.
    try:
        value = json.loads(text)
        if value["format"] != FORMAT:
            raise ValueError
        version = str(value["version"])
        result = read(value) if version.partition(".")[0] == str(MAJOR) else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise KeyStoreError(
            f"{where}: damaged; expected a file of this store; restore it"
        ) from None
    if result is None:
        raise KeyStoreError(
            f"{where}: version {version[:20]}; this abrkit reads {MAJOR}.x; "
            "use the abrkit that wrote it"
        )
    return result


def _associated(title: str, kid: str, version: int) -> bytes:
    return f"{title}|{kid}|{version}".encode()


def _id(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value):
        raise ValueError
    return value


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: Any) -> bytes:
    if not isinstance(text, str):
        raise TypeError
    return base64.b64decode(text, validate=True)
