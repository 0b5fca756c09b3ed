#!/bin/sh
# One would guess: what dash.js keeps for the next session under the name of the last bit rate
# (lastBitrateCachingInfo; "dashjs_video_bitrate" in localStorage) is the bit rate that was played,
# or at least what its rules made of the throughput.
#
# What happens: it is the mean throughput, written whenever the quality changes, and the next session
# within six minutes begins at the highest quality within it, before anything is buffered.
#
# Why it matters: a second session begins higher than any rule would choose, and not where the first
# ended. Who models returning viewers as "starts at the last bit rate" sees fewer early stalls.
#
# Seen with dashjs 5.2.1 in Chromium 156 (Debian), imageio-ffmpeg 0.8.1, 2026-11-29.
set -eu
work=$(mktemp -d)
server=
browser=
trap '[ -z "$browser" ] || kill "$browser"; [ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
cd "$work"

npm install --silent --no-audit --no-fund dashjs@5.2.1
python3 -m venv venv
venv/bin/pip install --quiet imageio-ffmpeg==0.8.1
ffmpeg=$(venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')

# The same pictures are said to have 0.2, 0.6 and 2 Mbit/s, which 12 Mbit/s of link carry with ease.
"$ffmpeg" -v error -f lavfi -i testsrc2=size=640x360:rate=10:duration=20 -c:v libx264 -b:v 600k \
  -preset ultrafast -g 10 -keyint_min 10 -sc_threshold 0 -f dash -seg_duration 1 -use_template 1 \
  -use_timeline 0 -init_seg_name init.mp4 -media_seg_name '$Number$.m4s' plain.mpd
mime='mimeType="video/mp4" codecs="avc1.42c01e" width="640" height="360"'
cat > film.mpd <<XML
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT20S"
 minBufferTime="PT1S" profiles="urn:mpeg:dash:profile:isoff-live:2011"><Period>
<AdaptationSet contentType="video" segmentAlignment="true">
<SegmentTemplate initialization="init.mp4" media="\$Number\$.m4s" duration="1" startNumber="1"/>
<Representation id="a" bandwidth="200000" $mime/>
<Representation id="b" bandwidth="600000" $mime/>
<Representation id="c" bandwidth="2000000" $mime/>
</AdaptationSet></Period></MPD>
XML
cat > index.html <<'HTML'
<!doctype html>
<video id="video" muted></video>
<script src="/node_modules/dashjs/dist/modern/umd/dash.all.min.js"></script>
<script>
const began = Date.now();
const again = location.search === "?again";
const player = dashjs.MediaPlayer().create();
let first = null;
player.on("fragmentLoadingStarted", ({request}) => {
  if (request.type === "MediaSegment") first ??= request.representation.bandwidth / 1000;
});
player.initialize(document.getElementById("video"), "/film.mpd", true);
const look = setInterval(() => {
  const kept = JSON.parse(localStorage.getItem("dashjs_video_bitrate") ?? "{}").bitrate;
  if ((!kept || first === null) && Date.now() - began < 20000) return;
  clearInterval(look);
  const result = `${first} ${kept} ${player.getAverageThroughput("video").toFixed(0)}`;
  fetch(again ? "/again" : "/once", {method: "POST", body: result}).then(() => {
    if (!again) location.search = "?again";
  });
}, 50);
</script>
HTML
cat > serve.py <<'PY'
import http.server, os, time

class Handler(http.server.SimpleHTTPRequestHandler):
    def copyfile(self, source, outputfile):
        while piece := source.read(7500):  # 12 Mbit/s
            outputfile.write(piece)
            if self.path.endswith(".m4s"):
                time.sleep(0.005)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name = self.path.strip("/")
        with open(name + ".part", "wb") as file:
            file.write(body + b"\n")
        os.replace(name + ".part", name)
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
while [ ! -s again ]; do
  tries=$((tries + 1))
  [ "$tries" -le 600 ] || { echo "the page did not report: $(cat once 2> /dev/null)"; exit 1; }
  sleep 0.1
done
kill "$browser"
wait "$browser" || true
browser=

read -r first kept throughput < once || true
read -r first_again kept_again throughput_again < again || true
echo "first session: begins at $first kbit/s and keeps $kept, at a mean throughput of $throughput"
echo "second session: begins at $first_again kbit/s"
if [ "${kept%.*}" -gt 2500 ] && [ "${first%.*}" -eq 600 ] && [ "${first_again%.*}" -eq 2000 ]; then
  echo "PASS: the throughput is remembered, whatever was played"
else
  echo "CHANGED: something else than the throughput is remembered"
  exit 1
fi
