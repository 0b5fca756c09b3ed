"""What a session asks of its driver. Plain data; drivers add nothing to the meaning.

A URL may hold a token, so none is part of a ``repr``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from transcode.playlist import ByteRange

Kind = Literal["multivariant", "media", "init", "key", "licence", "segment", "token", "steering"]
"""Everything a viewer waits for, so that startup means the same with every driver; and what
a steering server says, which nobody waits for."""

TrackName = Literal["", "video", "audio"]

Method = Literal["AES-128", "SAMPLE-AES", "SAMPLE-AES-CTR"]
"""AES-128 of whole files, or what is inside samples: ``cbcs`` or ``cenc``."""


class Resource(NamedTuple):
    """What identifies something that is fetched once.

    The kind is part of it, because a playlist may name one URL as two kinds of thing, and the
    key id, because one URL gives the licences of all keys.
    """

    kind: Kind
    url: str
    byte_range: ByteRange | None = None
    kid: str = ""


@dataclass(frozen=True, slots=True)
class KeyUse:
    """The content key that decrypts something, and how."""

    url: str = field(repr=False)
    """Where the key is; the same URL as in the ``Fetch`` that brings it."""
    iv: bytes
    """Of whole files; samples have theirs in the media."""
    method: Method = "AES-128"
    kid: str = ""
    """Id of a key that a licence holds; empty: the URL answers with the key's 16 bytes."""

    @property
    def resource(self) -> Resource:
        """What brings the key."""
        return Resource("licence" if self.kid else "key", self.url, None, self.kid)


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
    kid: str = ""
    """Of a licence: the id of the key that is asked for; empty for everything else."""
    directives: str = ""
    """Of a playlist: parameters for its URL that say what to answer with, such as a delta."""
    end_s: float = 0.0
    """Of a segment: where the media that follow it begin; 0 for everything else."""
    duration_s: float = 0.0
    """Of a segment, as its playlist says; 0 for everything else."""
    needs: frozenset[Resource] = field(default=frozenset(), repr=False)
    """Of a segment: what must be here beside it before it can be played."""
    playlist: str = field(default="", repr=False)
    """URL of the media playlist that names it; empty where none does."""

    @property
    def resource(self) -> Resource:
        """What identifies it among all that is fetched once."""
        return Resource(self.kind, self.url, self.byte_range, self.kid)


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
