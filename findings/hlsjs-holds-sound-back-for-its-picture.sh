#!/bin/sh
# One would guess: hls.js puts what it has fetched into the buffers, so that sound of its own plays on
# for a while when the picture is late.
#
# What happens: a segment of sound is kept back until the picture of its time is in the buffer, and the
# next one is not even asked for. Sound never outlasts the picture: both stop at once.
#
# Why it matters: a model of the player that lets sound run ahead sees fewer and later stalls, another
# order of requests, and another share of the link for each.
#
# Seen with hls.js 1.7.4 in Chromium 156 (Debian), imageio-ffmpeg 0.8.1, 2026-11-29.
set -eu
work=$(mktemp -d)
server=
browser=
trap '[ -z "$browser" ] || kill "$browser"; [ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
cd "$work"

npm install --silent --no-audit --no-fund hls.js@1.7.4
python3 -m venv venv
venv/bin/pip install --quiet imageio-ffmpeg==0.8.1
ffmpeg=$(venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')

# Three segments of 2 s for each of the two.
mkdir picture sound
"$ffmpeg" -v error -f lavfi -i testsrc2=size=160x90:rate=10:duration=6 -c:v libx264 -preset ultrafast \
  -g 20 -keyint_min 20 -sc_threshold 0 -f hls -hls_time 2 -hls_playlist_type vod \
  -hls_segment_type fmp4 picture/list.m3u8
"$ffmpeg" -v error -f lavfi -i sine=d=6 -c:a aac -f hls -hls_time 2 -hls_playlist_type vod \
  -hls_segment_type fmp4 sound/list.m3u8
cat > main.m3u8 <<'M3U8'
#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",DEFAULT=YES,AUTOSELECT=YES,URI="sound/list.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=500000,CODECS="avc1.42c00b,mp4a.40.2",AUDIO="a"
picture/list.m3u8
M3U8
cat > index.html <<'HTML'
<!doctype html>
<video id="video" muted></video>
<script type="module">
import Hls from "/node_modules/hls.js/dist/hls.mjs";
const video = document.getElementById("video");
const hls = new Hls();
const seen = {};
const note = (what) => (_, {frag}) => { seen[`${what} ${frag.type} ${frag.sn}`] ??= performance.now(); };
hls.on(Hls.Events.FRAG_LOADING, note("asked"));
hls.on(Hls.Events.FRAG_LOADED, note("came"));
hls.on(Hls.Events.FRAG_BUFFERED, note("in"));
hls.loadSource("/main.m3u8");
hls.attachMedia(video);
video.play().catch(() => {});
const names = ["came audio 1", "in audio 1", "in main 1", "asked audio 2"];
const began = Date.now();
const look = setInterval(() => {
  if (names.every((name) => seen[name]) || Date.now() - began > 20000) {
    clearInterval(look);
    const times = names.map((name) => Math.round(seen[name] ?? -1)).join(" ");
    fetch("/result", {method: "POST", body: times});
  }
}, 100);
</script>
HTML
cat > serve.py <<'PY'
import http.server, os, time

class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/picture/list1."):  # the second segment of the picture is late
            time.sleep(4)
        super().do_GET()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open("result.part", "wb") as file:
            file.write(body)
        os.replace("result.part", "result")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open("port.part", "w") as file:
    file.write(str(server.server_address[1]))
os.replace("port.part", "port")
server.serve_forever()
PY
venv/bin/python serve.py 2> /dev/null &
server=$!
tries=0
while [ ! -s port ]; do
  tries=$((tries + 1))
  [ "$tries" -le 100 ] || { echo "the local server did not start"; exit 1; }
  sleep 0.1
done
chromium --headless=new --no-sandbox --disable-gpu --mute-audio --no-first-run \
  --autoplay-policy=no-user-gesture-required "--user-data-dir=$work/browser" \
  "http://127.0.0.1:$(cat port)/index.html" > /dev/null 2>&1 &
browser=$!
tries=0
while [ ! -s result ]; do
  tries=$((tries + 1))
  [ "$tries" -le 600 ] || { echo "the page did not report"; exit 1; }
  sleep 0.1
done
kill "$browser"
wait "$browser" || true
browser=

read -r came in_buffer picture_in asked_next < result || true
echo "second sound: came at $came ms, in the buffer at $in_buffer ms; second picture in at $picture_in ms;"
echo "third sound: asked for at $asked_next ms"
if [ "$came" -gt 0 ] && [ $((in_buffer - came)) -gt 2000 ] && [ $((picture_in - in_buffer)) -lt 200 ] \
  && [ $((asked_next - came)) -gt 2000 ]; then
  echo "PASS: sound is held back until its picture is there"
else
  echo "CHANGED: sound goes into the buffer without its picture"
  exit 1
fi
