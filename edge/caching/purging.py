"""What a purge names: one key, all keys with a prefix, or all that carry a tag.

A tag is an entry of ``Surrogate-Key`` or ``Cache-Tag``, with which an origin marks what belongs
together, such as all files of one version of a title.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from transcode.packaging.layout import split_variant

MAX_TAGS = 64
"""Most tags of one response that count."""

MAX_TAG_LENGTH = 200
"""Longer tags do not count."""

_TAG_FIELDS = frozenset({"surrogate-key", "cache-tag"})


def tags_of(headers: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The tags of a response, each once, in their order."""
    found: dict[str, None] = {}
    for name, value in headers:
        if name.lower() in _TAG_FIELDS:
            found.update(
                dict.fromkeys(
                    tag for tag in re.split(r"[\s,]+", value) if 0 < len(tag) <= MAX_TAG_LENGTH
                )
            )
    return tuple(found)[:MAX_TAGS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """What to remove; one of the three is given."""

    key: str = ""
    """Everything under this lookup key, and both variants of a segment of that name."""
    prefix: str = ""
    """Everything whose lookup key begins so."""
    tag: str = ""
    """Everything that carries this tag."""

    def selects(self, key: str, tags: tuple[str, ...] | None) -> bool:
        """Whether something is to be removed.

        Args:
            key: Its lookup key.
            tags: Its tags; None when they are not known yet, so that it may carry any.
        """
        if self.key:
            return key == self.key or split_variant(key)[0] == self.key
        if self.prefix:
            return key.startswith(self.prefix)
        return bool(self.tag) and (tags is None or self.tag in tags)
