// Reads and makes Common Access Tokens with node-cat: one JSON object per line, in and out.
//
//   {"do": "read", "key": "<secret, base64url>", "kid": "...", "token": "...", "issuer": "...",
//    "url": "/path?query", "method": "GET", "via": "header" | "query" | "cookie"}; with "ip" instead of "via": without HTTP
//   {"do": "make", "key": ..., "kid": ..., "claims": {...}}
//
// Answers: {"status", "message", "claims", "headers"}, {"token"} or {"error"}.

import { createInterface } from "node:readline";
import cat from "@eyevinn/cat";

async function read({ key, kid, token, issuer, url, method, via, host, audience }) {
  const validator = new cat.HttpValidator({
    keys: [{ kid, key: Buffer.from(key, "base64url") }],
    issuer,
    audience,
  });
  const headers = { host };
  const answered = {};
  const response = { setHeader: (name, value) => (answered[name] = value) };
  if (via === "query") url += `${url.includes("?") ? "&" : "?"}cat=${token}`;
  else if (via === "cookie") headers.cookie = `cta-common-access-token=${token}`;
  else headers["cta-common-access-token"] = token;
  const result = await validator.validateHttpRequest({ headers, url, method }, response);
  const { status, message = null, claims = null } = result;
  return { status, message, claims, headers: answered };
}

// Its validator for HTTP requests has no address to give to its own check of addresses.
async function readFrom({ key, kid, token, issuer, url, host, audience, ip }) {
  const validator = new cat.CAT({ keys: { [kid]: Buffer.from(key, "base64url") } });
  const whole = new URL(`https://${host}${url}`);
  const result = await validator.validate(token, "mac", { kid, issuer, audience, url: whole, ip });
  return {
    status: result.error ? 401 : 200,
    message: result.error ? result.error.message : null,
    claims: result.cat.claims,
  };
}

async function make({ key, kid, claims }) {
  const maker = new cat.CAT({
    keys: { [kid]: Buffer.from(key, "base64url") },
    expectCwtTag: true,
  });
  return { token: await maker.generateFromJson(claims, { type: "mac", alg: "HS256", kid }) };
}

console.debug = () => {};
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  let answer;
  try {
    const ways = { read: asked.ip ? readFrom : read, make };
    answer = await ways[asked.do](asked);
  } catch (error) {
    answer = { error: String(error.message) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
