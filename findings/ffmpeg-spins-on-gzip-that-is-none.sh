#!/bin/sh
# One would guess: ffmpeg refuses a response that says Content-Encoding: gzip and is plain text,
# as browsers do, or reads it as it is; -rw_timeout ends it at the latest.
#
# What happens: it asks once and then neither ends nor says anything, using the processor all
# the time; -rw_timeout does not count, since nothing is waited for.
#
# Why it matters: a mislabelled playlist or segment behind one CDN stops every job that runs ffmpeg
# on URLs of others. Give such a job a limit in seconds from outside.
#
# Seen with imageio-ffmpeg 0.8.1 (ffmpeg 9.0.2), Linux x86-64, 2026-11-29.
set -eu
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet imageio-ffmpeg==0.8.1
ffmpeg=$(venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
"$ffmpeg" -version | head -n 1

cat > serve.py <<'PY'
import http.server, os

BODY = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\n0.ts\n#EXT-X-ENDLIST\n"

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.apple.mpegurl")
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open("port.part", "w") as file:
    file.write(str(server.server_address[1]))
os.replace("port.part", "port")
server.serve_forever()
PY
venv/bin/python serve.py 2> requests.log &
server=$!
tries=0
while [ ! -s port ]; do
  tries=$((tries + 1))
  [ "$tries" -le 100 ] || { echo "the local server did not start"; exit 1; }
  sleep 0.1
done

code=0
timeout 15 "$ffmpeg" -nostdin -v quiet -rw_timeout 2000000 \
  -i "http://127.0.0.1:$(cat port)/list.m3u8" -f null - || code=$?
asked=$(grep -c 'GET /list.m3u8' requests.log || true)
echo "exit code $code after at most 15 s with -rw_timeout of 2 s, $asked request"
if [ "$code" = 124 ] && [ "$asked" = 1 ]; then
  echo "PASS: plain text that is labelled gzip keeps ffmpeg busy for ever"
else
  echo "CHANGED: expected no end within 15 s (124) and one request"
  exit 1
fi
