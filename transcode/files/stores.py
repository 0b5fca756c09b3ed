"""Stores by address: a folder, or ``s3://BUCKET/PREFIX``."""

from __future__ import annotations

from pathlib import Path

from transcode.files.directory import DirectoryObjects
from transcode.files.s3 import SCHEME, S3Objects
from transcode.storage.objects import ObjectStore


def is_remote(where: str | Path) -> bool:
    """Whether ``where`` names a bucket and not a folder."""
    return str(where).startswith(f"{SCHEME}://")


def open_store(where: str | Path, *, create: bool = False) -> ObjectStore:
    """The store at ``where``.

    Args:
        where: A folder, or a URL of S3.
        create: Make the folder when there is none. Buckets are never made.

    Raises:
        MissingFileError: there is no such folder.
        InputError, ToolMissingError: see ``S3Objects``.
    """
    return S3Objects(str(where)) if is_remote(where) else DirectoryObjects(where, create=create)
