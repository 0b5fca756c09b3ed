"""What it costs to verify a token, of every form: at first sight, and remembered.

    python -m tests.perf.token_cost [--repeats 9] [--json]

A verifier with the keys of all forms is asked about a request that the token permits. At first
sight the text is new to it, as for a viewer's first request; remembered, it has seen the text
before, and compares times and limits with the request. Figures are microseconds of processor time,
the median of ``--repeats`` rounds with the least and the greatest; forms take turns. ``added`` is
what the check adds to an answer of an edge's short cut for hot objects: the time in which it is
found with the token in the path, less that of an edge that checks none. It exits with 1 if a
median is above its bar.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import ipaddress
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from yarl import URL

from edge.server.clock import wall_clock_s
from edge.server.hotpath import HotObjects
from origin.server.lanes import Client
from origin.simplehead import SimpleHead, SimpleHeads
from origin.tokens.carriage import to_segment
from origin.tokens.cat.form import mint_cat
from origin.tokens.jws import sign_jws
from origin.tokens.pathtoken import PathTokens, TokenIssuer
from origin.tokens.shortform import mint_short
from origin.tokens.signingkeys import SigningKey
from origin.tokens.trust import parse_trust
from origin.tokens.verifier import TokenVerifier
from tests.fakes.attacks import ASKED, KEYS, trust_text
from tests.fakes.parent import fake_parent, running_edge

NOW_S = 1_800_000_000
FIRST_BAR_US = 250.0
REMEMBERED_BAR_US = 10.0
FINDS = 2000
OBJECT = f"/{ASKED.title}/{ASKED.path}"
TOKENS = 200
"""Different tokens per form and round; more are signed than the verifier has seen."""

CDNIUC = "regex:http://127\\.0\\.0\\.1/film/.*"
CATU = {3: {1: "/film/"}}
PARTS = {1: {0: "127.0.0.1"}, 3: {1: "/film/"}, 8: {0: ".m4s"}}
NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]
LIMITS: dict[str, dict[str, Any]] = {
    "3 parts": {"catu": PARTS},
    "regex": {"catu": {3: {4: ["^/film/.*[.](m4s|m3u8)$"]}}},
    "all limits": {"catu": PARTS, "catm": ["GET", "HEAD"], "catnip": NETWORKS},
}


def makers(issuer: TokenIssuer, now_s: int = NOW_S) -> dict[str, Callable[[str], str]]:
    """Ways to make a token of a session, by form, algorithm and limits."""
    exp, secret = now_s + 3600, KEYS["HS256"].key
    assert isinstance(secret, bytes)

    def path(session: str) -> str:
        return issuer.issue("film", now_s=now_s, session_id=session)

    def short(session: str) -> str:
        return mint_short(["/film/*"], expires_s=exp, secret=secret, session=session)

    def uri(session: str, key: SigningKey) -> str:
        return sign_jws({"iss": "studio", "sub": session, "exp": exp, "cdniuc": CDNIUC}, key)

    def cat(session: str, key: SigningKey, limits: dict[str, Any]) -> str:
        return mint_cat({"iss": "studio", "sub": session, "exp": exp, **limits}, key)

    made: dict[str, Callable[[str], str]] = {"path EdDSA": path, "hmac": short}
    for name, key in KEYS.items():
        made[f"uri-signing {name}, regex"] = partial(uri, key=key)
        made[f"cat {name}, prefix"] = partial(cat, key=key, limits={"catu": CATU})
    for name, limits in LIMITS.items():
        made[f"cat HS256, {name}"] = partial(cat, key=KEYS["HS256"], limits=limits)
    return made


def round_of(verifier: TokenVerifier, tokens: list[str]) -> tuple[float, float]:
    """Microseconds per token: at first sight, and remembered."""
    gc.collect()
    begun = time.process_time()
    for token in tokens:
        verifier.verify(token, asked=ASKED, now_s=NOW_S)
    first = time.process_time()
    for _ in range(10):
        for token in tokens:
            verifier.verify(token, asked=ASKED, now_s=NOW_S)
    again = time.process_time()
    count = len(tokens)
    return (first - begun) / count * 1e6, (again - first) / count / 10 * 1e6


def measure(repeats: int) -> list[dict[str, Any]]:
    """A row per form."""
    issuer = TokenIssuer(Ed25519PrivateKey.generate())
    others = parse_trust(trust_text(), where="trust").forms()
    verifier = TokenVerifier(PathTokens(issuer.jwks()), others)
    made = makers(issuer)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in made}
    for number in range(repeats + 1):
        for name, make in made.items():
            tokens = [make(f"s{number}-{each}") for each in range(TOKENS)]
            took = round_of(verifier, tokens)
            if number:  # the first round warms up
                found[name].append(took)
    hot = asyncio.run(measure_short_cut(repeats))
    return [
        {
            "form": name,
            "first_us": spread([first for first, _ in rounds]),
            "remembered_us": spread([again for _, again in rounds]),
            "added_us": spread(
                [mine - free for mine, free in zip(hot[name], hot["none"], strict=True)]
            ),
        }
        for name, rounds in found.items()
    ]


async def measure_short_cut(repeats: int) -> dict[str, list[float]]:
    """Microseconds that tokens add to finding a hot object, by form."""
    heads = SimpleHeads()
    async with fake_parent() as parent:
        parent.add(OBJECT, bytes(1000))
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            trust = folder / "trust.json"
            trust.touch(mode=0o600)
            trust.write_text(trust_text(), encoding="utf-8")
            async with (
                running_edge(parent.url, folder / "a", trust=str(trust)) as checking,
                running_edge(parent.url, folder / "b", require_token=False) as free,
                aiohttp.ClientSession() as client,
            ):
                now_s = wall_clock_s()
                tokens = {
                    form: make("s") for form, make in makers(parent.issuer, int(now_s)).items()
                }
                paths = {
                    form: (checking, f"/t/{to_segment(token)}{OBJECT}")
                    for form, token in tokens.items()
                }
                paths["none"] = (free, OBJECT)
                found: dict[str, list[float]] = {form: [] for form in paths}
                for edge, path in list(paths.values()) * 3:
                    url = URL(f"{edge.url}{path}", encoded=True)
                    async with client.get(url, headers={"Host": "127.0.0.1"}) as answer:
                        assert answer.status == 200, path[:40]
                for _ in range(repeats):
                    for form, (edge, path) in paths.items():
                        line = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
                        head = heads.read(line.encode())
                        found[form].append(_finding_us(edge.edge.hot, head))
    return found


def _finding_us(hot: HotObjects, head: SimpleHead | None) -> float:
    assert head is not None
    client = Client("127.0.0.1", "http")
    assert hot.find(head, client) is not None
    begun = time.process_time()
    for _ in range(FINDS):
        hot.find(head, client)
    return (time.process_time() - begun) / FINDS * 1e6


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and greatest."""
    return {
        "median": round(statistics.median(values), 2),
        "least": round(min(values), 2),
        "greatest": round(max(values), 2),
    }


def main() -> None:
    """Print a table or JSON; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows = measure(asked.repeats)
    if asked.json:
        print(json.dumps(rows, indent=2))
    else:
        print(f"{'form':26} {'first sight, us':>24} {'remembered, us':>20} {'added, us':>20}")
        for row in rows:
            cells = [
                "{median:.1f} ({least:.1f}-{greatest:.1f})".format(**row[name])
                for name in ("first_us", "remembered_us", "added_us")
            ]
            print(f"{row['form']:26} {cells[0]:>24} {cells[1]:>20} {cells[2]:>20}")
    missed = [
        row["form"]
        for row in rows
        if row["first_us"]["median"] > FIRST_BAR_US
        or max(row["remembered_us"]["median"], row["added_us"]["median"]) > REMEMBERED_BAR_US
    ]
    print(f"bars {FIRST_BAR_US:g} and {REMEMBERED_BAR_US:g} us: {', '.join(missed) or 'all kept'}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
