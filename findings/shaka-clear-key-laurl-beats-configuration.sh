#!/bin/sh
# One would guess: shaka-player asks the licence server that the page configures (drm.servers), as
# its documentation of other key systems says, or else the one that the DASH manifest names
# (dashif:Laurl), a relative address being taken from where the manifest is.
#
# What happens: with Clear Key, a Laurl in the manifest beats the page's configuration, and a
# relative one is taken from where the *page* is.
#
# Why it matters: a manifest that caches hand to everyone cannot hold an address with a viewer's
# token, and a relative one, which would inherit it, breaks also the pages that know better. Leave
# Laurl out, and have pages set the address.
#
# Seen with shaka-player 5.2.12 in Chromium 156 (Debian), 2026-11-29.
set -eu
work=$(mktemp -d)
server=
browser=
trap '[ -z "$browser" ] || kill "$browser"; [ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
cd "$work"

npm install --silent --no-audit --no-fund shaka-player@5.2.12
mkdir page film
manifest() {
  cat <<XML
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:cenc="urn:mpeg:cenc:2013"
 xmlns:dashif="https://dashif.org/CPS" type="static" mediaPresentationDuration="PT2S"
 minBufferTime="PT2S" profiles="urn:mpeg:dash:profile:isoff-live:2011"><Period>
<AdaptationSet contentType="video" mimeType="video/mp4" codecs="avc1.64000c">
<ContentProtection schemeIdUri="urn:mpeg:dash:mp4protection:2011" value="cenc"
 cenc:default_KID="00112233-4455-6677-8899-aabbccddeeff"/>
<ContentProtection schemeIdUri="urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e"
 value="ClearKey1.0">$1</ContentProtection>
<SegmentTemplate initialization="init.mp4" media="\$Number\$.m4s" duration="2"/>
<Representation id="v" bandwidth="100000" width="160" height="90"/>
</AdaptationSet></Period></MPD>
XML
}
manifest '<dashif:Laurl>licence</dashif:Laurl>' > film/with.mpd
manifest '' > film/without.mpd
cat > page/index.html <<'HTML'
<!doctype html>
<video id="video"></video>
<script src="/node_modules/shaka-player/dist/shaka-player.compiled.js"></script>
<script>
(async () => {
  const player = new shaka.Player();
  await player.attach(document.getElementById("video"));
  player.configure({drm: {servers: {"org.w3.clearkey": "/configured"}}});
  await player.load("/film/" + location.search.slice(1));
})().catch(() => {});
</script>
HTML
cat > serve.py <<'PY'
import http.server, os

class Handler(http.server.SimpleHTTPRequestHandler):
    def do_POST(self):
        with open("asked", "a") as file:
            file.write(self.path + "\n")
        self.send_error(404)

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open("port.part", "w") as file:
    file.write(str(server.server_address[1]))
os.replace("port.part", "port")
server.serve_forever()
PY
python3 serve.py 2> /dev/null &
server=$!
tries=0
while [ ! -s port ]; do
  tries=$((tries + 1))
  [ "$tries" -le 100 ] || { echo "the local server did not start"; exit 1; }
  sleep 0.1
done

asked() {
  rm -f asked
  chromium --headless=new --no-sandbox --disable-gpu --no-first-run "--user-data-dir=$work/$1" \
    "http://127.0.0.1:$(cat port)/page/index.html?$1" > /dev/null 2>&1 &
  browser=$!
  tries=0
  while [ ! -s asked ] && [ "$tries" -le 300 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
  kill "$browser"
  wait "$browser" || true
  browser=
  head -n 1 asked 2> /dev/null || echo nothing
}
without=$(asked without.mpd)
with=$(asked with.mpd)
echo "licence asked of: $without (no Laurl), $with (Laurl licence, manifest in /film/)"
if [ "$without" = /configured ] && [ "$with" = /page/licence ]; then
  echo "PASS: a relative Laurl beats what the page configured, and is taken from the page"
else
  echo "CHANGED: expected /configured without a Laurl, and /page/licence with one"
  exit 1
fi
