#!/bin/sh
# One would guess: new CAT({keys}) and new CAT({keys, expectCwtTag: true}) make the same token, one
# without and one with the tag of a CWT in front.
#
# What happens: without the option, which is off by default, the claims are written as hexadecimal
# digits, so that the payload inside COSE is a text string of digits instead of the bytes of a map,
# and of twice the length. @eyevinn/cat reads it back; the payload is no CWT to other readers.
#
# Why it matters: tokens work between two programs that use the library, and nowhere else. Pass
# expectCwtTag: true on both sides. (HttpValidator always does, so it refuses the tokens that
# new CAT({keys}) makes, with status 500.)
#
# Seen with @eyevinn/cat 0.16.4 on Node.js 20.20.2, 2026-11-29.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --no-audit --no-fund @eyevinn/cat@0.16.4
cat > payload.mjs <<'JS'
import cat from "@eyevinn/cat";
import { decode } from "cbor-x";
const keys = { k: Buffer.alloc(32) };
for (const expectCwtTag of [true, false]) {
  const text = await new cat.CAT({ keys, expectCwtTag }).generateFromJson(
    { iss: "issuer", exp: 1900000000 },
    { type: "mac", alg: "HS256", kid: "k" },
  );
  let message = decode(Buffer.from(text, "base64url"));
  while (!Array.isArray(message)) message = message.value;
  const payload = message[2];
  const kind = typeof payload === "string" ? "text" : "bytes";
  console.log(`tag ${expectCwtTag}: payload is ${kind} of length ${payload.length}`);
}
JS
node payload.mjs > found.txt
cat found.txt
if grep -q "tag true: payload is bytes of length 19" found.txt &&
  grep -q "tag false: payload is text of length 38" found.txt; then
  echo "PASS: without expectCwtTag the claims are hexadecimal text"
else
  echo "CHANGED: expected bytes with the tag, and hexadecimal text without it"
  exit 1
fi
