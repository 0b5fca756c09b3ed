"""Titles in a store of objects: the version that it announces, and older ones by name.

A URL below a version's folder names bytes that never change. Only the entries of a title
(its multivariant playlist, its manifest and its index) change, when a version is published.
An object is copied into memory that only this process sees, and sent from there, so sending
is the same as for files; edges in front of the origin fetch each object once.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time

from abr.errors import PackageError, UpstreamError
from origin.httprules import media_type
from origin.paths import is_servable
from origin.server.sending import FileBody
from origin.server.store import OpenObject, in_memory
from transcode.files.publish import current_version, published_titles
from transcode.packaging.index import PresentationIndex, files_of
from transcode.packaging.indexfile import parse_index
from transcode.packaging.layout import INDEX
from transcode.storage.objects import NoObjectError, ObjectStore, StoreError
from transcode.storage.published import ENTRIES, is_version

LOGGER = logging.getLogger("abr.http")

LOOK_S = 2.0
"""A new version is noticed within this."""
_KEPT_INDEXES = 256


class PublishedStore:
    """Titles of an ``ObjectStore``, as ``transcode.files.publish`` lays them out."""

    may_wait = True

    def __init__(self, store: ObjectStore) -> None:
        """Look for titles.

        Raises:
            PackageError: the store announces none.
            StoreError: it cannot be read.
        """
        self._store = store
        self._lock = threading.Lock()
        self._current: dict[str, tuple[float, str | None]] = {}
        self._indexes: dict[tuple[str, str], PresentationIndex] = {}
        self.problems: list[str] = []
        self._titles: set[str] = set()
        for title in published_titles(store):
            if is_servable(title):
                self._titles.add(title)
            else:
                self.problems.append(f"{store.where}: title {title!r} is reserved")
        if not self._titles:
            raise PackageError(
                f"{store.where}: no published title; add one with `abr store publish PACKAGE "
                f"{store.where}`"
            )

    def __repr__(self) -> str:
        return f"<PublishedStore {self._store!r}: {', '.join(self.titles())}>"

    def titles(self) -> tuple[str, ...]:
        """Titles that can be played."""
        with self._lock:
            return tuple(sorted(self._titles))

    def index(self, title: str, version: str = "") -> PresentationIndex | None:
        """The index of a version, the current one by default; None when there is none.

        Raises:
            UpstreamError: the store cannot be read.
        """
        try:
            named = version or self._version(title)
            return None if named is None else self._index(title, named)
        except StoreError as exc:
            LOGGER.warning("%s", exc)
            raise UpstreamError("the store of this origin failed; its log says how") from exc

    def open(self, title: str, path: str) -> OpenObject | None:
        """The object; None when no version of the title lists it.

        Raises:
            UpstreamError: the store cannot be read.
        """
        kind = media_type(path)
        try:
            key = None if kind is None else self._key(title, path)
            if key is None or kind is None:
                return None
            info, data = self._store.get(key)
        except NoObjectError:
            return None
        except StoreError as exc:
            # Clients are not told where the store is.
            LOGGER.warning("%s", exc)
            raise UpstreamError("the store of this origin failed; its log says how") from exc
        return OpenObject(
            size_bytes=len(data),
            media_type=kind,
            etag=f'"{info.etag}"',
            last_modified_s=int(info.modified_s),
            body=FileBody(in_memory(data), len(data)),
            is_fixed=key.count("/") > 1 and path != INDEX,
            tags=self._tags(title, key),
        )

    def _key(self, title: str, path: str) -> str | None:
        """Where in the store the object is; None when it may not be served."""
        version, slash, below = path.partition("/")
        if slash and is_version(version):
            index = self._index(title, version)
            listed = index is not None and below in {INDEX, *files_of(index)}
            return f"{title}/{path}" if listed else None
        current = self._version(title)
        if current is None:
            return None
        if path == INDEX:
            return f"{title}/{current}/{INDEX}"
        return f"{title}/{path}" if path in ENTRIES else None

    def _tags(self, title: str, key: str) -> tuple[str, ...]:
        """What an object belongs to, for purges."""
        named = key.split("/")[1]
        version = named if is_version(named) else self._version(title)
        return (title,) if version is None else (title, f"{title}/{version}")

    def _version(self, title: str) -> str | None:
        now_s = time.monotonic()
        with self._lock:
            looked_s, version = self._current.get(title, (-LOOK_S, None))
            if now_s - looked_s < LOOK_S:
                return version
        if not is_servable(title):
            return None
        with contextlib.suppress(PackageError):  # what cannot be read now may be mended later
            version = current_version(self._store, title)
        with self._lock:
            self._current[title] = (now_s, version)
            if version is not None:
                self._titles.add(title)
            elif len(self._current) > 10 * _KEPT_INDEXES:  # names that strangers made up
                self._current.clear()
        return version

    def _index(self, title: str, version: str) -> PresentationIndex | None:
        with self._lock:
            if (title, version) in self._indexes:
                return self._indexes[title, version]
        key = f"{title}/{version}/{INDEX}"
        try:
            _, data = self._store.get(key)
            index = parse_index(data.decode("utf-8", errors="replace"), where=key)
        except (NoObjectError, PackageError):
            return None
        with self._lock:
            if len(self._indexes) >= _KEPT_INDEXES:
                self._indexes.pop(next(iter(self._indexes)))
            self._indexes[title, version] = index
        return index
