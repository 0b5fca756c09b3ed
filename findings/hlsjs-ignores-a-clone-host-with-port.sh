#!/bin/sh
# One would guess: in a content steering manifest, the HOST of a pathway clone may name a port, as
# "b.example:9090", so that servers on one machine can stand in for each other.
#
# What happens: hls.js 1.7.4 sets only the host name of the variant's URL to it. A value with a port
# is none, so nothing is replaced and nothing is said: the "clone" is the base itself. Without a
# port the host changes, and the base's port stays.
#
# Why it matters: a pathway that was cloned this way fails over to the server that has just failed.
# Give the servers one port, or use PER-VARIANT-URIS with STABLE-VARIANT-ID.
#
# Seen with hls.js 1.7.4 on Node.js 20.20.2, 2026-11-29.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --no-audit --no-fund hls.js@1.7.4
cat > variants.mjs <<'JS'
// Loads a playlist and a steering manifest from memory; prints where the variant is looked for.
globalThis.self = globalThis;
globalThis.location = {href: "http://a.example:8080/"};
globalThis.MediaSource = class { static isTypeSupported() { return true; } };
const {default: Hls} = await import("hls.js");
const replaced = {VERSION: 1, TTL: 300, "PATHWAY-PRIORITY": ["b"], "PATHWAY-CLONES": [
  {"BASE-ID": ".", ID: "b", "URI-REPLACEMENT": {HOST: process.argv[2]}}]};
const playlist = [
  "#EXTM3U",
  '#EXT-X-CONTENT-STEERING:SERVER-URI="steer.json",PATHWAY-ID="."',
  '#EXT-X-STREAM-INF:BANDWIDTH=100000,CODECS="avc1.42c00b"',
  "v0.m3u8",
].join("\n");
class Loader {
  stats = {aborted: false, loaded: 0, retry: 0, total: 0, chunkCount: 0, bwEstimate: 0,
    loading: {start: 0, first: 0, end: 0}, parsing: {start: 0, end: 0},
    buffering: {start: 0, first: 0, end: 0}};
  load(context, _config, {onSuccess}) {
    const name = new URL(context.url).pathname;
    const data = {"/main.m3u8": playlist, "/steer.json": replaced}[name];
    if (data) queueMicrotask(() => onSuccess({url: context.url, data}, this.stats, context, null));
  }
  abort() {}
  destroy() {}
}
const hls = new Hls({loader: Loader, enableWorker: false});
hls.on(Hls.Events.STEERING_MANIFEST_LOADED, () => setTimeout(() => {
  console.log(hls.levels[0].uri);
  process.exit(0);
}, 50));
hls.loadSource("http://a.example:8080/main.m3u8");
setTimeout(() => process.exit(3), 5000);
JS
without=$(node variants.mjs b.example)
with=$(node variants.mjs b.example:9090)
echo "HOST b.example: $without; HOST b.example:9090: $with"

if [ "$without" = http://b.example:8080/v0.m3u8 ] && [ "$with" = http://a.example:8080/v0.m3u8 ]
then
  echo "PASS: a HOST with a port replaces nothing"
else
  echo "CHANGED: expected the host to be replaced without a port only"
  exit 1
fi
