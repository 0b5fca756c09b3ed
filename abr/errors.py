"""The three families of errors, chosen by what the reader can do about them.

``InputError``: something you gave is wrong. ``PeerError``: the other side failed.
``ResourceError``: this machine lacks something. Concrete types also inherit the
built-in they refine, so callers may catch either. A message says where, what was
found, what was expected and what to do, on one line. Misuse of an API by a
programmer is ``ValueError`` or ``TypeError``, not one of these.
"""


class AbrError(Exception):
    """Base of every error a user of abrkit may see; not raised itself.

    ``http_status`` is what a server that meets the error answers.
    """

    http_status: int = 500


class InputError(AbrError):
    """Something given is wrong: a file, an option, a name, a configuration key."""

    http_status = 400


class PeerError(AbrError):
    """The other side failed: a server that answers wrongly, late or not at all."""

    http_status = 502


class ResourceError(AbrError):
    """This machine lacks something: a tool, room on a disk, a free port."""

    http_status = 503


class MissingFileError(InputError, FileNotFoundError):
    """A file or folder that was named does not exist, or is of the wrong kind."""


class MediaError(InputError, ValueError):
    """A master file that cannot be used: not media, truncated, corrupt, no video."""


class PackageError(InputError, ValueError):
    """A packaged presentation on disk that is incomplete or inconsistent."""


class PlaylistError(InputError, ValueError):
    """Playlist text that breaks the rules we depend on."""


class TraceFormatError(InputError, ValueError):
    """A trace file that cannot be read, or a trace that cannot be used."""


class ModelError(InputError, ValueError):
    """A model of traces that is unknown, cannot be read, or cannot be fitted."""


class LogFormatError(InputError, ValueError):
    """A session log that cannot be read or has an unknown version."""


class ConfigError(InputError, ValueError):
    """A configuration value of unknown name, wrong type or out of range."""


class AlgorithmError(InputError, ValueError):
    """An algorithm that is unknown, fails to load, or broke its contract."""


class TokenError(InputError, PermissionError):
    """A token that is missing, malformed, expired, or for something else.

    ``reason`` is a short stable word: missing, malformed, unknown-key,
    bad-signature, expired, not-yet, wrong-title, session-over.
    """

    http_status = 403

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class KeyStoreError(InputError, ValueError):
    """A key store that cannot be opened, or a key that is not in it."""


class UpstreamError(PeerError, ConnectionError):
    """A server we depend on refused, broke off or answered nonsense."""


class UpstreamTimeoutError(PeerError, TimeoutError):
    """A server we depend on did not answer within its limit."""


class PlaybackError(PeerError, RuntimeError):
    """A playback that could not start or go on."""


class ToolMissingError(ResourceError, FileNotFoundError):
    """A program we need is not on this machine, or lacks a capability."""


class ToolFailedError(ResourceError, RuntimeError):
    """A program we ran failed; the message carries its last lines."""


class DiskFullError(ResourceError, OSError):
    """No room left to write."""


class PortInUseError(ResourceError, OSError):
    """An address to listen on is taken or not permitted."""
