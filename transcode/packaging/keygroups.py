"""Groups of tracks that share content keys, so that a licence may open some and not others.

A title has one key for all its tracks, or one for each group: sound, and pictures by how many
lines they have. Who may watch in standard definition is then given no key of the larger pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

GroupName = Literal["all", "audio", "sd", "hd", "uhd"]
KeysPer = Literal["title", "quality"]
"""What has keys of its own: the title as a whole, or each group."""

NAMES: tuple[GroupName, ...] = ("all", "audio", "sd", "hd", "uhd")
"""All groups, in the order in which a package lists them."""
CEILINGS: Mapping[str, int] = {"sd": 576, "hd": 1080}
"""Most lines of a picture in a group; ``uhd`` has no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyGroup:
    """Tracks of a package that are encrypted with the same keys."""

    name: GroupName
    height: int
    """Most lines of any picture that its keys open; 0: they open sound alone."""
    folders: tuple[str, ...]
    """Folders of its tracks, in the order of the index."""
    kids: tuple[str, ...]
    """Key ids, one for each period."""


def lines_of(width: int, height: int) -> int:
    """Lines of a picture as groups count them: a portrait one is counted as if it lay."""
    return min(width, height)


def group_for(lines: int, keys_per: KeysPer) -> GroupName:
    """The group of a track with pictures of so many lines; 0 lines are sound."""
    if keys_per == "title":
        return "all"
    if not lines:
        return "audio"
    if lines <= CEILINGS["sd"]:
        return "sd"
    return "hd" if lines <= CEILINGS["hd"] else "uhd"
