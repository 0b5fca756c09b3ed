"""What a session asks of its driver. Plain data; drivers add nothing to the meaning.

A URL may hold a token, so none is part of a ``repr``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from transcode.playlist import ByteRange

Kind = Literal["multivariant", "media", "init", "key", "segment", "token"]
"""Everything a viewer waits for, so that startup means the same with every driver."""

TrackName = Literal["", "video", "audio"]

Resource = tuple[Kind, str, ByteRange | None]
"""What identifies something that is fetched once: kind, URL and byte range. The kind,
because a playlist may name one URL as two kinds of thing."""


@dataclass(frozen=True, slots=True)
class KeyUse:
    """The content key and initialisation vector that decrypt something."""

    url: str = field(repr=False)
    """Where the 16-byte key is; the same URL as in the ``Fetch`` that brings it."""
    iv: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """Something to be fetched, whatever the number of tries."""

    kind: Kind
    url: str = field(repr=False)
    byte_range: ByteRange | None = None
    track: TrackName = ""
    segment: int = -1
    """Index of the segment; -1 for everything else."""
    rung: int = -1
    """Rung it belongs to; -1 where there is none."""
    key: KeyUse | None = None
    """What decrypts it; None when it is in the clear."""
    init: Resource | None = field(default=None, repr=False)
    """The initialisation section that a segment follows; None where there is none."""

    @property
    def resource(self) -> Resource:
        """What identifies it among all that is fetched once."""
        return (self.kind, self.url, self.byte_range)


@dataclass(frozen=True, slots=True)
class Fetch:
    """Get ``want`` from ``url`` and report under ``request_id``.

    ``url`` may hold a newer token than ``want.url``, which stays the same for the whole
    playback and identifies the resource.
    """

    request_id: int
    want: Want
    url: str = field(repr=False)
    attempt: int


@dataclass(frozen=True, slots=True)
class Abort:
    """Stop the transfer and report nothing more of it."""

    request_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Call ``wake`` at this time; replaces the previous one. inf: no need to."""

    time_s: float


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over; report nothing more."""

    reason: str


Action = Fetch | Abort | WakeAt | Ended
