// Reads playlists with hls-parser in strict mode and prints what it made of them.
//
//   node check_hls.mjs FILE...      or      node check_hls.mjs < FILE
//
// Prints one JSON object per input on a line of its own, in order:
//   {"name", "error": null | "message", "kind", "version", "targetDuration", "endlist",
//    "segments": [{"uri", "duration", "key", "iv", "map", "bitrate"}],
//    "variants": [{"uri", "bandwidth", "averageBandwidth", "codecs", "audio"}]}
// Exit code 1 when any input has an error.

import { readFileSync } from "node:fs";
import HLS from "hls-parser";

HLS.setOptions({ strictMode: true });

const hex = (bytes) => (bytes ? Buffer.from(bytes).toString("hex") : null);

function facts(playlist) {
  if (playlist.isMasterPlaylist) {
    return {
      kind: "multivariant",
      version: playlist.version,
      variants: playlist.variants.map((variant) => ({
        uri: variant.uri,
        bandwidth: variant.bandwidth,
        averageBandwidth: variant.averageBandwidth ?? null,
        codecs: variant.codecs ?? null,
        audio: variant.audio.map((rendition) => rendition.uri ?? null),
      })),
    };
  }
  return {
    kind: "media",
    version: playlist.version,
    targetDuration: playlist.targetDuration,
    endlist: playlist.endlist,
    segments: playlist.segments.map((segment) => ({
      uri: segment.uri,
      duration: segment.duration,
      key: segment.key && segment.key.method !== "NONE" ? segment.key.uri : null,
      iv: segment.key ? hex(segment.key.iv) : null,
      map: segment.map ? segment.map.uri : null,
      bitrate: segment.bitrate ?? null,
    })),
  };
}

function check(name, text) {
  try {
    return { name, error: null, ...facts(HLS.parse(text)) };
  } catch (error) {
    return { name, error: String(error.message ?? error) };
  }
}

const names = process.argv.slice(2);
const results = names.length
  ? names.map((name) => check(name, readFileSync(name, "utf8")))
  : [check("-", readFileSync(0, "utf8"))];
for (const result of results) console.log(JSON.stringify(result));
process.exitCode = results.some((result) => result.error !== null) ? 1 : 0;
