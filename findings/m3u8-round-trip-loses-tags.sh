#!/bin/sh
# One would guess: m3u8.loads(text).dumps() keeps what it does not understand, or at least
# every tag of RFC 8216bis that the library has a class or constant for.
#
# What happens: EXT-X-DEFINE goes, so that {$name} in URIs points nowhere, and so do
# SCORE, SUPPLEMENTAL-CODECS and ALLOWED-CPC of EXT-X-STREAM-INF. No error, no warning.
#
# Why it matters: rewriting playlists by loads, edit, dumps (tokens in URIs, another host,
# fewer variants) is the library's usual use in a delivery path. Use it to read; print with
# code that knows every tag it was given, or edit the text line by line.
#
# Seen with m3u8 6.0.0, CPython 3.11, 2026-11-28.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet m3u8==6.0.0

cat > trip.py <<'PY'
import m3u8

TEXT = """#EXTM3U
#EXT-X-VERSION:11
#EXT-X-DEFINE:NAME="cdn",VALUE="a.example"
#EXT-X-STREAM-INF:BANDWIDTH=1000000,AVERAGE-BANDWIDTH=800000,SCORE=2.5,CODECS="hvc1.2.4.L93.B0",SUPPLEMENTAL-CODECS="dvh1.08.07/db4h",RESOLUTION=640x360,ALLOWED-CPC="com.example.drm:AB"
https://{$cdn}/v0/playlist.m3u8
"""
WATCHED = ("EXT-X-DEFINE", "SCORE=", "SUPPLEMENTAL-CODECS", "ALLOWED-CPC")
KEPT = ("BANDWIDTH=1000000", "AVERAGE-BANDWIDTH", "CODECS=", "RESOLUTION", "{$cdn}")

out = m3u8.loads(TEXT).dumps()
print(out)
lost = [name for name in WATCHED if name not in out]
print("lost:", ", ".join(lost))
raise SystemExit(0 if lost == list(WATCHED) and all(name in out for name in KEPT) else 1)
PY

if venv/bin/python trip.py; then
  echo "PASS: DEFINE, SCORE, SUPPLEMENTAL-CODECS and ALLOWED-CPC are gone after a round trip"
else
  echo "CHANGED: expected exactly these to be lost"
  exit 1
fi
