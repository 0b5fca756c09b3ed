"""A program that holds a KEK, as docs/encryption.md describes it: AES-256-GCM with a key in a file.

Run as ``python kek_program.py KEYFILE [BEHAVIOUR]``. BEHAVIOUR makes it misbehave: ``fail``,
``hang``, ``echo`` (wraps nothing), ``garbage``, ``short`` (one item less), ``forget`` (unwraps
something else).
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def main(key_file: str, behaviour: str = "") -> int:
    """Answer one request."""
    request = json.loads(sys.stdin.readline())
    if behaviour == "fail":
        print("slot 2: not logged in", file=sys.stderr)
        return 3
    if behaviour == "hang":
        subprocess.Popen(["sleep", "60"])  # holds the pipes, too
        time.sleep(60)
    if behaviour == "garbage":
        print("{}")
        return 0
    kek = AESGCM(Path(key_file).read_bytes())
    items = []
    for item in request["items"]:
        data, associated = (base64.b64decode(item[name]) for name in ("data", "associated"))
        if behaviour == "echo":
            made = data
        elif request["operation"] == "wrap":
            nonce = os.urandom(12)
            made = nonce + kek.encrypt(nonce, data, associated)
        else:
            made = kek.decrypt(data[:12], data[12:], associated)
            made = bytes(len(made)) if behaviour == "forget" else made
        items.append(base64.b64encode(made).decode())
    print(json.dumps({"items": items[1:] if behaviour == "short" else items}))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
