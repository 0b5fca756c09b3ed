"""Where the origin's objects are: packages in folders. ``published`` reads stores.

Only files that the index of a package lists are served: playlists, initialisation sections,
segments and the index itself. Temporary files, keys, dotfiles and anything else in the
folder are not, no matter how a path is written, and no link in a package is followed.

Every file can be had below the name of the package's version too, ``<version>/<path>``, and the
entries lead there. What has such a name never changes, so it may be kept for long; when a
package is replaced, its old names are gone, and no playback gets parts of both.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Protocol, Self

from abr.errors import AbrError, MissingFileError, PackageError
from origin.httprules import media_type
from origin.paths import RESERVED, is_servable
from origin.server.beneath import open_beneath
from origin.server.folderversion import FolderVersion, look
from origin.server.sending import FileBody
from transcode.files.keystore import KeyStore
from transcode.files.reader import is_package, links_in, read_index
from transcode.packaging.index import PresentationIndex, files_of
from transcode.packaging.layout import INDEX, MANIFEST
from transcode.playlist.relocate import relocate
from transcode.storage.manifest import relocate_manifest
from transcode.storage.published import ENTRIES, is_version


@dataclass(slots=True)
class OpenObject(AbstractContextManager["OpenObject"]):
    """One object, open for reading; a context manager that closes it."""

    size_bytes: int
    media_type: str
    etag: str
    """Strong entity tag with its quotes."""
    last_modified_s: int
    body: FileBody
    is_fixed: bool = False
    """These bytes are all that its name ever stands for."""
    tags: tuple[str, ...] = ()
    """What it belongs to, for purges: the title, and its version."""

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

    def index(self, title: str, version: str = "") -> PresentationIndex | None:
        """The index of a title, of the current version by default; None when there is none."""
        ...


@dataclass(slots=True)
class _Package:
    """A package, as when its index was read."""

    folder: Path
    index: PresentationIndex = field(repr=False)
    files: frozenset[str] = field(repr=False)
    stamp: tuple[int, int]
    _version: FolderVersion | None = field(default=None, repr=False)

    @property
    def version(self) -> FolderVersion:
        """Its version, made when it is first needed: that looks at every file."""
        if self._version is None:
            self._version = look(self.folder, self.files)
        return self._version

    def look_again(self) -> None:
        """Have its version made anew, because a file has changed."""
        self._version = None


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

    def index(self, title: str, version: str = "") -> PresentationIndex | None:
        """The index of ``title``, the same for all versions; None when there is no such package."""
        package = self._current(title)
        return package.index if package else None

    def open(self, title: str, path: str) -> OpenObject | None:
        """The object, open for reading; None when the package does not list it."""
        package = self._current(title)
        kind = media_type(path)
        if package is None or kind is None:
            return None
        named, slash, below = path.partition("/")
        is_fixed = bool(slash) and is_version(named)
        name = below if is_fixed else path
        if name not in package.files:
            return None
        opened = self._opened(package, name)
        if opened is None:
            return None
        file, found = opened
        version = package.version
        if is_fixed and named != version.name:
            file.close()
            return None
        tags = (title, f"{title}/{version.name}")
        if name in ENTRIES and not is_fixed:
            with file:
                return _entry(file.read(), name, kind, version, tags)
        return OpenObject(
            size_bytes=found.st_size,
            media_type=kind,
            # RFC 9110 §8.8.1: a strong tag. Files of a package are replaced by renaming and never
            # written in place, so an equal time (to the nanosecond) and size mean equal bytes.
            etag=f'"{found.st_mtime_ns:x}-{found.st_size:x}"',
            last_modified_s=int(found.st_mtime),
            body=FileBody(file, found.st_size),
            is_fixed=is_fixed,
            tags=tags,
        )

    def _opened(self, package: _Package, name: str) -> tuple[FileIO, os.stat_result] | None:
        """A file of the package, which is then of the version that the package is said to be."""
        opened = open_beneath(package.folder, name)
        if opened is None:
            return None
        descriptor, found = opened
        if not package.version.has(name, found):
            package.look_again()
        return FileIO(descriptor, "rb"), found

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
    files = frozenset({INDEX, *files_of(index)})
    links = links_in(folder, {str(Path(path).parent) for path in files})
    if links:
        raise PackageError(
            f"{folder}: {', '.join(links)}: a symbolic link; no link in a package is followed; "
            "put the folder itself there"
        )
    return _Package(folder, index, files, stamp)


def _entry(
    data: bytes, name: str, kind: str, version: FolderVersion, tags: tuple[str, ...]
) -> OpenObject | None:
    """A playlist or manifest that leads to the files of ``version``."""
    move = relocate_manifest if name == MANIFEST else relocate
    try:
        moved = move(data.decode("utf-8"), f"{version.name}/").encode()
    except (UnicodeDecodeError, PackageError):
        return None
    return OpenObject(
        size_bytes=len(moved),
        media_type=kind,
        etag=f'"{version.name}-{len(moved):x}"',
        last_modified_s=int(version.changed_s),
        body=FileBody(in_memory(moved), len(moved)),
        tags=tags,
    )


def in_memory(data: bytes) -> FileIO:
    """A file of these bytes that only this process sees."""
    descriptor = os.memfd_create("object", os.MFD_CLOEXEC)
    file = FileIO(descriptor, "rb+")
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    return file


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_ino


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
