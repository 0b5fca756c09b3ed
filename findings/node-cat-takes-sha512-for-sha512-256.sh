#!/bin/sh
# One would guess: the match "sha512-256" of a catu claim in @eyevinn/cat is SHA-512/256 of the URL's
# part (FIPS 180-4, 32 bytes), and the part "extension" of "a.b.m4s" is ".m4s".
#
# What happens: the hash is SHA-512 with all of its 64 bytes, in hexadecimal text, and SHA-512/256
# never matches. The extension is everything from the first dot on, ".b.m4s", and the stem "a".
#
# Why it matters: a token with such a match that is made by one library is refused by the other
# (Akamai's module divides file names at the last dot). Use SHA-256, which both compute alike, and
# file names with one dot.
#
# Seen with @eyevinn/cat 0.16.4 on Node.js 20.20.2, 2026-11-29.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --no-audit --no-fund @eyevinn/cat@0.16.4
cat > matches.mjs <<'JS'
import { createHash } from "node:crypto";
import cat from "@eyevinn/cat";
const path = "/x/a.b.m4s";
const uri = new URL(`https://a.example${path}`);
const hash = (name) => createHash(name).update(path).digest("hex");
const cases = {
  "sha512-256 as SHA-512/256": { path: { "sha512-256-match": hash("sha512-256") } },
  "sha512-256 as SHA-512": { path: { "sha512-256-match": hash("sha512") } },
  "sha256": { path: { "sha256-match": hash("sha256") } },
  "extension .m4s": { extension: { "exact-match": ".m4s" } },
  "extension .b.m4s": { extension: { "exact-match": ".b.m4s" } },
};
for (const [name, claim] of Object.entries(cases)) {
  const holds = await cat.CommonAccessTokenUri.fromDict(claim).match(uri);
  console.log(`${name}: ${holds}`);
}
JS
node matches.mjs > found.txt
cat found.txt
cat > expected.txt <<'TXT'
sha512-256 as SHA-512/256: false
sha512-256 as SHA-512: true
sha256: true
extension .m4s: false
extension .b.m4s: true
TXT
if diff expected.txt found.txt; then
  echo "PASS: sha512-256 is SHA-512 there, and extensions begin at the first dot"
else
  echo "CHANGED: expected SHA-512, and the first dot"
  exit 1
fi
