#!/bin/sh
# One would guess: a catnip claim with 192.0.2.0/24 as RFC 9164 writes it, tag 52 around
# [24, h'c00002'] without the zeros at the end, is understood by @eyevinn/cat.
#
# What happens: it wants all four (or sixteen) bytes and throws "the binary input is neither an
# IPv6 nor IPv4 address", for clients inside the network as well. What it writes itself holds the
# zeros. And its HttpValidator has no address to compare with: every request with a catnip token is
# refused with 401, "IP not provided".
#
# Why it matters: libraries that follow the RFC (cbor2 for Python) leave the zeros out, so limits by
# network made with one lock everybody out at the other. List single addresses, or write the zeros.
#
# Seen with @eyevinn/cat 0.16.4 on Node.js 20.20.2, 2026-11-29.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --no-audit --no-fund @eyevinn/cat@0.16.4
cat > prefix.mjs <<'JS'
import cat from "@eyevinn/cat";
import { createRequire } from "node:module";
const { Tag } = createRequire(import.meta.url)("cbor-x");
const keys = { k: Buffer.alloc(32) };
const maker = new cat.CAT({ keys, expectCwtTag: true });
const url = new URL("https://a.example/x");
const make = (catnip) =>
  maker.generate({ iss: "i", exp: 1900000000, catnip }, { type: "mac", alg: "HS256", kid: "k" });
const forms = {
  "with zeros": [new Tag([24, Buffer.from("c0000200", "hex")], 52)],
  "as the RFC has it": [new Tag([24, Buffer.from("c00002", "hex")], 52)],
};
for (const [name, catnip] of Object.entries(forms)) {
  const token = await make(catnip);
  let result;
  try {
    const found = await maker.validate(token, "mac", { kid: "k", issuer: "i", url, ip: "192.0.2.7" });
    result = found.error ? found.error.message : "accepted";
  } catch (error) {
    result = error.message;
  }
  console.log(`${name}: ${result}`);
}
const http = new cat.HttpValidator({ keys: [{ kid: "k", key: keys.k }], issuer: "i" });
console.log = () => {};
const headers = { host: "a.example", "cta-common-access-token": await make(forms["with zeros"]) };
const { status, message } = await http.validateHttpRequest({ headers, url: "/x", method: "GET" });
console.info = (text) => process.stdout.write(`${text}\n`);
console.info(`over HTTP: ${status} ${message}`);
JS
node prefix.mjs > found.txt
cat found.txt
if grep -q "with zeros: accepted" found.txt &&
  grep -q "as the RFC has it: .*neither an IPv6 nor IPv4" found.txt &&
  grep -q "over HTTP: 401 IP not provided" found.txt; then
  echo "PASS: prefixes without zeros are not read, and over HTTP no address is compared"
else
  echo "CHANGED: expected an error for the shorter form, and a refusal over HTTP"
  exit 1
fi
