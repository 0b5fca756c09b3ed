"""From what arrives to clear media: every piece is decrypted as soon as its key is here.

Keys and media arrive in any order. Decrypting is also the check that media came whole
and with the right key; what fails it is reported like any other failed request, in time
for the session to hear of the failure and not of an arrival.

Whole files are decrypted as their playlist says. Encrypted samples say themselves how and with
which keys, in their initialisation section; the playlist only says where the keys are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from abr.errors import MediaError
from origin.tokens.keysets import b64url, unb64url
from player.playback.actions import Resource, Want
from player.playback.checking import check_media, check_tracks, tracks_of
from player.playback.retry import Failure, FailureKind
from transcode.encryption import KEY_BYTES, decrypt
from transcode.packaging.sampledecryption import (
    Protection,
    clear_init,
    clear_segment,
    kids_in,
    read_protection,
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A response that is complete."""

    request_id: int
    want: Want
    body: bytes = field(repr=False)
    """May be a key."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an arrival, and of what had waited for it."""

    media: tuple[tuple[Want, bytes], ...] = field(default=(), repr=False)
    """In the clear, in order of arrival."""
    failures: Mapping[int, Failure] = field(default_factory=dict)
    """By the number of the request that brought what cannot be used."""


class _UnusableError(Exception):
    """Media that cannot be decrypted, or no licence."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class _NoKeyError(MediaError):
    """What no other try would mend: playlist and media do not agree on encryption."""


class Decrypter:
    """The keys of one playback, and the media that waits for them."""

    def __init__(self) -> None:
        self._keys: dict[Resource, bytes] = {}
        self._licensed: dict[str, bytes] = {}
        self._protections: dict[Resource, Protection | None] = {}
        self._tracks: dict[Resource, frozenset[int]] = {}
        self._waiting: list[Arrival] = []

    def __repr__(self) -> str:
        return f"<Decrypter {len(self._keys)} keys, {len(self._waiting)} waiting for one>"

    def take(self, arrival: Arrival) -> Outcome:
        """A response arrived: what became clear, and what turns out to be of no use."""
        clear: list[tuple[Want, bytes]] = []
        failures: dict[int, Failure] = {}
        if arrival.want.kind in ("key", "licence"):
            try:
                self._take_key(arrival)
            except _UnusableError as exc:
                failures[arrival.request_id] = exc.failure
        elif arrival.want.kind in ("init", "segment"):
            self._waiting.append(arrival)
        # What one of them says may be what another waits for.
        while ready := [each for each in self._waiting if self._is_ready(each)]:
            self._waiting = [each for each in self._waiting if each not in ready]
            for each in ready:
                try:
                    clear.append((each.want, self._clear(each)))
                except _UnusableError as exc:
                    failures[each.request_id] = exc.failure
        return Outcome(tuple(clear), failures)

    def _take_key(self, arrival: Arrival) -> None:
        want = arrival.want
        if want.kind == "key":
            self._keys[want.resource] = arrival.body
            return
        try:
            licensed = keys_in_licence(arrival.body)
            key = licensed[want.kid]
        except MediaError as exc:
            raise _UnusableError(Failure("content", message=f"licence: {exc}")) from exc
        except KeyError as exc:
            message = f"licence: no key {want.kid} in it; the viewer is not entitled to it"
            raise _UnusableError(Failure("content", message=message)) from exc
        self._licensed |= licensed
        self._keys[want.resource] = key

    def _is_ready(self, arrival: Arrival) -> bool:
        use, init = arrival.want.key, arrival.want.init
        if init is not None and init not in self._protections:
            return False
        return use is None or use.resource in self._keys

    def _clear(self, arrival: Arrival) -> bytes:
        want = arrival.want
        try:
            body = self._whole(arrival)
            if want.kind == "init":
                return self._clear_init(want, body)
            return self._clear_samples(want, body)
        except (MediaError, ValueError) as exc:
            kind: FailureKind = "content" if isinstance(exc, _NoKeyError) else "unusable"
            what = f"segment {want.segment}" if want.kind == "segment" else "initialisation section"
            failure = Failure(kind, message=f"{what}: {exc}")
            raise _UnusableError(failure) from exc

    def _whole(self, arrival: Arrival) -> bytes:
        use = arrival.want.key
        if use is None or use.method != "AES-128":
            return arrival.body
        body = decrypt(arrival.body, self._keys[use.resource], use.iv)
        # Padding is right by chance for one wrong key in 256.
        if problem := check_media(arrival.want, body):
            raise MediaError(problem)
        return body

    def _clear_init(self, want: Want, body: bytes) -> bytes:
        """Remember how samples are encrypted, and say nothing of it any more."""
        protection = read_protection(body) if body[4:8] in _FIRST_BOXES else None
        self._tracks[want.resource] = tracks_of(body)
        self._protections[want.resource] = protection
        return body if protection is None else clear_init(body)

    def _clear_samples(self, want: Want, body: bytes) -> bytes:
        """A segment with its samples in the clear, if they are encrypted."""
        use = want.key if want.key and want.key.method != "AES-128" else None
        if want.init is not None:
            check_tracks(body, self._tracks[want.init])
        protection = self._protections[want.init] if want.init is not None else None
        if protection is None:
            if use is None:
                return body
            raise _NoKeyError(
                f"mp4: {use.method} in the playlist, and nothing of it in the initialisation "
                "section"
            )
        kids = kids_in(body, protection)
        if not kids:  # a clear lead
            return clear_segment(body, protection, {})
        if use is None:
            raise _NoKeyError(f"mp4: encrypted with key {kids[0]}, and the playlist names no key")
        key = self._keys[use.resource]
        if len(key) != KEY_BYTES:
            raise MediaError(f"a key of {len(key)} bytes; expected {KEY_BYTES}")
        # A key without an id is that of all samples.
        given = {**self._licensed, use.kid: key} if use.kid else dict.fromkeys(kids, key)
        return clear_segment(body, protection, given)


_FIRST_BOXES = (b"ftyp", b"styp", b"moov", b"free")


def keys_in_licence(body: bytes) -> dict[str, bytes]:
    """Keys by id (32 hexadecimal digits) in a ClearKey licence.

    Raises:
        MediaError: it is no licence.

    Source: W3C, Encrypted Media Extensions (2025), 9.1.4 (licence format).
    """
    try:
        licence = json.loads(body)
        return dict(_key_in(entry) for entry in licence["keys"])
    except (ValueError, KeyError, TypeError) as exc:
        raise MediaError("no ClearKey licence; expected JSON with keys of 16 bytes") from exc


def licence_request(kid: str) -> bytes:
    """What asks for the licence of one key.

    Source: W3C, Encrypted Media Extensions (2025), 9.1.3 (licence request format).
    """
    return json.dumps({"kids": [b64url(bytes.fromhex(kid))], "type": "temporary"}).encode()


def _key_in(entry: Mapping[str, Any]) -> tuple[str, bytes]:
    kid, key = (unb64url(entry[name]) for name in ("kid", "k"))
    if len(kid) != KEY_BYTES or len(key) != KEY_BYTES:
        raise ValueError("of another length")
    return kid.hex(), key
