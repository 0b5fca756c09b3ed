"""Altered tokens of every form, a million of them: is one accepted, or anything fetched for it?

    python -m tests.perf.token_attacks [--count 1000000] [--edge 20000] [--seed 1]

Genuine tokens of all forms and algorithms are altered: in their text, in the bytes that the text
stands for, in their claims and headers (signed with another key, or with none), and by putting
parts of several together. Each is given to a verifier that knows the keys of all of them, and the
last ``--edge`` of them also to a running edge, by turns in the path, in ``Authorization``, in
``CTA-Common-Access-Token``, in a cookie and in the query. It exits with 1 if

* an altered token is accepted, or refused by anything but a ``TokenError``;
* the edge answers one with anything but a refusal, or asks its parent for an object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from yarl import URL

from abr.errors import TokenError
from edge.server.clock import wall_clock_s
from origin.tokens.pathtoken import PathTokens, TokenIssuer
from origin.tokens.trust import parse_trust
from origin.tokens.verifier import TokenVerifier
from tests.fakes.attacks import ASKED, Attacker, genuine, trust_text
from tests.fakes.parent import fake_parent, running_edge

WAYS = ("path", "bearer", "field", "cookie", "query")


@dataclass
class Report:
    """What became of altered tokens."""

    tried: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    cpu_s: float = 0.0
    key_sets: int = 0
    """Key sets that were fetched meanwhile, for key ids that nobody knows."""

    def facts(self) -> dict[str, Any]:
        """For people and programs."""
        return {
            "tried": self.tried.total(),
            "by kind": dict(sorted(self.tried.items())),
            "refused": dict(self.reasons.most_common()),
            "faults": len(self.faults),
            "first faults": self.faults[:5],
            "cpu_s": round(self.cpu_s, 1),
            "key sets fetched": self.key_sets,
        }


def verify_all(verifier: TokenVerifier, attacker: Attacker, count: int, now_s: float) -> Report:
    """Give altered tokens to a verifier."""
    report = Report()
    begun_s = time.process_time()
    for form, kind, token in attacker.attacks(count):
        report.tried[f"{form.partition(' ')[0]}, {kind}"] += 1
        try:
            verifier.verify(token, asked=ASKED, now_s=now_s)
        except TokenError as exc:
            report.reasons[exc.reason] += 1
        except Exception as exc:  # noqa: BLE001 - any other is what we look for
            report.faults.append(f"{form}, {kind}: {type(exc).__name__}")
        else:
            report.faults.append(f"{form}, {kind}: accepted")
    report.cpu_s = time.process_time() - begun_s
    return report


async def ask_edge(attacker_of: Callable[[TokenIssuer], Attacker], count: int) -> Report:
    """Send requests with altered tokens to an edge that holds what they ask for."""
    report = Report()
    async with fake_parent() as parent:
        parent.add("/film/v0/00000.m4s", b"segment")
        with tempfile.TemporaryDirectory() as folder:
            trust = Path(folder) / "trust.json"
            trust.touch(mode=0o600)
            trust.write_text(trust_text(), encoding="utf-8")
            async with running_edge(parent.url, Path(folder) / "c", trust=str(trust)) as edge:
                good = parent.issuer.issue("film", now_s=wall_clock_s(), session_id="s")
                attacker = attacker_of(parent.issuer)
                async with aiohttp.ClientSession() as client:
                    url = URL(f"{edge.url}/t/{good}/film/v0/00000.m4s", encoded=True)
                    async with client.get(url) as answer:
                        assert answer.status == 200, answer.status
                    fetched, keys = list(parent.asked), parent.key_sets_asked
                    for number, (form, kind, token) in enumerate(attacker.attacks(count)):
                        way = WAYS[number % len(WAYS)]
                        if attacker.is_genuine(_in_field(token)):
                            continue
                        report.tried[f"{form.partition(' ')[0]}, by {way}"] += 1
                        fault = await _ask(client, edge.url, way, token, report)
                        if fault:
                            report.faults.append(f"{form}, {kind}, by {way}: {fault}")
                if parent.asked != fetched:
                    report.faults.append(f"the parent was asked for {parent.asked[1:6]}")
                report.key_sets = parent.key_sets_asked - keys
    return report


def _in_field(token: str) -> str:
    """What of a token can be sent in a field; cookies end at a semicolon."""
    return "".join(sign for sign in token if " " <= sign <= "~" and sign != ";")


async def _ask(
    client: aiohttp.ClientSession, base: str, way: str, token: str, report: Report
) -> str:
    """Send one request; what is wrong with the answer, or nothing."""
    sent = quote(token, safe="~!$'()*,;=:@&+.-_/%")
    plain = _in_field(token)
    path, headers = "/film/v0/00000.m4s", {}
    if way == "path":
        path = f"/t/{sent}{path}"
    elif way == "query":
        path += f"?cat={quote(token, safe='')}&URISigningPackage={quote(token, safe='')}"
    elif way == "cookie":
        headers["Cookie"] = f"CTA-Common-Access-Token={plain}; URISigningPackage={plain}"
    elif way == "bearer":
        headers["Authorization"] = f"Bearer {plain}"
    else:
        headers["CTA-Common-Access-Token"] = plain
    async with client.get(URL(base + path, encoded=True), headers=headers) as answer:
        await answer.read()
        report.reasons[answer.headers.get("Abr-Refusal", str(answer.status))] += 1
        # A path that is cut up by its own token is malformed (400) or nothing (404).
        return "" if answer.status in {400, 403, 404, 414} else f"status {answer.status}"


def main() -> None:
    """Print what was found; exit code 1 when something got through."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--edge", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    rng, now_s = np.random.default_rng(asked.seed), wall_clock_s()
    issuer = TokenIssuer(Ed25519PrivateKey.generate())
    others = parse_trust(trust_text(), where="trust").forms()
    verifier = TokenVerifier(PathTokens(issuer.jwks()), others)
    tokens = genuine(issuer, now_s)
    for group in tokens.values():  # what is altered would open the request, but for that
        assert verifier.verify(group[0], asked=ASKED, now_s=now_s).expires_s > now_s
    verified = verify_all(verifier, Attacker(tokens, rng), asked.count, now_s)
    at_edge = Report()
    if asked.edge:
        make = lambda other: Attacker(genuine(other, now_s), rng)  # noqa: E731
        at_edge = asyncio.run(ask_edge(make, asked.edge))
    found = {"verifier": verified.facts(), "edge": at_edge.facts(), "seed": asked.seed}
    print(json.dumps(found, indent=2))
    sys.exit(1 if verified.faults or at_edge.faults else 0)


if __name__ == "__main__":
    main()
