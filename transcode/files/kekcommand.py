"""A key-encryption key that a program holds: a hardware module, a service, another machine.

The program is run without a shell, with its own arguments and nothing added. It reads one line of
JSON and writes one::

    {"operation": "wrap", "kek": "ID", "items": [{"data": BASE64, "associated": BASE64}, …]}
    {"items": [BASE64, …]}

``wrap`` encrypts ``data`` and binds it to ``associated``; ``unwrap`` is the way back and fails when
``associated`` is another. What it makes is opaque here. It ends with code 0 within its time limit;
anything else is a failure, told with the last line of its standard error. Neither input nor output
is ever shown.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Sequence

from abr.errors import KeyStoreError
from abr.shell import reason_of
from transcode.keyfiles import ExternalKek, Item, Operation

_MOST_CHARS = 200


def ask_command(
    operation: Operation, kek_id: str, kek: ExternalKek, items: Sequence[Item]
) -> list[bytes]:
    """What the program of ``kek`` makes of ``items``, in order.

    Raises:
        KeyStoreError: it cannot be started, takes too long, fails, or answers something else.
    """
    name = f"KEK {kek_id}: {kek.command[0]}"
    said = [{"data": _text(item.data), "associated": _text(item.associated)} for item in items]
    line = json.dumps({"operation": operation, "kek": kek_id, "items": said}) + "\n"
    try:
        process = subprocess.Popen(
            kek.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that what it starts ends with it
        )
    except (OSError, ValueError) as exc:
        reason = reason_of(exc) if isinstance(exc, OSError) else "cannot be started"
        raise KeyStoreError(
            f"{name}: {reason}; expected a program that wraps keys; see docs/encryption.md"
        ) from exc
    try:
        output, error = process.communicate(line.encode(), timeout=kek.limit_s)
    except subprocess.TimeoutExpired:
        raise KeyStoreError(
            f"{name}: no answer within {kek.limit_s:g} s; is what holds the key reachable?"
        ) from None
    finally:
        _end(process)
    if process.returncode:
        raise KeyStoreError(
            f"{name}: ended with code {process.returncode}: {_last_line(error)}; expected 0"
        )
    return _items(output, len(items), name)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Have the program and its children gone, and its pipes closed."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _items(output: bytes, count: int, name: str) -> list[bytes]:
    try:
        found = json.loads(output)["items"]
        items = [base64.b64decode(each, validate=True) for each in found]
    except (ValueError, TypeError, KeyError, RecursionError):
        items = []
    if len(items) != count or not all(items):
        # No cause is kept: it may quote a key.
        raise KeyStoreError(
            f'{name}: another answer than {{"items": [BASE64, …]}} with one item for each that it '
            "was given"
        ) from None
    return items


def _last_line(error: bytes) -> str:
    lines = error.decode("utf-8", errors="replace").split("\n")
    said = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
    return "".join(char if char.isprintable() else "?" for char in said)[:_MOST_CHARS]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
