#!/bin/sh
# One would guess: max_incomplete_event_size is the largest head that h11 takes from a peer.
#
# What happens: a head of several times that size is parsed when it is handed over in one
# receive_data, and the same bytes in two pieces are refused. The limit is on what is kept while a
# head is not complete, so what passes depends on how the network cut it.
#
# Why it matters: a proxy reads 64 to 256 KiB at a time, so a parent's head of 100 KiB passes on
# one day and is an error on another, and what passes is kept in memory and in the cache. Look for
# the end of the head, within a limit, before h11 sees the bytes.
#
# Seen with h11 0.16.0, Python 3.11, Linux x86-64, 2026-11-29.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet h11==0.16.0
if venv/bin/python - <<'PY'
import sys

import h11

LIMIT = 16384
HEAD = b"HTTP/1.1 200 OK\r\n" + b"X-Filler: 0123456789\r\n" * 3000 + b"Content-Length: 0\r\n\r\n"


def read(pieces):
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=LIMIT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a.example")]))
    connection.send(h11.EndOfMessage())
    try:
        for piece in pieces:
            connection.receive_data(piece)
            event = connection.next_event()
        return type(event).__name__
    except h11.RemoteProtocolError:
        return "refused"


whole = read([HEAD])
cut = read([HEAD[:-40], HEAD[-40:]])
print(f"h11 {h11.__version__}: a head of {len(HEAD)} bytes, limit {LIMIT}: {whole}; cut in two: {cut}")
sys.exit(0 if (whole, cut) == ("Response", "refused") else 1)
PY
then
  echo "PASS: the limit depends on how the bytes arrive"
else
  echo "CHANGED: expected the whole head to be taken and the cut one to be refused"
  exit 1
fi
