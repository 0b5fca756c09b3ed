"""The watermark at the origin: patterns of sessions, and which variant of a segment is sent.

Every tier chooses by itself, from the pattern in the token that a request comes with, so that
paths of variants are asked for by nobody, and refused to everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from origin.paths import Target
from origin.server.store import TitleStore
from origin.signing import Secrets
from origin.tokens.permission import Permission
from origin.tokens.refusals import refuse
from transcode.packaging.layout import segment_number, variant_b
from transcode.storage.published import is_version
from transcode.watermark.pattern import bit_of, one_variant, pattern_of, watermark_secret

VARIANTS: Mapping[str, int] = {"a": 0, "b": 1}
"""Variants that a cache may be filled with, as ``/playback`` is asked for them."""


class Marking:
    """Patterns for the titles that are watermarked.

    Args:
        store: The packages.
        keys: Holds the secret, which is made when it is first needed.
    """

    def __init__(self, store: TitleStore, keys: Secrets) -> None:
        self._store, self._keys = store, keys
        self._secret = b""

    def __repr__(self) -> str:
        return f"<Marking of {self._store!r}, {'with' if self._secret else 'without'} its secret>"

    def of_session(
        self, title: str, session: str, variant: int | None = None
    ) -> tuple[bytes, dict[str, Any]]:
        """The pattern of a new session, and what is told to whoever asked for it.

        Args:
            title: What it is to play.
            session: Its id.
            variant: Choose this one everywhere, to fill a cache with it.

        Returns:
            Empty, and nothing to tell, where the title is not watermarked.
        """
        index = self._store.index(title)
        if index is None or not index.watermarked:
            return b"", {}
        if variant is not None:
            return one_variant(variant), {"watermarked": True}
        if not self._secret:
            self._secret = watermark_secret(self._keys)
        # Whoever gives the URL to a viewer writes the session down, or nobody can be named later.
        return pattern_of(self._secret, session), {"watermarked": True, "session": session}

    def path(self, target: Target, permission: Permission) -> str:
        """Where the variant is that a request gets; the path as it is where there are none.

        Raises:
            TokenError: there are, and the token has no pattern.
        """
        number = segment_number(target.path)
        if number is None:
            return target.path
        named = target.path.partition("/")[0]
        index = self._store.index(target.title, named if is_version(named) else "")
        if index is None or not index.watermarked:
            return target.path
        if not permission.watermark:
            refuse("unmarked")
        return variant_b(target.path) if bit_of(permission.watermark, number) else target.path
