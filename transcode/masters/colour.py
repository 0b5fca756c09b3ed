"""Colour of a master: what its tags say."""

from __future__ import annotations

HDR_TRANSFERS = frozenset({"smpte2084", "arib-std-b67"})
"""Transfer functions that need tone mapping for a standard screen."""
