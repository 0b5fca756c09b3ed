#!/bin/sh
# One would guess: a client of HTTP/1.1 can be told about informational responses, such as the 103
# with which a site lets browsers fetch its style sheets early.
#
# What happens: aiohttp reads every 1xx but 101, drops it, and waits for the next; neither the
# response nor any hook of TraceConfig shows that there was one.
#
# Why it matters: a proxy built on it cannot pass early hints on (RFC 9110 §15.2 says that it must),
# and nothing in a log tells why they are gone. h11 gives each as an event.
#
# Seen with aiohttp 3.14.5, Python 3.11, Linux x86-64, 2026-11-29.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet aiohttp==3.14.5
if venv/bin/python - <<'PY'
import asyncio
import sys

import aiohttp

ANSWER = (
    b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
)


async def serve(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ANSWER)
    await writer.drain()
    writer.close()


async def main():
    seen = []
    trace = aiohttp.TraceConfig()

    def watch(name):
        async def note(session, context, params):
            response = getattr(params, "response", None)
            headers = getattr(params, "headers", None) or getattr(response, "headers", {})
            if getattr(response, "status", 0) == 103 or "Link" in headers:
                seen.append(name)

        return note

    for name in dir(trace):
        signal = getattr(trace, name)
        if name.startswith("on_") and hasattr(signal, "append"):
            signal.append(watch(name))
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with aiohttp.ClientSession(trace_configs=[trace]) as client:
        async with client.get(f"http://127.0.0.1:{port}/") as response:
            await response.read()
            if "Link" in response.headers or any(each.status == 103 for each in response.history):
                seen.append("response")
    server.close()
    print(f"aiohttp {aiohttp.__version__}: status {response.status}, 103 seen by: {seen or 'nobody'}")
    sys.exit(0 if response.status == 200 and not seen else 1)


asyncio.run(main())
PY
then
  echo "PASS: nobody is told of the 103"
else
  echo "CHANGED: expected a 200, and no sign of the 103"
  exit 1
fi
