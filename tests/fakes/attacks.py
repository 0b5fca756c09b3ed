"""Altered tokens of every form: how somebody without a key would try to make one."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from urllib.parse import quote, unquote

import cbor2
import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from origin.tokens.cat.form import mint_cat
from origin.tokens.cose import seal
from origin.tokens.jws import sign_jws
from origin.tokens.keysets import b64url
from origin.tokens.pathtoken import TokenIssuer
from origin.tokens.permission import Asked
from origin.tokens.shortform import mint_short
from origin.tokens.signingkeys import SigningKey

ASKED = Asked(
    title="film",
    path="v0/00000.m4s",
    scheme="http",
    authority="127.0.0.1",
    address="127.0.0.1",
)
NOISE = "abcXYZ019-_.~/%\\?#&=+;:@!$'()*,\"<> \t\x00\x7fé"
ALGORITHMS = ("none", "None", "HS256", "HS512", "ES256", "EdDSA", "Ed25519", "RS256", "")

P256 = ec.generate_private_key(ec.SECP256R1())
ED = Ed25519PrivateKey.generate()
KEYS = {
    "HS256": SigningKey(kid="shared", algorithm="HS256", key=bytes(range(32))),
    "ES256": SigningKey(kid="p", algorithm="ES256", key=P256),
    "EdDSA": SigningKey(kid="e", algorithm="EdDSA", key=ED),
}
STRANGERS = {
    "HS256": SigningKey(kid="shared", algorithm="HS256", key=bytes(32)),
    "ES256": SigningKey(kid="p", algorithm="ES256", key=ec.generate_private_key(ec.SECP256R1())),
    "EdDSA": SigningKey(kid="e", algorithm="EdDSA", key=Ed25519PrivateKey.generate()),
}
PUBLIC = (
    ED.public_key().public_bytes_raw(),
    P256.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
    P256.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
)
"""Public keys, which a careless verifier takes for shared secrets."""


def trust_text() -> str:
    """The file that has an issuer with all keys and forms trusted."""
    numbers = P256.public_key().public_numbers()
    keys = [
        {"kty": "oct", "kid": "shared", "k": b64url(bytes(range(32)))},
        {
            "kty": "EC",
            "crv": "P-256",
            "kid": "p",
            "x": b64url(numbers.x.to_bytes(32, "big")),
            "y": b64url(numbers.y.to_bytes(32, "big")),
        },
        {"kty": "OKP", "crv": "Ed25519", "kid": "e", "x": b64url(PUBLIC[0])},
    ]
    return json.dumps({"studio": {"keys": keys, "forms": ["uri-signing", "cat", "hmac"]}})


def genuine(issuer: TokenIssuer, now_s: float) -> dict[str, list[str]]:
    """Tokens by form: some open what is asked for, some another title, some have ended."""
    tokens: dict[str, list[str]] = {}
    for title, ttl_s in (("film", 600), ("film", 300), ("other", 600), ("film", -5)):
        end = int(now_s) + ttl_s
        jwt = {"iss": "studio", "sub": "s", "exp": end, "cdniuc": f"regex:https?://.*/{title}/.*"}
        cat = {"iss": "studio", "sub": "s", "exp": end, "catu": {3: {1: f"/{title}/"}}}
        path = issuer.issue(title, now_s=now_s - 900 + ttl_s, session_id="s", ttl_s=900)
        tokens.setdefault("path", []).append(path)
        short = mint_short([f"/{title}/*"], expires_s=end, secret=bytes(range(32)), session="s")
        tokens.setdefault("hmac", []).append(short)
        for name, key in KEYS.items():
            tokens.setdefault(f"uri-signing {name}", []).append(sign_jws(jwt, key))
            tokens.setdefault(f"cat {name}", []).append(mint_cat(cat, key))
    return tokens


class Attacker:
    """Makes altered tokens, each from a genuine one."""

    def __init__(self, tokens: dict[str, list[str]], rng: np.random.Generator) -> None:
        self._tokens = tokens
        self._names = list(tokens)
        self._all = [token for group in tokens.values() for token in group]
        self._genuine = set(map(untagged, self._all))
        self._rng = rng

    def __repr__(self) -> str:
        return f"<Attacker with {len(self._all)} tokens>"

    def attacks(self, count: int) -> Iterator[tuple[str, str, str]]:
        """Form, kind of attack, and an altered token, so many times."""
        ways: list[tuple[str, Callable[[str], str]]] = [
            ("text", self._text),
            ("text", self._text),
            ("bytes", self._bytes),
            ("bytes", self._bytes),
            ("splice", self._splice),
            ("claims", self._claims),
        ]
        made = 0
        while made < count:
            form = self._names[self._below(len(self._names))]
            group = self._tokens[form]
            kind, way = ways[self._below(len(ways))]
            altered = way(group[self._below(len(group))])
            if not self.is_genuine(altered):
                made += 1
                yield form, kind, altered

    def is_genuine(self, text: str) -> bool:
        """Whether a server that is sent ``text`` is given a genuine token, on some way or other.

        Fields lose spaces at their ends, cookies their quotation marks, URLs their escapes.
        """
        arriving = (text, text.strip(), text.strip(' "'), unquote(text))
        return any(untagged(each) in self._genuine for each in arriving)

    def _below(self, bound: int) -> int:
        return int(self._rng.integers(0, max(1, bound)))

    def _text(self, token: str) -> str:
        """One to three changes of its text."""
        for _ in range(1 + self._below(3)):
            at, kind = self._below(len(token)), self._below(8)
            new = NOISE[self._below(len(NOISE))]
            if kind < 3:
                token = token[:at] + ("" if kind == 2 else new) + token[at + (kind > 0) :]
            elif kind == 3:
                token = token[at:] + token[:at]
            elif kind == 4:
                token = token[:at] + token[at:].swapcase()
            elif kind == 5:
                token = token[:at] + token[at : at + self._below(20)] + token[at:]
            elif kind == 6:
                token = token[:at] + quote(token[at : at + 1], safe="") + token[at + 1 :] + new
            elif token:
                token = token[:at] + chr(ord(token[at]) ^ (1 << self._below(7))) + token[at + 1 :]
        return token

    def _bytes(self, token: str) -> str:
        """Changes of what the text stands for, so that decoders are reached."""
        parts = token.split(".")
        at = self._below(len(parts))
        try:
            data = bytearray(urlsafe_b64decode(parts[at] + "=" * (-len(parts[at]) % 4)))
        except ValueError:
            return self._text(token)
        for _ in range(1 + self._below(2)):
            where, kind = self._below(len(data)), self._below(4)
            if kind == 0 and data:
                data[where] ^= 1 << self._below(8)
            elif kind == 1 and data:
                data[where] = self._below(256)
            elif kind == 2:
                data[where:where] = self._rng.bytes(1 + self._below(3))
            else:
                del data[where : where + 1 + self._below(4)]
        parts[at] = b64url(bytes(data))
        return ".".join(parts)

    def _splice(self, token: str) -> str:
        """Part of it, and part of another."""
        other = self._all[self._below(len(self._all))]
        for sign in (".", "~"):
            if sign in token and sign in other:
                mine, theirs = token.split(sign), other.split(sign)
                at = self._below(min(len(mine), len(theirs)))
                mine[at] = theirs[at]
                return sign.join(mine)
        return token[: self._below(len(token))] + other[self._below(len(other)) :]

    def _claims(self, token: str) -> str:
        """Another content, with the old signature, that of a stranger, or one of a public key."""
        if token.count(".") == 2:
            return self._jwt(token)
        if token.startswith(("2D3R", "2D3S")):
            return self._cat(token)
        end = str(2_000_000_000 + self._below(1000))
        text = token.replace(token[4 : token.index("~")], end) if "~" in token else token
        return text.replace("/film/*", "/*") if self._below(2) else text

    def _jwt(self, token: str) -> str:
        head, claims, signature = token.split(".")
        header = json.loads(_decoded(head))
        content = json.loads(_decoded(claims))
        content["exp"] = content.get("exp", 0) + 10_000 + self._below(1000)
        if self._below(2):
            header["alg"] = ALGORITHMS[self._below(len(ALGORITHMS))]
        if self._below(4) == 0:
            header.pop("kid", None)
        text = ".".join(b64url(json.dumps(part).encode()) for part in (header, content))
        way = self._below(4)
        if way == 0:
            return f"{text}.{signature}"
        if way == 1:
            return f"{text}."
        if way == 2:
            secret = PUBLIC[self._below(len(PUBLIC))]
            return f"{text}.{b64url(hmac.digest(secret, text.encode(), hashlib.sha256))}"
        return sign_jws(content, self._stranger())

    def _cat(self, token: str) -> str:
        cwt = cbor2.loads(_decoded(token))
        protected, _, payload, signature = cwt.value.value
        claims = cbor2.loads(payload)
        claims[4] = claims[4] + 10_000 + self._below(1000)
        header = cbor2.loads(protected)
        if self._below(2):
            header[1] = (0, 4, 5, -7, -8, -9, -19, -37)[self._below(8)]
        if self._below(4) == 0:
            header.pop(4, None)
        altered = cbor2.dumps(claims)
        tag, way = (17, 18)[self._below(2)], self._below(3)
        if way == 0:
            return seal_text(altered, self._stranger())
        sealed = cbor2.dumps(header)
        if way == 1:
            secret = PUBLIC[self._below(len(PUBLIC))]
            signed = cbor2.dumps(["MAC0", sealed, b"", altered])
            signature = hmac.digest(secret, signed, hashlib.sha256)
        message = cbor2.CBORTag(tag, [sealed, {}, altered, signature])
        return b64url(cbor2.dumps(cbor2.CBORTag(61, message)))

    def _stranger(self) -> SigningKey:
        return list(STRANGERS.values())[self._below(len(STRANGERS))]


def seal_text(payload: bytes, key: SigningKey) -> str:
    """A token with any payload."""
    return b64url(seal(payload, key))


def untagged(token: str) -> str:
    """A token without the tags before a COSE message, which nobody signs: it says the same."""
    try:
        data = _decoded(token)
    except ValueError:
        return token
    for tag in (b"\xd8\x3d", b"\xd1", b"\xd2"):
        data = data.removeprefix(tag)
    return b64url(data) if data[:1] == b"\x84" else token


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
