#!/bin/sh
# One would guess: ffmpeg's HLS reader knows EXT-X-GAP (RFC 8216bis, 4.4.4.7: "Clients
# SHOULD NOT attempt to load" such a segment), or fails on the segment that is not there.
#
# What happens: the tag is not read. The segment in the gap is asked for, the failure is
# passed over, the output has a hole of one segment, and the exit code is 0.
#
# Why it matters: "ffmpeg reads it with exit code 0" is a common test of a packager or an
# origin. It passes with media missing. Count frames instead, and check gaps with a parser.
#
# Seen with imageio-ffmpeg 0.8.1 (ffmpeg 9.0.2), Linux x86-64, 2026-11-28.
set -eu
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet imageio-ffmpeg==0.8.1
ffmpeg=$(venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
"$ffmpeg" -version | head -n 1

mkdir www
"$ffmpeg" -v error -f lavfi -i testsrc2=size=160x90:rate=10:duration=6 \
  -c:v libx264 -preset ultrafast -g 20 -keyint_min 20 -sc_threshold 0 \
  -f hls -hls_time 2 -hls_playlist_type vod -hls_segment_filename www/%d.ts www/all.m3u8
rm www/1.ts
cat > www/gap.m3u8 <<'M3U8'
#EXTM3U
#EXT-X-VERSION:8
#EXT-X-TARGETDURATION:2
#EXT-X-PLAYLIST-TYPE:VOD
#EXTINF:2.0,
0.ts
#EXT-X-GAP
#EXTINF:2.0,
1.ts
#EXTINF:2.0,
2.ts
#EXT-X-ENDLIST
M3U8

cat > serve.py <<'PY'
import functools, http.server, os

handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory="www")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
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
timeout 60 "$ffmpeg" -v quiet -i "http://127.0.0.1:$(cat port)/gap.m3u8" \
  -map 0:v -f framehash -hash md5 frames.txt || code=$?
frames=$(grep -vc '^#' frames.txt)
asked=$(grep -c 'GET /1.ts' requests.log || true)
echo "exit code $code, $frames frames of 60 listed (40 outside the gap), missing segment asked for: $asked"
if [ "$code" = 0 ] && [ "$frames" = 40 ] && [ "$asked" -gt 0 ]; then
  echo "PASS: EXT-X-GAP is ignored: the segment is asked for, and the exit code is 0 all the same"
else
  echo "CHANGED: expected exit code 0, 40 frames and requests for the segment in the gap"
  exit 1
fi
