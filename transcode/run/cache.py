"""Products of encodes, kept by their address so that no work is done twice.

A folder that processes share, also from several machines::

    products/3f/3f2a….mp4   findings/….json   runs/….lock   tmp/…/   digests/….json

Products appear by rename, whole and checked. A run lists the products that it uses in a file
that it holds locked; what is least recently used and in no such list is removed when the
folder grows above its bound. Leftovers of runs that were killed are removed when it is opened.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from abr.errors import DiskFullError, MediaError, MissingFileError
from abr.shell import NO_ROOM_ERRORS, reason_of
from transcode.planning.products import SEAL_BYTES, ProductFacts, read_seal, seal
from transcode.run.owned import abandoned, owned_folder, remove_abandoned

_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# Products of `abr transcode`; what is here can be made again, and may be removed.\n"
)
"""Source: Cache Directory Tagging Specification 0.6."""


@dataclass(frozen=True, slots=True)
class Cache:
    """The folder; a value that can be sent to workers that see the same files."""

    folder: Path

    def create(self) -> None:
        """Make the folder, and remove what killed runs left in it.

        Raises:
            MissingFileError: it cannot be written to.
        """
        try:
            for name in ("products", "runs", "tmp", "digests"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            tag = self.folder / "CACHEDIR.TAG"
            if not tag.exists():
                tag.write_text(_TAG, encoding="ascii")
            remove_abandoned(self.folder / "tmp", "")
            with self._pruning(fcntl.LOCK_EX):
                self._used_by_the_living()
        except OSError as exc:
            if exc.errno in NO_ROOM_ERRORS:
                raise self.full() from exc
            raise MissingFileError(
                f"{self.folder}: {reason_of(exc)}; expected a folder for the cache that can be "
                "written to; give another with --cache DIR, or --no-cache"
            ) from exc

    def full(self) -> DiskFullError:
        """The error for a disk without room."""
        return DiskFullError(
            f"{self.folder}: no room left on the disk for the cache; free some space or give "
            "another folder with --cache DIR; finished chunks are kept"
        )

    @property
    def digests(self) -> Path:
        """Folder of remembered digests of files."""
        return self.folder / "digests"

    @property
    def findings(self) -> Path:
        """Folder of what was measured; see ``findings``."""
        return self.folder / "findings"

    def path_of(self, address: str) -> Path:
        """Where the product of this address is, or would be."""
        return self.folder / "products" / address[:2] / f"{address}.mp4"

    def holds(self, address: str) -> bool:
        """Whether a product is there; it is not read."""
        return self.path_of(address).is_file()

    def look_up(self, address: str) -> ProductFacts | None:
        """The facts of a product that is there and unchanged; a damaged one is removed."""
        path = self.path_of(address)
        try:
            facts = check_file(path)
            os.utime(path)  # was used
            return facts
        except FileNotFoundError:
            return None
        except MediaError:
            path.unlink(missing_ok=True)
            return None

    @contextlib.contextmanager
    def workspace(self) -> Iterator[Path]:
        """A folder for products that are being made."""
        with owned_folder(self.folder / "tmp", "") as folder:
            yield folder

    def put(self, path: Path, address: str, facts: ProductFacts) -> None:
        """Seal the file ``path`` of a workspace and give it its address."""
        with path.open("ab") as file:
            file.write(seal(facts))
        target = self.path_of(address)
        target.parent.mkdir(exist_ok=True)
        os.replace(path, target)

    @contextlib.contextmanager
    def in_use(self, addresses: Collection[str]) -> Iterator[None]:
        """Keep these products, there already or not, from being pruned."""
        runs = self.folder / "runs"
        with self._pruning(fcntl.LOCK_SH):
            path = runs / f"{secrets.token_hex(8)}.lock"
            file = path.open("x", encoding="ascii")
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write("\n".join(addresses))
            file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            file.close()

    def prune(self, most_bytes: int) -> int:
        """Remove the least recently used products until ``most_bytes`` are left; return how many.

        What a live run uses stays, so more may be left. What workers that were killed left half
        done is removed too.
        """
        removed = 0
        remove_abandoned(self.folder / "tmp", "")
        with self._pruning(fcntl.LOCK_EX):
            kept = self._used_by_the_living()
            found = []
            for path in self.folder.glob("products/*/*.mp4"):
                with contextlib.suppress(FileNotFoundError):
                    stat = path.stat()
                    found.append((stat.st_mtime_ns, stat.st_size, path))
            total = sum(size for _, size, _ in found)
            for _, size, path in sorted(found):
                if total <= most_bytes:
                    break
                if path.stem not in kept:
                    path.unlink(missing_ok=True)
                    total -= size
                    removed += 1
        return removed

    @contextlib.contextmanager
    def _pruning(self, kind: int) -> Iterator[None]:
        """Runs that begin share this lock, one that prunes has it alone."""
        with (self.folder / "prune.lock").open("a") as file:
            fcntl.flock(file, kind)
            yield

    def _used_by_the_living(self) -> set[str]:
        """What live runs list; the lists of dead ones are removed."""
        used: set[str] = set()
        for path in (self.folder / "runs").glob("*.lock"):
            with abandoned(path) as is_abandoned:
                if not is_abandoned:
                    with contextlib.suppress(OSError):
                        used.update(path.read_text(encoding="ascii").split())
        return used


def check_file(path: Path) -> ProductFacts:
    """The facts of a product, once its digest has been found right.

    Raises:
        FileNotFoundError: there is none.
        MediaError: it is cut off or was changed.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size <= SEAL_BYTES:
            raise MediaError(f"{path}: {size} bytes; expected a product with its seal")
        file.seek(-SEAL_BYTES, os.SEEK_END)
        facts = read_seal(file.read())
        file.seek(0)
        digest, left = hashlib.sha256(), size - SEAL_BYTES
        while left:
            data = file.read(min(left, 1 << 20))
            if not data:
                raise MediaError(f"{path}: grew shorter while it was read; expected a whole file")
            digest.update(data)
            left -= len(data)
    if digest.hexdigest() != facts.sha256:
        raise MediaError(f"{path}: was changed on the disk; expected the digest in its seal")
    return facts


def is_full(exc: BaseException) -> bool:
    """Whether ``exc`` says that a disk is full."""
    return isinstance(exc, OSError) and exc.errno in (*NO_ROOM_ERRORS, errno.EFBIG)
