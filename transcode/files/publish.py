"""Publishing: a package becomes the version of its title that a store announces.

Files are only ever added to a version, and what announces it is written last, so whatever
happens in between, the store holds what it held before. Publishing again goes on where it
stopped: objects that are there already are not sent a second time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from transcode.files.reader import check_package
from transcode.packaging.index import files_of
from transcode.packaging.layout import INDEX, MANIFEST
from transcode.playlist.relocate import relocate
from transcode.storage.manifest import relocate_manifest
from transcode.storage.objects import NoObjectError, ObjectExistsError, ObjectStore, StoreError
from transcode.storage.published import (
    CURRENT,
    ENTRIES,
    PublishedVersion,
    current_key,
    parse_current,
    print_current,
    title_of_key,
    to_prune,
    upload_order,
    version_of,
    versions_among,
)

_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What publishing did."""

    title: str
    version: str
    where: str
    """The store."""
    files: int
    sent_files: int
    """Files that the store did not have yet."""
    sent_bytes: int
    pruned: tuple[str, ...]
    """Versions that were removed."""


def publish(
    package: str | Path,
    store: ObjectStore,
    *,
    keep: int | None = None,
    on_progress: Callable[[float], None] = lambda _fraction: None,
) -> Publication:
    """Add a package to ``store`` as the current version of its title.

    Args:
        package: Folder of the package; it is checked first.
        store: Where to.
        keep: Older versions to keep; the others are removed. None removes none.
        on_progress: Called with the fraction that is done.

    Raises:
        MissingFileError, PackageError: the package cannot be used.
        StoreError, DiskFullError: the store refused or failed; what it announced before it
            still announces.
    """
    folder = Path(package)
    index = check_package(folder)
    paths = upload_order([INDEX, *files_of(index)])
    sizes = {path: (folder / path).stat().st_size for path in paths}
    version = version_of({path: _digest(folder / path) for path in paths})
    base = f"{index.title}/{version}/"
    there = {each.key: each.size_bytes for each in store.list(base)}
    missing = [path for path in paths if there.get(base + path) != sizes[path]]
    done = sum(sizes.values()) - sum(sizes[path] for path in missing)
    total = max(1, sum(sizes.values()))
    for rank in _by_rank(missing):
        for path in _send(store, folder, base, rank):
            done += sizes[path]
            on_progress(done / total)
    _check_sent(store, base, sizes)
    _announce(store, folder, index.title, version, [each for each in ENTRIES if each in sizes])
    pruned = () if keep is None else prune(store, index.title, keep=keep)
    return Publication(
        title=index.title,
        version=version,
        where=store.where,
        files=len(paths),
        sent_files=len(missing),
        sent_bytes=sum(sizes[path] for path in missing),
        pruned=pruned,
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _by_rank(paths: list[str]) -> Iterable[list[str]]:
    """Runs of files that may be sent side by side: the media, and then one after the other."""
    media = [path for path in paths if path.endswith((".m4s", ".mp4", ".ts", ".jpg", ".vtt"))]
    yield media
    sent = set(media)
    yield from ([path] for path in paths if path not in sent)


def _send(store: ObjectStore, folder: Path, base: str, paths: list[str]) -> Iterable[str]:
    """Send files, a few at a time; the first failure ends it."""

    def send(path: str) -> str:
        data = (folder / path).read_bytes()
        try:
            store.put(base + path, data)
        except ObjectExistsError:
            # Another publisher was faster, or an earlier one wrote something else.
            if store.head(base + path).size_bytes != len(data):
                store.put(base + path, data, replace=True)
        return path

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        waiting = {pool.submit(send, path) for path in paths}
        try:
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_EXCEPTION, timeout=0.2)
                for each in finished:
                    yield each.result()
        finally:
            for each in waiting:
                each.cancel()


def _check_sent(store: ObjectStore, base: str, sizes: Mapping[str, int]) -> None:
    found = {each.key.removeprefix(base): each.size_bytes for each in store.list(base)}
    for path, size_bytes in sizes.items():
        if found.get(path) != size_bytes:
            raise StoreError(
                f"{store.where}/{base}{path}: {found.get(path)} bytes; expected {size_bytes}; "
                "publish again"
            )


def _announce(
    store: ObjectStore, folder: Path, title: str, version: str, entries: list[str]
) -> None:
    for path in entries:
        text = (folder / path).read_text(encoding="utf-8")
        moved = relocate_manifest if path == MANIFEST else relocate
        store.put(f"{title}/{path}", moved(text, f"{version}/").encode(), replace=True)
    store.put(current_key(title), print_current(version).encode(), replace=True)


def published_versions(store: ObjectStore, title: str = "") -> list[PublishedVersion]:
    """The versions in a store, or those of one title; the newest of a title first."""
    objects = list(store.list(f"{title}/" if title else ""))
    titles = [title] if title else published_titles(store)
    current = {each: version for each in titles if (version := current_version(store, each))}
    return versions_among(objects, current)


def published_titles(store: ObjectStore) -> list[str]:
    """Titles that a store announces, in alphabetical order."""
    found = (title_of_key(each.key) for each in store.list(CURRENT))
    return sorted(title for title in found if title is not None)


def current_version(store: ObjectStore, title: str) -> str | None:
    """The version that a store announces of ``title``; None when there is none.

    Raises:
        PackageError: what announces it cannot be read.
    """
    key = current_key(title)
    try:
        _, data = store.get(key)
    except NoObjectError:
        return None
    return parse_current(data.decode("utf-8", errors="replace"), where=f"{store.where}/{key}")


def prune(store: ObjectStore, title: str, *, keep: int) -> tuple[str, ...]:
    """Remove old versions of ``title``: all but the current one and ``keep`` others."""
    versions = published_versions(store, title)
    removed = to_prune(versions, keep=keep)
    for each in removed:
        # The index goes first: without it a version is one that was not finished.
        keys = [info.key for info in store.list(f"{title}/{each.version}/")]
        for key in sorted(keys, key=lambda key: not key.endswith(INDEX)):
            store.delete(key)
    return tuple(each.version for each in removed)
