"""Stores by address: a folder, or ``s3://BUCKET/PREFIX``."""

from __future__ import annotations

import re
from pathlib import Path

from abr.errors import InputError
from transcode.files.directory import DirectoryObjects
from transcode.files.s3 import SCHEME, S3Objects
from transcode.storage.objects import ObjectStore

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


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
        InputError: an address of another kind; see also ``S3Objects``.
        ToolMissingError: see ``S3Objects``.
    """
    if is_remote(where):
        return S3Objects(str(where))
    if (scheme := _URL.match(str(where))) is not None:
        raise InputError(
            f"{scheme[0]}…: not a store that is known; expected a folder, or s3://BUCKET/PREFIX"
        )
    return DirectoryObjects(where, create=create)
