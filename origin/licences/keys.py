"""A content key on its way into a licence."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyToGive:
    """A content key that a licence gives."""

    kid: str
    """Key id: 32 hexadecimal digits in lower case."""
    key: bytes = field(repr=False)
    """16 secret bytes."""
    height: int = 0
    """Lines of the tallest picture that it opens, 0 for sound or where nobody knows: what such
    systems make output protection and security levels of."""
    is_ahead: bool = False
    """It was not asked for, and will be needed next."""
