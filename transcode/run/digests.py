"""Digests of whole files, remembered by path, size and time of change."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from pathlib import Path


def digest_of(path: Path, memory: Path) -> str:
    """SHA-256 of a file as hexadecimal digits.

    Args:
        path: The file.
        memory: Folder of remembered digests; one that cannot be written to is only slower.

    A file that is changed without a change of size and time is not noticed.
    """
    path = path.resolve()
    with path.open("rb") as file:
        before = _stamp(file.fileno())
        remembered = memory / f"{hashlib.sha256(os.fsencode(path)).hexdigest()}.json"
        if (known := _recall(remembered, before)) is not None:
            return known
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if _stamp(file.fileno()) == before:
            _remember(remembered, before, digest)
    return digest


def _stamp(descriptor: int) -> list[int]:
    stat = os.fstat(descriptor)
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino]


def _recall(remembered: Path, stamp: list[int]) -> str | None:
    try:
        value = json.loads(remembered.read_text(encoding="ascii"))
        return str(value["sha256"]) if value["stamp"] == stamp else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(remembered: Path, stamp: list[int], digest: str) -> None:
    beside = remembered.with_name(f"{remembered.name}.{secrets.token_hex(4)}")
    try:
        remembered.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps({"stamp": stamp, "sha256": digest}), encoding="ascii")
        os.replace(beside, remembered)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
