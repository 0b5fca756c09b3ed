"""How a published title is laid out in a store, so that a new version appears at once.

Everything of a version is below a name of its own, which follows from the bytes of the
package, and never changes::

    film/r3f9c0a1e2b4d5c6f/v0/00000.m4s …   every file of the package
    film/multivariant.m3u8                  the version to play, by URIs into its folder
    film/manifest.mpd                       the same for DASH, where the package has one
    _current/film.json                      the version that origins announce; written last

Players that began with an older version go on with it until it is pruned.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from abr.errors import PackageError
from transcode.packaging.layout import INDEX, MANIFEST, MULTIVARIANT, is_title
from transcode.storage.objects import ObjectInfo

CURRENT = "_current/"
"""Where the store says which version of each title is current; listing it gives the titles."""
ENTRIES = (MANIFEST, MULTIVARIANT)
"""Files at which a player begins; each is written below the title as well."""
_VERSION = re.compile(r"r[0-9a-f]{16}")
_FORMAT = "abrkit published title"


def is_version(text: str) -> bool:
    """Whether ``text`` has the form of a version's name."""
    return _VERSION.fullmatch(text) is not None


def version_of(digests: Mapping[str, str]) -> str:
    """The name of a version: equal for equal files, and for no others.

    Args:
        digests: SHA-256 of each file in hexadecimal digits, by relative path; or whatever else is
            another text for another file.
    """
    text = "".join(f"{path}\n{digests[path]}\n" for path in sorted(digests))
    return f"r{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def upload_order(paths: Sequence[str]) -> list[str]:
    """Media first, then the playlists that list them, then the index and what lists those."""

    def rank(path: str) -> tuple[int, str]:
        is_playlist = PurePosixPath(path).suffix == ".m3u8"
        return (2 if path in (*ENTRIES, INDEX) else 1 if is_playlist else 0), path

    return sorted(paths, key=rank)


def current_key(title: str) -> str:
    """Key of the object that names the current version of ``title``."""
    return f"{CURRENT}{title}.json"


def title_of_key(key: str) -> str | None:
    """The title whose current version the object ``key`` names; None for other objects."""
    title = key.removeprefix(CURRENT).removesuffix(".json")
    return title if key == current_key(title) and is_title(title) else None


def print_current(version: str) -> str:
    """The text of a title's object in ``_current``."""
    return json.dumps({"format": _FORMAT, "version": version}) + "\n"


def parse_current(text: str, *, where: str) -> str:
    """The version that such a text names.

    Raises:
        PackageError: it is something else.
    """
    try:
        value = json.loads(text)
        version = value["version"] if value["format"] == _FORMAT else None
    except (ValueError, TypeError, KeyError, RecursionError):
        version = None
    if not isinstance(version, str) or not is_version(version):
        raise PackageError(f"{where}: names no version; publish the title again")
    return version


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedVersion:
    """One version of a title in a store."""

    title: str
    version: str
    published_s: float
    """Unix time of its last file."""
    files: int
    size_bytes: int
    is_current: bool


def versions_among(
    objects: Sequence[ObjectInfo], current: Mapping[str, str]
) -> list[PublishedVersion]:
    """The versions that a store's objects belong to, newest first within each title.

    Args:
        objects: All objects, or those of one title.
        current: The version announced of each title that has one.
    """
    found: dict[tuple[str, str], list[ObjectInfo]] = {}
    for each in objects:
        title, _, rest = each.key.partition("/")
        version, slash, _ = rest.partition("/")
        if slash and is_title(title) and is_version(version):
            found.setdefault((title, version), []).append(each)
    listed = [
        PublishedVersion(
            title=title,
            version=version,
            published_s=max(each.modified_s for each in files),
            files=len(files),
            size_bytes=sum(each.size_bytes for each in files),
            is_current=current.get(title) == version,
        )
        for (title, version), files in found.items()
    ]
    return sorted(listed, key=lambda each: (each.title, -each.published_s, each.version))


def to_prune(versions: Sequence[PublishedVersion], *, keep: int) -> list[PublishedVersion]:
    """Versions of one title to remove: all but the current one and the ``keep`` newest others."""
    others = [each for each in versions if not each.is_current]
    return sorted(others, key=lambda each: -each.published_s)[keep:]
