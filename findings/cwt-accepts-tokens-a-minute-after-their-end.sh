#!/bin/sh
# One would guess: cwt.decode() refuses a CWT whose exp has passed, and leeway=0 asks for exactly
# that.
#
# What happens: without an argument it takes tokens for 60 s after their end, and nbf 60 s early.
# CWT.new(leeway=0) raises; the least is 1 s, and a token that ended in this second or the one
# before is then taken.
#
# Why it matters: a token of a minute lives for two, and a test with a token that "has just ended"
# passes for the wrong reason. Have the library verify the signature and compare times yourself.
#
# Seen with cwt 3.3.0, cbor2 5.9.0, CPython 3.11, 2026-11-29.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet cwt==3.3.0 cbor2==5.9.0

cat > ended.py <<'PY'
import time

from cwt import CWT, COSEKey, VerifyError

KEY = COSEKey.from_symmetric_key(bytes(32), alg="HS256", kid="k")


def takes(reader: CWT, ago_s: int) -> bool:
    """Whether a token that ended so long ago is accepted."""
    token = CWT.new().encode_and_mac({1: "issuer", 4: int(time.time()) - ago_s}, KEY)
    try:
        reader.decode(token, KEY)
    except VerifyError:
        return False
    return True


usual = {ago_s: takes(CWT.new(), ago_s) for ago_s in (5, 55, 70)}
least = {ago_s: takes(CWT.new(leeway=1), ago_s) for ago_s in (0, 5)}
try:
    CWT.new(leeway=0)
    zero = "accepted"
except ValueError as exc:
    zero = str(exc)
print("ended so many seconds ago, accepted:", usual, "with leeway=1:", least)
print("leeway=0:", zero)
expected = usual == {5: True, 55: True, 70: False} and least == {0: True, 5: False}
raise SystemExit(0 if expected and zero != "accepted" else 1)
PY

if venv/bin/python ended.py; then
  echo "PASS: tokens are accepted for 60 s after exp unless a leeway of at least 1 s is given"
else
  echo "CHANGED: expected a leeway of 60 s, and 0 to be refused"
  exit 1
fi
