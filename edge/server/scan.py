"""What is in a cache folder: reading its sidecars, for threads because it waits for the disk.

Nothing here changes what is held: a folder is read while an edge already uses it, so what looks
like left by a crash may be under way. It is looked at once more before it is removed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from edge.caching import stored as sidecar
from edge.caching.stored import StoredObject
from edge.index import Entry

SUFFIX = ".json"
"""What the name of a sidecar adds to that of its body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A stored object as it is remembered while nobody asks for it: its fields stay on disk."""

    entry: Entry
    base: str
    end: str
    """End of its file name, after the stem: the very text that is kept."""
    vary: tuple[str, ...]
    """Names of the request fields that select it."""
    tags: tuple[str, ...]

    @property
    def body(self) -> str:
        """File name of its body."""
        return f"{sidecar.file_stem(self.base)}-{self.end}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What one folder of a cache holds."""

    found: list[Found]
    leftovers: list[Path]
    """Files that belong to no stored object, as it seems."""


def sidecar_path(body: Path) -> Path:
    """Where the sidecar of a body is."""
    return body.with_name(body.name + SUFFIX)


def read_sidecar(body: Path) -> StoredObject | None:
    """What is stored with a body; None when it is gone or damaged."""
    try:
        data = sidecar_path(body).read_bytes()
    except OSError:
        return None
    stored = sidecar.loads(data)
    return stored if stored is not None and stored.body == body.name else None


def folders(objects: Path) -> list[Path]:
    """The folders that hold objects."""
    return sorted(each for each in objects.iterdir() if each.is_dir())


def list_folder(folder: Path, owns: Callable[[str], bool]) -> Listing:
    """List one folder.

    Args:
        folder: One of ``folders``.
        owns: Whether objects whose file names begin with this stem are wanted.
    """
    sizes: dict[str, int] = {}
    for item in os.scandir(folder):
        if owns(item.name.partition("-")[0]):
            with suppress(FileNotFoundError):
                sizes[item.name] = item.stat().st_size
    found: dict[str, Found] = {}
    seconds: dict[float, float] = {}
    for name in sizes:
        if not name.endswith(SUFFIX):
            continue
        stored = read_sidecar(folder / name.removesuffix(SUFFIX))
        if stored is None or sizes.get(stored.body) != stored.size_bytes:
            continue
        # Of two, a crash left the copy that the newer one had just replaced.
        other = found.get(stored.key)
        if other is None or other.entry.stored_s < stored.stored_s:
            found[stored.key] = _brief(stored, seconds)
    bodies = {each.body for each in found.values()}
    left = [folder / name for name in sizes if name.removesuffix(SUFFIX) not in bodies]
    return Listing(found=list(found.values()), leftovers=left)


def find(objects: Path, base: str) -> list[StoredObject]:
    """Everything stored under a lookup key, the oldest first.

    File names begin with a part of the key's digest, so only names are listed.
    """
    return sorted(_matching(objects, base), key=lambda stored: stored.stored_s)


def _matching(objects: Path, base: str) -> Iterator[StoredObject]:
    stem = sidecar.file_stem(base)
    folder = objects / stem[:2]
    try:
        names = [name for name in os.listdir(folder) if name.startswith(stem)]
    except OSError:
        return
    for name in names:
        body = folder / name.removesuffix(SUFFIX)
        if body.name == name:
            continue
        stored = read_sidecar(body)
        if stored is not None and stored.lookup_key == base and _is_whole(body, stored):
            yield stored


def remove_leftovers(paths: Iterable[Path], is_held: Callable[[StoredObject], bool]) -> None:
    """Remove what still belongs to no stored object.

    Args:
        paths: Bodies and sidecars.
        is_held: Whether the cache has come to hold an object meanwhile.
    """
    for path in paths:
        body = path.with_name(path.name.removesuffix(SUFFIX))
        stored = read_sidecar(body)
        if stored is None or not _is_whole(body, stored) or not is_held(stored):
            with suppress(OSError):
                sidecar_path(body).unlink(missing_ok=True)
                body.unlink(missing_ok=True)


def _is_whole(body: Path, stored: StoredObject) -> bool:
    try:
        return body.stat().st_size == stored.size_bytes
    except OSError:
        return False


def _brief(stored: StoredObject, seconds: dict[float, float]) -> Found:
    """The little that is kept; equal texts and numbers are kept once."""
    entry, key = stored.entry(), stored.key
    return Found(
        entry=replace(
            entry,
            age_s=seconds.setdefault(entry.age_s, entry.age_s),
            lifetime_s=seconds.setdefault(entry.lifetime_s, entry.lifetime_s),
            stale_while_revalidate_s=seconds.setdefault(
                entry.stale_while_revalidate_s, entry.stale_while_revalidate_s
            ),
            stale_if_error_s=seconds.setdefault(entry.stale_if_error_s, entry.stale_if_error_s),
        ),
        base=key if stored.lookup_key == key else stored.lookup_key,
        end=stored.body.partition("-")[2],
        vary=tuple(name for name, _ in stored.vary),
        tags=stored.tags,
    )
