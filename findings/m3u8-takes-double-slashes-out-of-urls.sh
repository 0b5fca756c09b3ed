#!/bin/sh
# One would guess: the absolute URI that a playlist library gives for a segment is the one that the
# playlist means: the base path up to its last slash, with the segment's name behind it.
#
# What happens: m3u8 resolves with Python's urljoin, which leaves out empty segments of the path:
# http://h/t//film/v0.m3u8 and s0.ts give http://h/t/film/s0.ts. RFC 3986 §5.2.4 keeps them, and so
# do browsers (WHATWG URL) and hls.js; streamlink and others that build on the library do not.
#
# Why it matters: object stores have keys with double slashes, and servers sign paths as they print
# them. The playlist answers 200 and each of its segments 403 or 404, in these clients only.
#
# Seen with m3u8 6.0.0, Python 3.11, Linux x86-64, 2026-11-29.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet m3u8==6.0.0
if venv/bin/python - <<'PY'
import sys

import m3u8

TEXT = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\ns0.ts\n#EXT-X-ENDLIST\n"
listed = m3u8.loads(TEXT, uri="http://h.test/t//film/v0.m3u8")
found = listed.segments[0].absolute_uri
print(f"absolute_uri: {found}")
sys.exit(0 if found == "http://h.test/t/film/s0.ts" else 1)
PY
then
  echo "PASS: a double slash of the playlist's path is not in its segments' URLs"
else
  echo "CHANGED: expected http://h.test/t/film/s0.ts"
  exit 1
fi
