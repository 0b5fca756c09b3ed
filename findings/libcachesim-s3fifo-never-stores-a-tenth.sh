#!/bin/sh
# One would guess: a cache of 1,000 bytes stores an object of 100 bytes that is asked for again
# and again, whatever the policy; a policy that refuses objects by size says so.
#
# What happens: libCacheSim's S3-FIFO (and its W-TinyLFU) never stores an object as large as its
# small queue, a tenth of the cache (its window), however often it is asked for and however empty
# the cache is. No message, no count: every request for it is one more miss.
#
# Why it matters: segments of video are large beside the hot part of an edge. A simulation of a
# small cache, or of a log that holds whole files beside segments, shows a policy that misses
# what the same policy in a server would hold, and the sizes at which that starts are not told.
#
# Seen with libcachesim 0.3.5, CPython 3.11, Linux x86-64, 2026-11-28.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --no-deps libcachesim==0.3.5 numpy==2.4.6

cat > ask.py <<'PY'
import libcachesim


def hits(policy, size, requests=50):
    cache = getattr(libcachesim, policy)(cache_size=1000)
    found = 0
    for number in range(requests):
        request = libcachesim.Request()
        request.obj_id, request.obj_size = 1, size
        found += cache.get(request)
    return found


for policy in ("LRU", "Sieve", "S3FIFO", "WTinyLFU"):
    print(policy, *(hits(policy, size) for size in (5, 99, 100, 101, 500)))
PY
echo "hits of 50 requests for one object of 5, 99, 100, 101, 500 bytes in an empty cache of 1,000:"
venv/bin/python ask.py | tee seen
if grep -qx 'LRU 49 49 49 49 49' seen && grep -q '^S3FIFO 49 49 0 0 0$' seen; then
  echo "PASS: S3-FIFO stores nothing of a tenth of the cache or more, and does not say so"
else
  echo "CHANGED: S3-FIFO stores what it refused, or LRU does not store"
  exit 1
fi
