"""The file of issuers whose tokens are accepted (``--trust``)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from abr.errors import ConfigError, MissingFileError
from origin.tokens.trust import Trust, parse_trust

MAX_BYTES = 1 << 20
"""A larger file is refused."""


def read_trust(path: str) -> Trust:
    """Whose tokens are accepted besides the origin's own; nobody's when ``path`` is empty.

    Raises:
        MissingFileError: there is no such file, or it cannot be read.
        ConfigError: it cannot be used, or holds secrets that others can read.
    """
    if not path:
        return Trust()
    try:
        with Path(path).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(MAX_BYTES + 1)
    except OSError as exc:
        raise MissingFileError(f"{path}: {exc.strerror}; expected a file of issuers") from exc
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: over {MAX_BYTES} bytes; expected a file of issuers")
    trust = parse_trust(data.decode("utf-8", "replace"), where=path)
    if trust.has_secrets and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"{path}: holds secrets, and its mode {stat.S_IMODE(mode):04o} lets others use it; "
            f"run chmod 600 {path}"
        )
    return trust
