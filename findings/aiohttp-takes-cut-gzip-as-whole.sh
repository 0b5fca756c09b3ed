#!/bin/sh
# One would guess: a client that decompresses an answer says when its gzip stream breaks off.
#
# What happens: aiohttp gives what came out so far and no error, when Content-Length agrees with the
# cut body. gzip.decompress of the standard library raises EOFError on the same bytes.
#
# Why it matters: playlists are to be delivered with gzip. A cache that stored half of one, or an
# origin that was killed while it compressed, then gives a shorter film that parses. Decompress
# with auto_decompress=False and zlib.decompressobj, and look at eof.
#
# Seen with aiohttp 3.14.5, Python 3.11, Linux x86-64, 2026-11-28.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet aiohttp==3.14.5
if venv/bin/python - <<'PY'
import asyncio
import gzip
import sys

import aiohttp
from aiohttp import web

LINES = "#EXTM3U\n" + "".join(f"#EXTINF:4.0,\nsegment-{n * 7919 % 1000}.ts\n" for n in range(300))
WHOLE = gzip.compress(LINES.encode())
CUT = WHOLE[: len(WHOLE) * 3 // 4]


async def answer(request):
    return web.Response(body=CUT, headers={"Content-Encoding": "gzip"})


async def main():
    app = web.Application()
    app.router.add_get("/list", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    try:
        async with aiohttp.ClientSession() as client:
            async with client.get(f"http://127.0.0.1:{port}/list") as response:
                got = await response.text()
    except (aiohttp.ClientError, ValueError) as exc:
        got = f"{type(exc).__name__}"
    await runner.cleanup()
    try:
        gzip.decompress(CUT)
        known = "nothing"
    except EOFError:
        known = "EOFError"
    print(f"aiohttp {aiohttp.__version__}: {len(got)} of {len(LINES)} characters; gzip: {known}")
    if got.startswith("#EXTM3U") and len(got) < len(LINES) and known == "EOFError":
        return
    sys.exit(f"got {got[:60]!r}")


asyncio.run(main())
PY
then
  echo "PASS: the cut answer is given as if it were whole"
else
  echo "CHANGED: expected a part of the text without an error"
  exit 1
fi
