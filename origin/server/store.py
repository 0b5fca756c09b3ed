"""Where the origin's objects are: packages in folders. ``published`` reads stores.

Only files that the index of a package lists are served: playlists, initialisation sections,
segments and the index itself. Temporary files, keys, dotfiles and anything else in the
folder are not, no matter how a path is written.
"""

from __future__ import annotations

import os
import stat
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Protocol, Self

from abr.errors import AbrError, MissingFileError, PackageError
from origin.httprules import media_type
from origin.paths import RESERVED, is_servable
from origin.server.sending import FileBody
from transcode.files.keystore import KeyStore
from transcode.files.reader import is_package, read_index
from transcode.packaging.index import PresentationIndex, files_of
from transcode.packaging.layout import INDEX


@dataclass(slots=True)
class OpenObject(AbstractContextManager["OpenObject"]):
    """One object, open for reading; a context manager that closes it."""

    size_bytes: int
    media_type: str
    etag: str
    """Strong entity tag with its quotes."""
    last_modified_s: int
    body: FileBody

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.body.close()


class TitleStore(Protocol):
    """Objects by title and path."""

    @property
    def may_wait(self) -> bool:
        """Whether ``open`` may wait for a network, so that servers call it in a thread."""
        ...

    def titles(self) -> tuple[str, ...]:
        """Titles that can be played, in alphabetical order."""
        ...

    def open(self, title: str, path: str) -> OpenObject | None:
        """The object; None when there is none of that name."""
        ...


@dataclass(frozen=True, slots=True)
class _Package:
    """A package, as when its index was read."""

    folder: Path
    index: PresentationIndex = field(repr=False)
    files: frozenset[str] = field(repr=False)
    stamp: tuple[int, int]


class DirectoryStore:
    """The package in a folder, or the packages in its sub-folders.

    A changed index and a new sub-folder are noticed at the next request. A package whose
    index cannot be read is left out and named in ``problems``.
    """

    may_wait = False

    def __init__(self, folder: str | Path) -> None:
        """Look for packages.

        Raises:
            MissingFileError: no such folder.
            PackageError: no usable package in it, one title twice, or an unusable title.
        """
        self._folder = Path(folder)
        if not self._folder.is_dir():
            raise MissingFileError(
                f"{folder}: no such folder; expected a package, or a folder of packages"
            )
        self.problems: list[str] = []
        self._packages: dict[str, _Package] = {}
        self._seen = self._stamp_of_folder()
        self._scan()
        if not self._packages:
            why = f": {self.problems[0]}" if self.problems else ""
            raise PackageError(
                f"{folder}: no package in it{why}; make one with `abr transcode MASTER OUT`"
            )

    def __repr__(self) -> str:
        return f"<DirectoryStore {str(self._folder)!r}: {', '.join(self.titles())}>"

    def titles(self) -> tuple[str, ...]:
        """Titles that can be played."""
        return tuple(sorted(self._packages))

    def index(self, title: str) -> PresentationIndex | None:
        """The index of ``title``; None when there is no such package."""
        package = self._current(title)
        return package.index if package else None

    def open(self, title: str, path: str) -> OpenObject | None:
        """The object, open for reading; None when the package does not list it."""
        package = self._current(title)
        kind = media_type(path)
        if package is None or kind is None or path not in package.files:
            return None
        try:
            return _open_regular(package.folder / path, kind)
        except OSError:
            return None

    def _current(self, title: str) -> _Package | None:
        """The package, read again when its index has changed."""
        package = self._packages.get(title)
        if package is None:
            stamp = self._stamp_of_folder()
            if stamp != self._seen:
                self._seen = stamp
                self._scan()
            return self._packages.get(title)
        try:
            changed = _stamp(package.folder / INDEX) != package.stamp
        except OSError:
            return None
        if changed:
            try:
                package = _read(package.folder)
            except AbrError:
                return None
            if package.index.title != title:
                return None
            self._packages[title] = package
        return package

    def _scan(self) -> None:
        self.problems.clear()
        found: dict[str, _Package] = {}
        for folder in self._candidates():
            try:
                package = _read(folder)
            except AbrError as exc:
                self.problems.append(str(exc))
                continue
            title = package.index.title
            if not is_servable(title):
                names = ", ".join(sorted(RESERVED))
                self.problems.append(f"{folder}: title {title!r} is reserved (as are {names})")
            elif title in found:
                self.problems.append(f"{folder}: title {title!r} is that of {found[title].folder}")
            else:
                found[title] = package
        self._packages = found

    def _candidates(self) -> list[Path]:
        if is_package(self._folder):
            return [self._folder]
        children = sorted(self._folder.iterdir())
        return [child for child in children if not child.name.startswith(".") and is_package(child)]

    def _stamp_of_folder(self) -> tuple[int, int]:
        try:
            return _stamp(self._folder)
        except OSError:
            return (0, 0)


def _read(folder: Path) -> _Package:
    try:
        stamp = _stamp(folder / INDEX)
    except OSError as exc:
        raise MissingFileError(f"{folder / INDEX}: cannot be read; expected a package") from exc
    index = read_index(folder)
    return _Package(folder, index, frozenset({INDEX, *files_of(index)}), stamp)


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_ino


def _open_regular(path: Path, kind: str) -> OpenObject | None:
    # A symbolic link is not followed, and opening a pipe does not wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        return None
    return OpenObject(
        size_bytes=found.st_size,
        media_type=kind,
        # RFC 9110 §8.8.1: a strong tag. Files of a package are replaced by renaming and never
        # written in place, so an equal time (to the nanosecond) and size mean equal bytes.
        etag=f'"{found.st_mtime_ns:x}-{found.st_size:x}"',
        last_modified_s=int(found.st_mtime),
        body=FileBody(FileIO(descriptor, "rb"), found.st_size),
    )


class PackageStore(Protocol):
    """A store that also knows the index of each title."""

    def titles(self) -> tuple[str, ...]:
        """Titles that can be played."""
        ...

    def index(self, title: str) -> PresentationIndex | None:
        """The index of ``title``; None when there is none."""
        ...


def titles_without_keys(store: PackageStore, keys: KeyStore) -> list[str]:
    """A message for each encrypted title whose keys are not all in ``keys``."""
    lines = []
    for title in store.titles():
        index = store.index(title)
        encryption = index.encryption if index else None
        if encryption and not set(encryption.kids) <= set(keys.kids(title)):
            lines.append(f"{title}: not all of its keys are in {keys.folder}; give --keys DIR")
    return lines
