"""Exceptions, in three families by what the user can do about them.

``InputError``: something the user gave is wrong. ``PeerError``: the other side failed.
``ResourceError``: this machine lacks something. Concrete types also inherit from the
built-in exception they refine, so callers may catch either. A message says on one line
where the problem is, what was found, what was expected and what to do. Programming
errors in the use of the API raise ``ValueError`` or ``TypeError``; what the functions of
``player`` are given is checked first, and refused with one of these that is that too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abr.log import SessionLog


class AbrError(Exception):
    """Base class of every error a user of abrkit may see; never raised itself.

    ``http_status`` is the status with which a server responds to the error.
    """

    http_status: int = 500


class InputError(AbrError):
    """Something the user gave is wrong: a file, an option, a name, a configuration key."""

    http_status = 400


class PeerError(AbrError):
    """The other side failed: a server answered wrongly, late or not at all."""

    http_status = 502


class ResourceError(AbrError):
    """This machine lacks something: a tool, disk space, a free port."""

    http_status = 503


class MissingFileError(InputError, FileNotFoundError):
    """A named file or folder does not exist, cannot be read, or is of the wrong kind."""


class MediaError(InputError, ValueError):
    """A master file that cannot be used: not media, truncated, corrupt, no video."""


class PackageError(InputError, ValueError):
    """A packaged presentation on disk that is incomplete or inconsistent."""


class PlaylistError(InputError, ValueError):
    """Playlist text that violates a rule this package depends on."""


class TraceFormatError(InputError, ValueError):
    """A trace file that cannot be read, or a trace that cannot be used."""


class ModelError(InputError, ValueError):
    """A model of traces that is unknown, cannot be read, or cannot be fitted."""


class LogFormatError(InputError, ValueError):
    """A session log that cannot be read or has an unknown version."""


class ConfigError(InputError, ValueError):
    """A configuration value with an unknown name, of the wrong type or out of range."""


class ArgumentError(InputError, TypeError):
    """An argument of the wrong type, given to a function of the API."""


class AlgorithmError(InputError, ValueError):
    """An algorithm that is unknown, fails to load, or breaks its contract."""


class QoEError(InputError, ValueError):
    """A QoE that is unknown, fails to load, or lacks something in what it is to score."""


class TokenError(InputError, PermissionError):
    """A token that is missing, malformed, expired, or issued for something else.

    ``reason`` is one of a fixed set of words, which ``origin.tokens.refusals`` lists: missing,
    malformed, unknown-key, bad-signature, expired, not-yet, wrong-title and others. A token may
    say what to answer when it is refused: ``http_status`` and ``fields`` of that answer.
    """

    http_status = 403

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        status: int | None = None,
        fields: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.fields = fields
        if status is not None:
            self.http_status = status


class KeyStoreError(InputError, ValueError):
    """A key store that cannot be opened, or a key that is not in it."""


class StateError(PeerError, ConnectionError):
    """The store of sessions and revocations cannot be read or written."""


class UpstreamError(PeerError, ConnectionError):
    """A server we depend on refused, broke off or sent an invalid response."""


class UpstreamTimeoutError(PeerError, TimeoutError):
    """A server we depend on did not respond within its limit."""


class PlaybackError(PeerError, RuntimeError):
    """A playback that could not start or continue.

    ``log`` is the log of its session, where that was asked to raise its error.
    """

    log: SessionLog | None = None


class ToolMissingError(ResourceError, FileNotFoundError):
    """A required program is not installed, or lacks a capability."""


class ToolFailedError(ResourceError, RuntimeError):
    """A program failed; the message includes the last lines of its output."""


class DiskFullError(ResourceError, OSError):
    """No space left on the disk."""


class PortInUseError(ResourceError, OSError):
    """An address to listen on is in use or not permitted."""
