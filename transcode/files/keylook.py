"""Facts of a key store and of the packages it serves, read for an audit; no key leaves here."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from abr.errors import KeyStoreError, MissingFileError
from transcode.files.keystore import RING, TITLES, KeyStore
from transcode.files.privatefolder import PrivateFolder, is_private
from transcode.files.publish import published_versions
from transcode.files.reader import is_package, read_index
from transcode.files.stores import is_remote, open_store
from transcode.keyaudit import KeyFacts, PackageKeys, StoreFacts
from transcode.keyfiles import EncryptedKey, ExternalKek, Ring
from transcode.packaging.index import PresentationIndex
from transcode.packaging.indexfile import parse_index
from transcode.packaging.layout import INDEX
from transcode.storage.objects import NoObjectError


def look(folder: Path) -> StoreFacts:
    """Facts of the key store in ``folder``; nothing is changed, each file is read under the lock.

    Raises:
        KeyStoreError: there is none.
        ResourceError: another process holds its lock.
    """
    if not (folder / RING).exists():
        raise KeyStoreError(f"{folder}: no key store; expected one with {RING} in it")
    store, files = KeyStore(folder), PrivateFolder(folder)
    problems: list[str] = []
    keys: list[KeyFacts] = []
    with files.lock():
        ring = Ring(current="", keks={})
        try:
            ring = store.ring()
        except KeyStoreError as exc:
            problems.append(str(exc))
        names = store.files()
        left_behind = tuple(str(path) for path in files.left_behind())
    for title, name in names.items():
        with files.lock():
            try:
                entries = store.entries(name)
            except KeyStoreError as exc:
                problems.append(str(exc))
                continue
            keys += _keys(store, entries, ring, title)
    return StoreFacts(
        keys=tuple(keys),
        problems=tuple(problems),
        loose=tuple(_loose(folder)),
        left_behind=left_behind,
        keks=tuple(ring.keks),
        current=ring.current,
        external=tuple(n for n, kek in ring.keks.items() if isinstance(kek, ExternalKek)),
    )


def _keys(
    store: KeyStore, entries: tuple[EncryptedKey, ...], ring: Ring, title: str
) -> Iterator[KeyFacts]:
    """A program is asked for a whole file at once, and for single keys only when that fails."""
    problems = dict.fromkeys(range(len(entries)), "")
    try:
        store.open_entries(entries, ring, title)
    except KeyStoreError:
        for number, entry in enumerate(entries):
            try:
                store.open_entries([entry], ring, title)
            except KeyStoreError as exc:
                problems[number] = str(exc)
    for number, entry in enumerate(entries):
        yield KeyFacts(
            title=title,
            kid=entry.kid,
            group=entry.group,
            period=entry.period,
            version=entry.version,
            kek=entry.kek,
            is_retired=entry.is_retired,
            problem=problems[number],
        )


def _loose(folder: Path) -> Iterator[str]:
    for path in (folder, *folder.iterdir(), *(folder / TITLES).glob("*")):
        if path.exists() and not is_private(path):
            yield f"{path}: mode {stat.S_IMODE(path.stat().st_mode):04o}"


def packages_in(places: Iterable[str]) -> list[PackageKeys]:
    """Keys that packages name: of a package, of packages in a folder, of published versions.

    Raises:
        MissingFileError: a place holds none of these.
        PackageError: an index cannot be read.
    """
    return [each for place in places for each in _packages(place)]


def _packages(place: str) -> list[PackageKeys]:
    folder = Path(place)
    if not is_remote(place) and is_package(folder):
        return [_named(str(folder), read_index(folder))]
    found = []
    if not is_remote(place):
        if not folder.is_dir():
            raise MissingFileError(f"{place}: no such folder; expected packages")
        children = (each for each in sorted(folder.iterdir()) if is_package(each))
        found = [_named(str(each), read_index(each)) for each in children]
    if found:
        return found
    store = open_store(place)
    for version in published_versions(store):
        key = f"{version.title}/{version.version}/{INDEX}"
        try:
            _, data = store.get(key)
        except NoObjectError:  # it is being published or removed
            continue
        index = parse_index(data.decode("utf-8", errors="replace"), where=f"{place}/{key}")
        found.append(_named(f"{place}/{version.title}/{version.version}", index))
    if not found:
        raise MissingFileError(f"{place}: no package in it; expected some, or a store of them")
    return found


def _named(where: str, index: PresentationIndex) -> PackageKeys:
    kids = index.encryption.kids if index.encryption else ()
    return PackageKeys(where=where, title=index.title, kids=kids)
