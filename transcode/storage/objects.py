"""Objects by key: what publishing and origins need of a store, in six verbs.

``transcode.files.directory`` keeps them in a folder and ``transcode.files.s3`` in a bucket.
Both are synchronous; servers call them in threads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from abr.errors import InputError, PeerError

MAX_KEY_CHARS = 512
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class ObjectExistsError(InputError, FileExistsError):
    """There is an object of that key already, and it may not be replaced."""


class NoObjectError(InputError, FileNotFoundError):
    """There is no object of that key."""


class StoreError(PeerError, OSError):
    """The store refused, failed or did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """What a store says of an object."""

    key: str
    size_bytes: int
    etag: str
    """Another for other bytes; without quotes."""
    modified_s: float
    """Unix time."""


class ObjectStore(Protocol):
    """Objects by key.

    Keys are names of plain characters (letters, digits, ``.``, ``_``, ``-``) separated by
    slashes; no name begins with a dot. An object appears whole or not at all, and may be
    read as soon as ``put`` has returned.

    Every verb raises ``StoreError`` when the store refuses, fails or does not answer.
    """

    @property
    def where(self) -> str:
        """The store's address for messages; holds no secret."""
        ...

    def put(self, key: str, data: bytes, *, replace: bool = False) -> None:
        """Store ``data``.

        Raises:
            ObjectExistsError: the key is taken, and ``replace`` is not set.
        """
        ...

    def get(self, key: str) -> tuple[ObjectInfo, bytes]:
        """The object, whole.

        Raises:
            NoObjectError: there is none.
        """
        ...

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Bytes ``start`` to ``start + length`` of an object, fewer where it ends.

        Raises:
            NoObjectError: there is none.
        """
        ...

    def head(self, key: str) -> ObjectInfo:
        """What is known of an object without reading it.

        Raises:
            NoObjectError: there is none.
        """
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Objects whose keys begin with ``prefix``, in the order of their keys."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens when there is none."""
        ...


def check_key(key: str) -> str:
    """``key``, when stores accept it.

    Raises:
        InputError: it is too long, or holds names or characters that are not allowed.
    """
    if len(key) > MAX_KEY_CHARS or not _KEY.fullmatch(key):
        raise InputError(
            f"object key {key[:80]!r}: expected names of letters, digits, '.', '_' and '-' "
            f"separated by slashes, none beginning with a dot, at most {MAX_KEY_CHARS} characters"
        )
    return key
