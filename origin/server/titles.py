"""Where an origin's titles come from: packages in folders, or a store of published titles."""

from __future__ import annotations

from pathlib import Path

from origin.server.published import PublishedStore
from origin.server.store import DirectoryStore
from transcode.files.stores import is_remote, open_store
from transcode.storage.published import CURRENT

Titles = DirectoryStore | PublishedStore


def open_titles(where: str | Path) -> Titles:
    """The titles at ``where``: a package, a folder of packages, or a store.

    Raises:
        MissingFileError: no such folder.
        PackageError: no title in it.
        InputError, ToolMissingError, StoreError: a store that cannot be opened or read.
    """
    if is_remote(where) or (Path(where) / CURRENT).is_dir():
        return PublishedStore(open_store(where))
    return DirectoryStore(where)
