"""From what arrives to clear media: every piece is decrypted as soon as its key is here.

Keys and media arrive in any order. Decrypting is also the check that media came whole
and with the right key; what fails it is reported like any other failed request, in time
for the session to hear of the failure and not of an arrival.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from abr.errors import MediaError
from player.playback.actions import Want
from player.playback.retry import Failure
from transcode.encryption import decrypt


@dataclass(frozen=True, slots=True)
class Arrival:
    """A response that is complete."""

    request_id: int
    want: Want
    body: bytes = field(repr=False)
    """May be a key."""


class UnusableError(Exception):
    """Media that cannot be decrypted: which request brought it, and what to report."""

    def __init__(self, request_id: int, failure: Failure) -> None:
        super().__init__(failure.message)
        self.request_id = request_id
        self.failure = failure


class Decrypter:
    """The keys of one playback, and the media that waits for them."""

    def __init__(self) -> None:
        self._keys: dict[str, bytes] = {}
        self._waiting: list[Arrival] = []

    def __repr__(self) -> str:
        return f"<Decrypter {len(self._keys)} keys, {len(self._waiting)} waiting for one>"

    def take(self, arrival: Arrival) -> list[tuple[Want, bytes]]:
        """A response arrived; returns the media that became clear, in order of arrival.

        Raises:
            UnusableError: this response, or one that waited for it, cannot be decrypted.
        """
        if arrival.want.kind == "key":
            self._keys[arrival.want.url] = arrival.body
        elif arrival.want.kind in ("init", "segment"):
            self._waiting.append(arrival)
        ready = [each for each in self._waiting if self._has_key_of(each)]
        self._waiting = [each for each in self._waiting if not self._has_key_of(each)]
        return [(each.want, self._clear(each)) for each in ready]

    def _has_key_of(self, arrival: Arrival) -> bool:
        use = arrival.want.key
        return use is None or use.url in self._keys

    def _clear(self, arrival: Arrival) -> bytes:
        want = arrival.want
        if want.key is None:
            return arrival.body
        try:
            return decrypt(arrival.body, self._keys[want.key.url], want.key.iv)
        except (MediaError, ValueError) as exc:
            what = f"segment {want.segment}" if want.kind == "segment" else "initialisation section"
            failure = Failure("content", message=f"{what}: {exc}")
            raise UnusableError(arrival.request_id, failure) from exc
