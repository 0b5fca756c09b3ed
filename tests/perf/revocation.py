"""From a revocation to the first refusal, at every edge, in the middle of a playback.

    python -m tests.perf.revocation [--rounds 3] [--json]

An origin, a regional tier and three ISP edges behind it, one with two workers and one whose line to
its parent is cut; each in a process of its own. Viewers at each edge fetch one hot object again
and again, one fetches keys and one renewals. Then their token, session, account or title is
revoked in the state that the origin reads. What counts is the last moment at which any of their
requests was still answered.

The edge that is cut off must go on, and refuse from the moment when the token ends.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

import aiohttp

from edge.server.clock import monotonic_s
from origin.gateway.server.opening import open_state
from origin.server.clock import Clock
from origin.signing import signing_key
from origin.tokens.pathtoken import PathTokens, TokenIssuer
from origin.tokens.revocation import Kind, Revocation
from origin.tokens.verifier import TokenVerifier
from tests.fakes.packages import write_package
from transcode.files.keystore import KeyStore
from transcode.packaging.index import Encryption
from transcode.packaging.indexfile import print_index
from transcode.packaging.layout import INDEX

BAR_S = 5.0
STEP_S = 0.02
CUT_TTL_S = 20.0
_REFUSED = ("revoked", "session-over")
"""The state may tell an origin that a session was closed before the deny list does."""


class Authority:
    """Issues tokens from the origin's key store, and revokes in its state: another process."""

    def __init__(self, folder: Path) -> None:
        self._keys = KeyStore.open(folder / "keys")
        self.kid = self._keys.key_for("film", 0).kid
        self._state = open_state(str(folder / "state.sqlite"))
        self._now = Clock()

    def __repr__(self) -> str:
        return f"<Authority of {self._keys!r}, {self._state!r}>"

    def issue(self, session: str, account: str, ttl_s: float) -> tuple[str, str]:
        """A token, and its id."""
        now_s = self._now()
        kid, private = signing_key(self._keys, now_s=now_s)
        issuer = TokenIssuer(private, kid)
        token = issuer.issue("film", now_s=now_s, session_id=session, account=account, ttl_s=ttl_s)
        said = TokenVerifier(PathTokens(issuer.jwks())).permission_of(token)
        return token, said.token_id

    def revoke(self, kind: Kind, value: str, *, lift: bool = False) -> None:
        """Revoke for an hour, or lift that."""
        now_s = self._now()
        entry = Revocation(
            kind=kind,
            value=value,
            until_s=now_s + 3600,
            changed_ms=int(1000 * now_s),
            is_lifted=lift,
        )
        self._state.revoke([entry], now_s=now_s)


class Line:
    """A TCP relay: the line between a tier and its parent, which can be cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    def __repr__(self) -> str:
        return f"<Line to {self._port}>"

    async def open(self) -> str:
        """Relay; gives its URL."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def cut(self) -> None:
        """Break every connection, and take no other."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, out = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, out}
        with contextlib.suppress(OSError):
            await asyncio.gather(_pump(reader, out), _pump(there, writer))
        for each in (writer, out):
            each.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def server(*command: str) -> AsyncIterator[str]:
    """URL of ``abr`` with these arguments, ended at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "abr", *command, "--port", "0", "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        yield str(json.loads(line)["listeners"][0]["url"])
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """From a revocation to the first refusal that no answer follows, seconds."""

    kind: str
    where: str
    what: str
    seconds: float


async def watch(
    client: aiohttp.ClientSession, url: str, until: asyncio.Event
) -> tuple[float, str, int]:
    """Ask again and again until told; the last time it was answered, and what came after."""
    last_s, reason, asked = float("-inf"), "", 0
    while not until.is_set():
        async with client.get(url) as answer:
            await answer.read()
            asked += 1
            if answer.status == 200:
                last_s, reason = monotonic_s(), ""
            else:
                reason = reason or answer.headers.get("Abr-Refusal", str(answer.status))
        await asyncio.sleep(STEP_S)
    return last_s, reason, asked


async def hot_path(client: aiohttp.ClientSession, title_url: str) -> str:
    """Path of a segment that stays fresh: below the name of a version."""
    async with client.get(f"{title_url}/multivariant.m3u8") as answer:
        listed = (await answer.text()).splitlines()
    version = next(line for line in listed if line[0] == "r").partition("/")[0]
    return f"{version}/v0/00000.m4s"


async def measure(
    client: aiohttp.ClientSession,
    authority: Authority,
    edges: dict[str, str],
    kind: Kind,
    number: int,
) -> list[Outcome]:
    """Revoke in the middle of playbacks at each edge."""
    session, account = f"session {kind} {number}", f"account {kind} {number}"
    token, token_id = authority.issue(session, account, 600)
    hot = await hot_path(client, f"{edges['isp-1']}/t/{token}/film")
    below = {"hot object": hot, "key": f"key/{authority.kid}", "renewal": "renew"}
    over = asyncio.Event()
    places = [(where, what) for where in edges for what in below]
    watching = [
        asyncio.create_task(watch(client, f"{edges[where]}/t/{token}/film/{below[what]}", over))
        for where, what in places
    ]
    await asyncio.sleep(1.0)
    named = {"token": token_id, "session": session, "account": account, "title": "film"}[kind]
    revoked_s = monotonic_s()
    authority.revoke(kind, named)
    await asyncio.sleep(BAR_S + 1)
    over.set()
    found = []
    for (where, what), (last_s, reason, asked) in zip(
        places, await asyncio.gather(*watching), strict=True
    ):
        if reason not in _REFUSED or asked < 10:
            sys.exit(f"{kind}, {where}, {what}: {reason or 'not refused'} after {asked} requests")
        found.append(
            Outcome(kind=kind, where=where, what=what, seconds=max(0.0, last_s - revoked_s))
        )
    if kind == "title":
        authority.revoke(kind, named, lift=True)
        await asyncio.sleep(BAR_S)
    return found


async def measure_cut(
    client: aiohttp.ClientSession, authority: Authority, url: str, line: Line
) -> dict[str, Any]:
    """An edge that is cut off: its viewer goes on until the token ends, and no longer."""
    token, _ = authority.issue("cut", "cut", CUT_TTL_S)
    begun_s = monotonic_s()
    over = asyncio.Event()
    asked = f"{url}/t/{token}/film/"
    hot = asked + await hot_path(client, asked.rstrip("/"))
    async with client.get(hot) as first:
        assert first.status == 200
    watching = asyncio.create_task(watch(client, hot, over))
    await asyncio.sleep(1)
    await line.cut()
    authority.revoke("session", "cut")
    await asyncio.sleep(5)
    async with (
        client.get(asked + "renew") as renewed,
        client.get(asked + f"key/{authority.kid}") as key,
    ):
        statuses = {"renewal": renewed.status, "key": key.status}
    await asyncio.sleep(CUT_TTL_S)
    over.set()
    last_s, reason, count = await watching
    return {
        **statuses,
        "object": reason,
        "requests": count,
        "token_s": CUT_TTL_S,
        "last_answered_s": last_s - begun_s,
    }


async def run(rounds: int) -> tuple[list[Outcome], dict[str, Any]]:
    """All figures."""
    async with contextlib.AsyncExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        index = write_package(folder / "film", encrypted=True)
        authority = Authority(folder)
        keyed = replace(index, encryption=Encryption(method="AES-128", kids=(authority.kid,)))
        (folder / "film" / INDEX).write_text(print_index(keyed))

        async def start(parent: str, name: str, *more: str) -> str:
            cache = ("--parent", parent, "--name", name, "--cache-dir", str(folder / name))
            return await running.enter_async_context(server("edge", *cache, *more))

        origin = await running.enter_async_context(
            server(
                *("origin", str(folder / "film"), "--keys", str(folder / "keys")),
                *("--state", str(folder / "state.sqlite")),
            )
        )
        regional = await start(origin, "regional")
        line = Line(int(regional.rpartition(":")[2]))
        cut = await start(await line.open(), "isp-3")
        edges = {
            "regional": regional,
            "isp-1": await start(regional, "isp-1"),
            "isp-2, 2 workers": await start(regional, "isp-2", "--workers", "2"),
            "isp-3": cut,
        }
        limit = aiohttp.ClientTimeout(total=20)
        connector = aiohttp.TCPConnector(limit=0, force_close=False)
        async with aiohttp.ClientSession(timeout=limit, connector=connector) as client:
            found = [
                outcome
                for number in range(rounds)
                for kind in get_args(Kind)
                if kind != "key"
                for outcome in await measure(client, authority, edges, kind, number)
            ]
            return found, await measure_cut(client, authority, cut, line)


def main() -> None:
    """Measure and print; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found, cut = asyncio.run(run(args.rounds))
    if args.json:
        print(json.dumps({"revoked": [asdict(each) for each in found], "cut_off": cut}))
    else:
        print("kind      median    worst   of", args.rounds, "rounds, 4 edges, 3 kinds of request")
        for kind in dict.fromkeys(each.kind for each in found):
            times = [each.seconds for each in found if each.kind == kind]
            print(f"{kind:8} {statistics.median(times):6.2f} s {max(times):6.2f} s")
        print(
            f"cut off: objects for {cut['last_answered_s']:.1f} s of a token's "
            f"{cut['token_s']:g} s, then {cut['object']}; renewal {cut['renewal']}, "
            f"key {cut['key']}"
        )
    is_closed = cut["last_answered_s"] <= cut["token_s"] + 2 and cut["object"] == "expired"
    if max(each.seconds for each in found) > BAR_S or not is_closed:
        sys.exit(1)


if __name__ == "__main__":
    main()
