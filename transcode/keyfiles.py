"""The files of a key store as text, and the encryption of what they hold.

Bytes and text only: ``keystore`` reads and writes files and makes the random numbers. Key
bytes appear in no message and no ``repr``.

A key is encrypted by AES-256-GCM under a key-encryption key (KEK). The associated data
``title|kid|version`` binds it to its place: an encrypted key copied to another title, or under
another key id, does not decrypt. A KEK may also be one that a program holds and never gives away:
then that program encrypts, given the same associated data.

Source: NIST SP 800-38D (GCM, 96-bit nonces).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from abr.errors import KeyStoreError

FORMAT = "abrkit keys"
MAJOR, MINOR = 1, 1
ALL = "all"
KEK_BYTES = 32
NONCE_BYTES = 12

DEFAULT_LIMIT_S = 10.0
MOST_LIMIT_S = 15.0
"""Longest that a program may take; who waits for the store gives up later than this."""

_Read = TypeVar("_Read")
Operation = Literal["wrap", "unwrap"]


class Item(NamedTuple):
    """What a program is given to encrypt or decrypt."""

    data: bytes
    associated: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalKek:
    """A KEK that a program holds."""

    command: tuple[str, ...]
    """The program and its arguments; no shell reads them."""
    limit_s: float = DEFAULT_LIMIT_S


class AskProgram(Protocol):
    """Runs the program of an external KEK."""

    def __call__(
        self, operation: Operation, kek_id: str, kek: ExternalKek, items: Sequence[Item]
    ) -> list[bytes]:
        """What it makes of ``items``, in order; raises ``KeyStoreError``."""
        ...


def ask_nobody(
    operation: Operation, kek_id: str, kek: ExternalKek, items: Sequence[Item]
) -> list[bytes]:
    """Refuse: where no program can be run, external KEKs are of no use."""
    raise KeyStoreError(f"KEK {kek_id}: {kek.command[0]} cannot be run here")


class Plain(NamedTuple):
    """A secret, and where it belongs."""

    kid: str
    secret: bytes
    period: int = 0
    version: int = 1
    group: str = "all"
    is_retired: bool = False


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
    """Empty where a program encrypted it."""
    ciphertext: bytes
    period: int = 0
    """Which run of segments it belongs to."""
    group: str = ALL
    """Which tracks: a group of ``keygroups``; ``all`` where they share their keys."""
    is_retired: bool = False
    """Whether nothing is encrypted with it any more; what was, still opens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """Key-encryption keys by id."""

    current: str
    """Id of the one that encrypts; the others only decrypt."""
    keks: Mapping[str, bytes | ExternalKek] = field(repr=False)


def seal(
    plain: Sequence[Plain],
    ring: Ring,
    *,
    title: str,
    nonces: Sequence[bytes],
    ask: AskProgram = ask_nobody,
) -> list[EncryptedKey]:
    """Secrets of a title, encrypted under the ring's current KEK.

    Args:
        plain: The secrets.
        ring: KEKs.
        title: Whose they are.
        nonces: One for each, never used before.
        ask: Runs the program of an external KEK.

    Raises:
        KeyStoreError: the program fails.
    """
    kek = ring.keks[ring.current]
    if isinstance(kek, bytes):
        return [
            encrypt_key(
                each.secret, ring, title=title, kid=each.kid, nonce=nonce, period=each.period,
                version=each.version, group=each.group, is_retired=each.is_retired,
            )
            for each, nonce in zip(plain, nonces, strict=True)
        ]  # fmt: skip
    items = [Item(each.secret, _associated(title, each.kid, each.version)) for each in plain]
    made = ask("wrap", ring.current, kek, items) if items else []
    wrapped = [Item(data, item.associated) for data, item in zip(made, items, strict=True)]
    # What cannot be undone would be lost with the KEK before it.
    undone = ask("unwrap", ring.current, kek, wrapped) if items else []
    if undone != [item.data for item in items] or any(
        m == i.data for m, i in zip(made, items, strict=True)
    ):
        raise KeyStoreError(
            f"KEK {ring.current}: {kek.command[0]} does not unwrap what it wrapped, or does not "
            "wrap at all; nothing was written"
        )
    return [
        EncryptedKey(
            kid=each.kid, version=each.version, kek=ring.current, nonce=b"", ciphertext=data,
            period=each.period, group=each.group, is_retired=each.is_retired,
        )
        for each, data in zip(plain, made, strict=True)
    ]  # fmt: skip


def unseal(
    entries: Sequence[EncryptedKey],
    ring: Ring,
    *,
    title: str,
    where: str,
    ask: AskProgram = ask_nobody,
) -> list[Plain]:
    """The secrets that ``entries`` hold, in order.

    Raises:
        KeyStoreError: a KEK is not in the ring, an entry was changed, moved or damaged, or a
            program fails.
    """
    found: dict[int, bytes] = {}
    by_program: dict[str, list[int]] = {}
    for number, entry in enumerate(entries):
        if isinstance(ring.keks.get(entry.kek), ExternalKek):
            by_program.setdefault(entry.kek, []).append(number)
        else:
            found[number] = decrypt_key(entry, ring, title=title, where=where)
    for kek_id, numbers in by_program.items():
        kek = ring.keks[kek_id]
        assert isinstance(kek, ExternalKek)
        items = [
            Item(
                entries[number].ciphertext,
                _associated(title, entries[number].kid, entries[number].version),
            )
            for number in numbers
        ]
        try:
            made = ask("unwrap", kek_id, kek, items)
        except KeyStoreError as exc:
            raise KeyStoreError(f"{where}: {exc}") from exc
        found.update(zip(numbers, made, strict=True))
    return [
        Plain(entry.kid, found[number], entry.period, entry.version, entry.group, entry.is_retired)
        for number, entry in enumerate(entries)
    ]


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
    is_retired: bool = False,
) -> EncryptedKey:
    """Encrypt ``secret`` under the ring's current KEK. A nonce must never be used twice."""
    associated = _associated(title, kid, version)
    kek = ring.keks[ring.current]
    assert isinstance(kek, bytes)  # ``seal`` knows the others
    return EncryptedKey(
        kid=kid,
        version=version,
        kek=ring.current,
        nonce=nonce,
        ciphertext=AESGCM(kek).encrypt(nonce, secret, associated),
        period=period,
        group=group,
        is_retired=is_retired,
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
    assert isinstance(kek, bytes)
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
    keks = {kek_id: _text(kek) for kek_id, kek in ring.keks.items() if isinstance(kek, bytes)}
    external = {
        kek_id: {"command": list(kek.command), "limit_s": kek.limit_s}
        for kek_id, kek in ring.keks.items()
        if isinstance(kek, ExternalKek)
    }
    more = {"external": external} if external else {}
    return _print({"current": ring.current, "keks": keks, **more})


def parse_ring(text: str, *, where: str) -> Ring:
    """Read ``ring.json``.

    Raises:
        KeyStoreError: damaged, or of an unknown major version.
    """

    def read(value: Any) -> Ring:
        keks = {_id(kek_id): _bytes(kek) for kek_id, kek in value["keks"].items()}
        if any(len(kek) != KEK_BYTES for kek in keks.values()):
            raise ValueError
        external = {
            _id(kek_id): _external(kek) for kek_id, kek in value.get("external", {}).items()
        }
        ring = Ring(current=_id(value["current"]), keks={**keks, **external})
        if ring.current not in ring.keks:
            raise ValueError
        return ring

    return _parse(text, read, where)


def _external(value: Any) -> ExternalKek:
    command, limit_s = value["command"], float(value["limit_s"])
    if not (isinstance(command, list) and command and all(isinstance(c, str) for c in command)):
        raise TypeError
    if not 0 < limit_s <= MOST_LIMIT_S:
        raise ValueError
    return ExternalKek(command=tuple(command), limit_s=limit_s)


def print_keys(keys: Sequence[EncryptedKey]) -> str:
    """The text of a file of encrypted keys, by period, the latest version last."""
    entries = [
        {
            "kid": entry.kid,
            **({} if entry.group == ALL else {"group": entry.group}),
            **({"retired": True} if entry.is_retired else {}),
            "period": entry.period,
            "version": entry.version,
            "kek": entry.kek,
            "nonce": _text(entry.nonce),
            "sealed": _text(entry.ciphertext),
        }
        for entry in sorted(keys, key=lambda entry: (entry.period, entry.version))
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
        is_retired=value.get("retired", False),
    )
    if type(entry.period) is not int or type(entry.version) is not int:
        raise TypeError
    if type(entry.is_retired) is not bool:
        raise TypeError
    if len(entry.nonce) not in (0, NONCE_BYTES):
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
