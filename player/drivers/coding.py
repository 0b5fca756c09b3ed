"""Bodies that come compressed though they were asked for plain.

Source: RFC 9110, 8.4 (Content-Encoding); RFC 1950 to 1952 (zlib, deflate, gzip).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any


class CodingError(ValueError):
    """A body that cannot be unpacked."""


class Unpacker:
    """What unpacks a body that was compressed though we asked for it plain."""

    def __init__(self, coding: str) -> None:
        self._is_gzip = coding == "gzip"
        self._begun: Any = None
        self._held = b""

    def __repr__(self) -> str:
        return f"<Unpacker {'of gzip' if self._is_gzip else 'of deflate'}>"

    @property
    def is_at_end(self) -> bool:
        """Whether nothing is missing of what was begun."""
        return self._begun is None or bool(self._begun.eof)

    def take(self, piece: bytes, most: int) -> bytes:
        """What ``piece`` adds, up to ``most`` bytes.

        Raises:
            CodingError: it is not coded as was said.
        """
        if self._begun is None:
            self._held += piece
            if len(self._held) < 2:
                return b""
            piece, self._begun = self._held, self._begin(self._held)
        try:
            got = bytes(self._begun.decompress(piece, most))
            # RFC 1952, 2.2: members may follow each other.
            while self._is_gzip and self._begun.eof and len(got) < most:
                rest = self._begun.unused_data.lstrip(b"\0")
                if not rest:
                    break
                self._begun = self._begin(rest)
                got += self._begun.decompress(rest, most - len(got))
        except zlib.error as exc:
            raise CodingError("compressed data that cannot be unpacked") from exc
        return got

    def _begin(self, first: bytes) -> Any:
        if self._is_gzip:
            return zlib.decompressobj(16 + zlib.MAX_WBITS)
        # RFC 9110, 8.4.1.2: some send deflate without the header of zlib (RFC 1950, 2.2).
        has_header = first[0] & 0x0F == 8 and int.from_bytes(first[:2], "big") % 31 == 0
        return zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)


_OTHER_CODINGS = frozenset(["br", "zstd", "compress", "dcb", "dcz", "exi", "pack200-gzip"])
"""Codings that are registered, or common, and not read here."""


def unpacker(stated: Sequence[str]) -> Unpacker | None:
    """What unpacks a body of these Content-Encoding fields; None when it is plain.

    Names that are no codings, such as ``utf-8`` or ``aws-chunked``, change nothing: browsers pass
    over them too.

    Raises:
        CodingError: a coding that is not read here.
    """
    names = [name.strip().lower().removeprefix("x-") for name in ",".join(stated).split(",")]
    codings = [name for name in names if name in ("gzip", "deflate")]
    others = [name for name in names if name in _OTHER_CODINGS]
    if others or len(codings) > 1:
        found = ", ".join([*codings, *others])
        raise CodingError(f"Content-Encoding: {found}; expected identity")
    return Unpacker(codings[0]) if codings else None
