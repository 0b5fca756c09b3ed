"""Key systems (DRM): what turns a player's challenge into a licence, as plug-ins.

``clearkey`` is built in. Widevine, PlayReady and FairPlay need software or a service of their
vendor; a distribution that has it declares an entry point in the group ``abr.licences``, a callable
that takes nothing and returns a ``KeySystem``. It is served at
``/t/<token>/<title>/licence/<name>``.

The server stays the authority: it checks the token, decides which of the keys that were asked for
are given, fetches them, and writes the audit log. A system reads challenges and makes licences.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol

from abr.errors import ConfigError
from origin.licences.clearkey import ClearKey
from origin.licences.keys import KeyToGive

GROUP = "abr.licences"
"""The entry-point group."""

DEFAULT = "clearkey"
"""The system that ``/licence`` is of."""

_NAME = re.compile(r"[a-z0-9-]{1,32}")


class KeySystem(Protocol):
    """One key system. Its methods must not keep or log key bytes."""

    @property
    def name(self) -> str:
        """In URLs: lower-case letters, digits and hyphens."""
        ...

    @property
    def media_type(self) -> str:
        """Of its licences."""
        ...

    @property
    def may_wait(self) -> bool:
        """Whether a method may wait for a service; then it is called in a thread."""
        ...

    def kids_of(self, request: bytes) -> Sequence[str]:
        """Key ids that a challenge asks for, as 32 hexadecimal digits in lower case.

        Raises:
            InputError: the challenge cannot be read: 400 with the message.
            PeerError: a service failed: 502.
        """
        ...

    def licence(self, request: bytes, keys: Iterable[KeyToGive], *, expires_s: float) -> bytes:
        """The licence that gives ``keys`` until ``expires_s``, Unix seconds.

        Raises:
            InputError, PeerError: as ``kids_of``.
        """
        ...


def load_systems() -> dict[str, KeySystem]:
    """All key systems that there are, by name.

    Raises:
        ConfigError: one cannot be loaded, has another name than its entry point, or two have
            the same.
    """
    found: dict[str, KeySystem] = {DEFAULT: ClearKey()}
    for entry in entry_points(group=GROUP):
        if entry.name in found:
            raise ConfigError(
                f"key system {entry.name!r}: it is built in, or two installed distributions "
                f"declare it in {GROUP}; uninstall one"
            )
        found[entry.name] = _load(entry)
    return found


def _load(entry: EntryPoint) -> KeySystem:
    source = entry.dist.name if entry.dist is not None else entry.value
    try:
        system: KeySystem = entry.load()()
        name, _ = system.name, system.media_type
    except Exception as exc:
        raise ConfigError(
            f"key system {entry.name!r} of {source}: cannot be loaded: {type(exc).__name__}: "
            f"{exc}; repair or uninstall it"
        ) from exc
    if name != entry.name or not _NAME.fullmatch(name):
        raise ConfigError(
            f"key system {entry.name!r} of {source}: it calls itself {name!r}; expected the name "
            "of its entry point, of a-z, 0-9 and hyphens"
        )
    return system
