"""Keys of an issuer over HTTP: fetched once, gone on with while it fails, and new ones found."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from abr.errors import ConfigError, UpstreamError
from origin.gateway.accounts import Account
from origin.gateway.refusals import GatewayRefusal
from origin.gateway.server import issuerkeys
from origin.gateway.server.authenticating import AccountFile

NOW_S = 1_800_000_000.0


@dataclass
class Login:
    """A service that signs people in; it may fail or freeze."""

    url: str = ""
    keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    status: int = 200
    body: bytes | None = None
    fetched: int = 0
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, _request: web.BaseRequest) -> web.Response:
        self.fetched += 1
        await self.answers.wait()
        entries = [
            ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid}
            for kid, key in self.keys.items()
        ]
        body = json.dumps({"keys": entries}).encode() if self.body is None else self.body
        return web.Response(status=self.status, body=body)

    def bearer(self, kid: str, name: str = "user-7") -> str:
        claims = {"iss": "https://login.example", "sub": name, "exp": NOW_S + 60}
        return jwt.encode(claims, self.keys[kid], algorithm="ES256", headers={"kid": kid})


@asynccontextmanager
async def login() -> AsyncIterator[Login]:
    made = Login(keys={"one": ec.generate_private_key(ec.SECP256R1())})
    made.answers.set()
    runner = web.ServerRunner(web.Server(made.answer), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/jwks.json"
    try:
        yield made
    finally:
        made.answers.set()
        await runner.cleanup()


def accounts(folder: Path, jwks: str) -> AccountFile:
    path = folder / "accounts.toml"
    path.write_text(
        '[plans.basic]\nstreams = 1\n[issuer]\niss = "https://login.example"\n'
        f'jwks = "{jwks}"\ndefault_plan = "basic"\n'
    )
    return AccountFile(path, now=lambda: NOW_S)


async def ask(file: AccountFile, bearer: str) -> Account:
    return await file.account_of(bearer, device="tv")


async def test_keys_are_fetched_once_for_all_who_wait(tmp_path: Path) -> None:
    async with login() as service:
        file = accounts(tmp_path, service.url)
        found = await asyncio.gather(*(ask(file, service.bearer("one")) for _ in range(20)))
        assert {each.name for each in found} == {"user-7"}
        assert service.fetched == 1
        await file.close()


async def test_a_new_key_is_found_and_unknown_ones_cause_few_fetches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with login() as service:
        file = accounts(tmp_path, service.url)
        await ask(file, service.bearer("one"))
        service.keys["two"] = ec.generate_private_key(ec.SECP256R1())
        for _ in range(20):
            with pytest.raises(GatewayRefusal, match="belongs to no account"):
                await ask(file, service.bearer("two"))
        assert service.fetched == 1  # it was asked a moment ago
        monkeypatch.setattr(issuerkeys, "AGAIN_S", 0.0)
        assert (await ask(file, service.bearer("two"))).name == "user-7"
        assert service.fetched == 2
        await file.close()


@pytest.mark.parametrize("how", ["status", "body", "large", "frozen"])
async def test_known_keys_go_on_while_the_issuer_fails(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuerkeys, "LIMIT_S", 0.2)
    async with login() as service:
        file = accounts(tmp_path, service.url)
        await ask(file, service.bearer("one"))
        monkeypatch.setattr(issuerkeys, "FRESH_S", 0.0)
        monkeypatch.setattr(issuerkeys, "AGAIN_S", 0.0)
        if how == "status":
            service.status = 500
        elif how == "frozen":
            service.answers.clear()
        else:
            service.body = b"{" if how == "body" else b"x" * (issuerkeys.MAX_BYTES + 1)
        for _ in range(3):
            assert (await ask(file, service.bearer("one"))).name == "user-7"
            await asyncio.sleep(0)
        await file.close()


async def test_a_key_that_nobody_knows_is_no_failure_of_a_slow_issuer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strangers make such bearers, and would have all others refused."""
    monkeypatch.setattr(issuerkeys, "PATIENCE_S", 0.01)
    async with login() as service:
        file = accounts(tmp_path, service.url)
        await ask(file, service.bearer("one"))
        monkeypatch.setattr(issuerkeys, "AGAIN_S", 0.0)
        service.answers.clear()
        service.keys["two"] = ec.generate_private_key(ec.SECP256R1())
        with pytest.raises(GatewayRefusal) as caught:
            await ask(file, service.bearer("two"))
        assert (caught.value.word, caught.value.status) == ("accounts-unavailable", 503)
        assert (await ask(file, service.bearer("one"))).name == "user-7"
        service.answers.set()
        monkeypatch.setattr(issuerkeys, "PATIENCE_S", 5.0)
        assert (await ask(file, service.bearer("two"))).name == "user-7"
        await file.close()


async def test_old_keys_do_not_go_on_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that leaked is taken back by its issuer only if somebody asks it."""
    async with login() as service:
        file = accounts(tmp_path, service.url)
        await ask(file, service.bearer("one"))
        service.status = 500
        monkeypatch.setattr(issuerkeys, "AGAIN_S", 0.0)
        monkeypatch.setattr(issuerkeys, "KEPT_S", 0.0)
        with pytest.raises(UpstreamError, match="no keys of the issuer"):
            await ask(file, service.bearer("one"))
        await file.close()


async def test_without_any_key_nobody_can_tell(tmp_path: Path) -> None:
    async with login() as service:
        service.status = 503
        file = accounts(tmp_path, service.url)
        with pytest.raises(UpstreamError, match="no keys of the issuer"):
            await ask(file, service.bearer("one"))
        await file.close()


async def test_keys_may_be_in_a_file(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    entry: dict[str, Any] = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [entry]}))
    file = accounts(tmp_path, str(tmp_path / "keys.json"))
    service = Login(keys={"one": key})
    bearer = jwt.encode(
        {"iss": "https://login.example", "sub": "me", "exp": NOW_S + 1}, key, algorithm="ES256"
    )
    assert (await ask(file, bearer)).name == "me"
    assert service.fetched == 0
    await file.close()


@pytest.mark.parametrize("url", ["http://login.example/k", "ftp://x/k", "https:///k"])
def test_keys_that_others_could_replace_on_the_way_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="https"):
        accounts(tmp_path, url)
