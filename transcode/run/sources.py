"""Where the files of an inspected package come from: one folder, and none outside it.

Nothing in a playlist is trusted: addresses of other kinds and paths out of the package's folder
are not followed.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from abr.shell import reason_of
from transcode.inspection.facts import Delivery
from transcode.playlist.model import ByteRange


class UnreadableError(Exception):
    """A listed file that cannot be read, and why; never shown with an address."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Bytes, and how they came."""

    data: bytes = field(repr=False)
    address: str = field(repr=False)
    """After redirects."""
    delivery: Delivery | None = None


class Source(Protocol):
    """Where files come from. Addresses are its own."""

    start: str
    """Address of the playlist to begin with."""
    is_stored: bool

    def resolve(self, base: str, uri: str) -> str:
        """The address of ``uri`` as written in the playlist at ``base``.

        Raises:
            UnreadableError: it leads where it must not.
        """
        ...

    def name(self, address: str) -> str:
        """What people are shown."""
        ...

    async def read(self, address: str, part: ByteRange | None, most_bytes: int) -> Answer:
        """Bytes of a file, or of a part of it.

        Raises:
            UnreadableError: they cannot be had.
        """
        ...

    def size(self, address: str) -> int | None:
        """Bytes of a file without reading it; None when that is not known.

        Raises:
            UnreadableError: it is not there.
        """
        ...


@dataclass(slots=True)
class FolderSource:
    """Files of one folder, and none outside it."""

    root: Path
    start: str
    is_stored: bool = True
    _sizes: dict[str, int] = field(default_factory=dict, repr=False)

    def resolve(self, base: str, uri: str) -> str:
        """See ``Source``."""
        try:
            parts = urlsplit(uri)
        except ValueError as exc:
            raise UnreadableError("an address that cannot be resolved") from exc
        if parts.scheme or parts.netloc:
            raise UnreadableError(
                f"an address with {parts.scheme or 'a host'}: not followed from a package on disk"
            )
        if "\0" in uri or "%00" in uri:
            raise UnreadableError("a path with a zero byte")
        try:
            is_literal = (Path(base).parent / uri).exists()
            path = uri if is_literal else unquote(parts.path)
            target = (Path(base).parent / path).resolve()
        except (OSError, RuntimeError, ValueError) as exc:
            raise UnreadableError("a path that cannot be resolved") from exc
        if not target.is_relative_to(self.root):
            raise UnreadableError("leads out of the package's folder; not followed without --root")
        return str(target)

    def name(self, address: str) -> str:
        """See ``Source``."""
        return str(Path(address).relative_to(self.root))

    async def read(self, address: str, part: ByteRange | None, most_bytes: int) -> Answer:
        """See ``Source``."""
        data = await asyncio.to_thread(self._read, address, part, most_bytes)
        return Answer(data=data, address=address)

    def _read(self, address: str, part: ByteRange | None, most_bytes: int) -> bytes:
        size = self.size(address)
        if part is not None and part.offset + part.length > size:
            raise UnreadableError(
                f"the range ends at byte {part.offset + part.length:,}; the file has {size:,}"
            )
        wanted = part.length if part is not None else size
        if wanted > most_bytes:
            raise UnreadableError(f"{wanted:,} bytes; expected at most {most_bytes:,}")
        try:
            with open(address, "rb") as file:
                file.seek(part.offset if part is not None else 0)
                return file.read(wanted)
        except OSError as exc:
            raise UnreadableError(reason_of(exc)) from exc

    def size(self, address: str) -> int:
        """See ``Source``."""
        if address not in self._sizes:
            try:
                if not Path(address).is_file():
                    raise UnreadableError("no such file")
                self._sizes[address] = os.stat(address).st_size
            except OSError as exc:
                raise UnreadableError(reason_of(exc)) from exc
        return self._sizes[address]


def plain_name(uri: str) -> str:
    """The last part of a URI's path: what may be shown of one that was not followed."""
    try:
        path = urlsplit(uri).path
    except ValueError:
        path = ""
    return path.rpartition("/")[2][:60] or "an address"
