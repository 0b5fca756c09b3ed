"""Packages on disk, read: the index, the presentation, and the size of each file.

This shell only reads files; ``layout`` and ``indexfile`` decide what is right. A folder is a
package when it holds ``presentation.json``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from abr.arguments import as_path
from abr.errors import MissingFileError, PackageError
from abr.media import Presentation
from abr.shell import reason_of
from transcode.packaging.checks import check_files, check_multivariant
from transcode.packaging.index import PresentationIndex, files_of
from transcode.packaging.indexfile import parse_index
from transcode.packaging.layout import INDEX, MULTIVARIANT, REMEDY
from transcode.packaging.listing import texts_of
from transcode.packaging.presentation import presentation_of_package
from transcode.playlist import MultivariantPlaylist, Playlist, parse


def is_package(folder: str | os.PathLike[str]) -> bool:
    """Whether ``folder`` looks like a package; its contents are not checked.

    Raises:
        ArgumentError: no path.
    """
    return (as_path(folder, "is_package(folder=...)") / INDEX).is_file()


def read_index(folder: str | os.PathLike[str]) -> PresentationIndex:
    """The index of the package in ``folder``.

    Raises:
        MissingFileError: no such folder, or no index in it.
        PackageError: the index cannot be used; see ``parse_index``.
    """
    folder = as_path(folder, "read_index(folder=...)")
    if not folder.is_dir():
        raise MissingFileError(f"{folder}: no such folder; expected a package of `abr transcode`")
    return parse_index(read_text(folder / INDEX), where=str(folder / INDEX))


def read_presentation(folder: str | os.PathLike[str]) -> Presentation:
    """The package in ``folder`` as players and algorithms see it.

    Raises:
        MissingFileError, PackageError: as ``read_index``.
    """
    return presentation_of_package(read_index(as_path(folder, "read_presentation(folder=...)")))


def check_package(folder: str | os.PathLike[str]) -> PresentationIndex:
    """Read a package whole and check that its files, sizes and playlists agree.

    Raises:
        MissingFileError, PackageError, PlaylistError: naming the file and what to do.
    """
    folder = as_path(folder, "check_package(folder=...)")
    index = read_index(folder)
    links = links_in(folder, files_of(index))
    if links:
        raise PackageError(
            f"{folder / links[0]}: a symbolic link; no link in a package is followed; put the "
            "file or folder itself there"
        )
    found = {path: size(folder / path) for path in files_of(index) if (folder / path).is_file()}
    check_files(index, found, where=str(folder))
    multivariant = read_playlist(folder / MULTIVARIANT)
    if not isinstance(multivariant, MultivariantPlaylist):
        raise PackageError(f"{folder / MULTIVARIANT}: a media playlist; expected all variants")
    check_multivariant(index, multivariant, where=str(folder / MULTIVARIANT))
    for name, text in texts_of(index).items():
        if name == MULTIVARIANT:
            continue
        path = folder / name
        is_playlist = path.suffix == ".m3u8"
        same = read_playlist(path) == parse(text) if is_playlist else read_text(path) == text
        if not same:
            raise PackageError(f"{path}: does not say what {INDEX} says; {REMEDY}")
    return index


def links_in(folder: Path, paths: Iterable[str]) -> list[str]:
    """Which of ``paths`` below ``folder``, and of the folders they are in, are links."""
    all_of = {str(part) for path in paths for part in (Path(path), *Path(path).parents)} - {"."}
    return sorted(part for part in all_of if (folder / part).is_symlink())


def read_playlist(path: str | os.PathLike[str]) -> Playlist:
    """The playlist in ``path``.

    Raises:
        MissingFileError: it does not exist.
        PlaylistError: it is not a playlist.
    """
    return parse(read_text(path), uri=str(path))


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of ``path``; bytes that are not UTF-8 become U+FFFD, which no format accepts.

    Raises:
        MissingFileError: there is no such file, or it cannot be read.
    """
    path = as_path(path, "read_text(path=...)")
    try:
        return path.read_bytes().decode("utf-8", errors="replace")
    except OSError as exc:
        raise MissingFileError(f"{path}: {reason_of(exc)}; expected a readable file") from exc


def size(path: Path) -> int:
    """Bytes in ``path``.

    Raises:
        MissingFileError: there is no such file.
    """
    try:
        return path.stat().st_size
    except OSError as exc:
        raise MissingFileError(f"{path}: {reason_of(exc)}; expected a file") from exc
