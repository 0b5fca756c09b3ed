"""Texts of a package that are sent otherwise than they are stored: views, and steering."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from origin.server.sending import FileBody
from origin.server.store import OpenObject, in_memory
from transcode.packaging.views import View, show


def rewrite(found: OpenObject, change: Callable[[str], str], mark: str) -> OpenObject:
    """``found`` with its text changed; ``mark`` tells its entity tag from that of the stored one.

    It is closed, whatever happens.
    """
    with found:
        (piece,) = found.body.pieces(0, found.size_bytes)
        data = os.pread(piece.file.fileno(), piece.length, piece.offset)
    changed = change(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    return replace(
        found,
        size_bytes=len(changed),
        etag=f'{found.etag[:-1]}-{mark}"',
        body=FileBody(in_memory(changed), len(changed)),
    )


def view_of(found: OpenObject, view: View) -> OpenObject:
    """A playlist as ``view`` has it.

    Raises:
        PlaylistError: the plan opens nothing of it.
    """
    mark = ".".join(filter(None, (view.plan, view.family)))
    return rewrite(found, lambda text: show(text, view), mark)
