"""``abr token`` as a user meets it: mint, verify, explain, revoke."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from abr.errors import (
    ConfigError,
    KeyStoreError,
    MissingFileError,
    TokenError,
    UpstreamError,
)
from origin.gateway.accounts import account_tag
from origin.gateway.server.opening import open_state
from origin.gateway.server.service import tag_key
from origin.tokens.cli import token as command
from origin.tokens.cli.sources import own_issuer
from origin.tokens.pathtoken import PathTokens
from origin.tokens.permission import Permission
from origin.tokens.verifier import TokenVerifier
from tests.fakes.parent import fake_parent
from transcode.files.keystore import KeyStore

SECRET = "Kh_RkUMj-fzbD37qBnDf_3e_RvQ3RP9PaSmVEpE24AM"
TRUST = {
    "App": {
        "keys": [{"kty": "oct", "kid": "k", "k": SECRET}],
        "forms": ["uri-signing", "hmac", "cat"],
        "base": "https://cdn.example",
    },
    "Public": {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "kid": "p",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            }
        ]
    },
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key store, a file of issuers and a place for the state."""
    keys = tmp_path / "keys"
    KeyStore.open(keys)
    trust = tmp_path / "trust.json"
    trust.write_text(json.dumps(TRUST))
    trust.chmod(0o600)
    monkeypatch.setenv("ABR_KEYS", str(keys))
    monkeypatch.setenv("ABR_STATE", str(tmp_path / "state.sqlite"))
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(command, words, catch_exceptions=True)


def done(*words: str) -> str:
    result = run(*words)
    assert result.exception is None, result.exception
    return result.stdout.strip()


def facts(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*words, "--json").stdout)
    return found


def permission(token: str) -> Permission:
    return TokenVerifier(PathTokens(own_issuer(None).jwks())).permission_of(token)


def test_our_own_token_says_what_it_was_told_to(home: Path) -> None:
    token = done(
        *("mint", "--title", "film", "--ttl", "60", "--session", "s1", "--account", "tag"),
        *("--max-height", "720", "--watermark", "05ff"),
    )
    found = permission(token)
    assert (found.title, found.session, found.account) == ("film", "s1", "tag")
    assert (found.max_height, found.watermark) == (720, b"\x05\xff")
    assert 59 <= found.expires_s - found.issued_s <= 62
    assert done("verify", f"/t/{token}/film/x.m4s") == "permitted: path token of this service"
    other = run("verify", f"/t/{token}/clip/x.m4s")
    assert (other.exit_code, other.stdout) == (1, "refused: wrong-title\n")


@pytest.mark.parametrize("form", ["uri-signing", "hmac", "cat"])
@pytest.mark.parametrize("carrier", ["query", "cookie", "bearer", "prefix"])
def test_what_is_minted_for_an_issuer_opens_its_title_from_every_place(
    form: str, carrier: str, home: Path
) -> None:
    trust = ("--trust", str(home / "trust.json"))
    mint = ("mint", "--title", "film", "--form", form, "--issuer", "App", *trust)
    token = done(*mint)
    url = "https://cdn.example/film/v0/x.m4s"
    words = {
        "query": (f"{url}?cat={token}",),
        "cookie": (url, "--header", f"Cookie: cat={token}"),
        "bearer": (url, "--header", f"authorization: Bearer {token}"),
        "prefix": (facts(*mint, "--base", "https://cdn.example")["url"],),
    }[carrier]
    found = facts("explain", *words, *trust, "--keys", str(home / "keys"))
    assert (found["permitted"], found["form"], found["issuer"]) == (True, form, "App")


def test_a_refusal_is_explained_and_no_token_is_printed(home: Path) -> None:
    trust = ("--trust", str(home / "trust.json"))
    token = done("mint", "--title", "film", "--form", "uri-signing", "--issuer", "App", *trust)
    words = (token, "--for", "/clip/x.m4s", *trust)
    result = run("explain", *words)
    assert result.exit_code == 1
    assert result.stdout.startswith("refused: wrong-uri\n")
    assert "FAILS      cdniuc: found https://cdn.example/clip/x.m4s; expected a URL that fits" in (
        result.stdout
    )
    for secret in (token[-40:], SECRET):
        assert secret not in result.stdout
        assert secret not in json.dumps(facts("explain", *words))


def test_a_common_access_token_is_minted_and_explained_by_the_names_of_its_claims(
    home: Path,
) -> None:
    trust = ("--trust", str(home / "trust.json"))
    token = done(
        *("mint", "--title", "film", "--form", "cat", "--issuer", "App", "--id", "n1", *trust),
        *("--address", "192.0.2.0/24", "--renew", "60", "--claim", 'catm=["GET"]'),
    )
    found = facts("explain", token, "--for", "/film/x.m4s", "--address", "198.51.100.1", *trust)
    assert (found["permitted"], found["reason"]) == (False, "wrong-address")
    claims = found["says"]["claims"]
    assert claims["catu"] == {"path": {"prefix": "/film/"}}
    assert claims["catnip"] == ["192.0.2.0/24"]
    assert claims["catr"] == {"type": "cookie", "expadd": 60}
    assert claims["cti"] == b"n1".hex()
    named = ("--form", "cat", "--issuer", "App", *trust)
    slip = run("mint", "--title", "film", "--claim", "catx=1", *named)
    assert "claim 'catx'; expected some of iss" in str(slip.exception)


def test_another_time_can_be_asked_about(home: Path) -> None:
    token = done("mint", "--title", "film", "--ttl", "60")
    late = str(time.time() + 7200)  # noqa: TID251 -- tokens end in real time
    assert facts("explain", token, "--at", late)["reason"] == "expired"
    assert facts("explain", token)["permitted"]


async def test_keys_come_from_the_server_in_the_url_and_so_does_its_clock(home: Path) -> None:
    import asyncio

    async with fake_parent() as parent:
        token = parent.issuer.issue("film", now_s=time.time(), session_id="s")  # noqa: TID251
        url = f"{parent.url}/t/{token}/film/x.m4s"
        found = await asyncio.to_thread(facts, "explain", url)
        assert found["permitted"]
        parent.key_set_headers = {"Date": "Thu, 01 Jan 2026 00:00:00 GMT"}
        found = await asyncio.to_thread(facts, "explain", url)
        assert any("ahead" in note and parent.url in note for note in found["notes"])


@pytest.mark.parametrize(
    ("words", "error", "says"),
    [
        (("explain", "http://127.0.0.1:9/t/x/film/y"), UpstreamError, "--jwks FILE or --keys DIR"),
        (("explain", "x", "--jwks", "none.json"), MissingFileError, "none.json"),
        (("explain", "x", "--keys", "nowhere"), KeyStoreError, "nowhere"),
        (("mint", "--title", "film", "--form", "hmac"), ConfigError, "--trust FILE"),
        (("mint", "--title", "*"), ConfigError, "title"),
    ],
)
def test_what_cannot_be_done_is_said_with_a_remedy(
    words: tuple[str, ...], error: type[Exception], says: str
) -> None:
    result = run(*words)
    assert isinstance(result.exception, error)
    assert says in str(result.exception)


def test_an_issuer_without_a_private_key_signs_nothing(home: Path) -> None:
    trust = ("--trust", str(home / "trust.json"))
    for name, says in (("Public", "no private key"), ("Nobody", "expected one of 'App', 'Public'")):
        words = ("mint", "--title", "film", "--form", "uri-signing", "--issuer", name, *trust)
        assert says in str(run(*words).exception)


def test_what_is_revoked_is_in_the_state_that_origin_and_gateway_read(home: Path) -> None:
    token = done("mint", "--title", "film", "--session", "s1")
    url = f"/t/{token}/film/x.m4s"
    assert done("revoke", "session", "s1").startswith("revoked: session s1, noted in ")
    done("revoke", "token", url)
    done("revoke", "account", "anna", "--issued-before", "now", "--for", "60")
    state = str(home / "state.sqlite")
    held = open_state(state)
    found = {each.kind: each for each in held.revocations(0).entries}
    held.close()
    assert found["session"].value == "s1"
    assert found["token"].value == permission(token).token_id
    assert found["account"].value == account_tag(tag_key(KeyStore.open(home / "keys")), "anna")
    assert found["account"].issued_before_s is not None
    assert facts("explain", url, "--state", state)["reason"] == "revoked"
    done("revoke", "session", "s1", "--lift")
    done("revoke", "token", token, "--lift")
    assert facts("explain", url, "--state", state)["permitted"]


@pytest.mark.parametrize("form", ["uri-signing", "hmac", "cat"])
def test_a_token_of_another_issuer_is_revoked_by_itself_or_its_url(form: str, home: Path) -> None:
    trust = ("--trust", str(home / "trust.json"))
    token = done("mint", "--title", "film", "--form", form, "--issuer", "App", *trust)
    url = f"https://cdn.example/film/x.m4s?cat={token}"
    words = ("explain", url, *trust, "--keys", str(home / "keys"))
    state = ("--state", str(home / "state.sqlite"))
    open_state(state[1]).close()
    assert facts(*words, *state)["permitted"]
    for value in (token, url, facts(*words)["token_id"]):
        done("revoke", "token", value, *trust)
        assert facts(*words, *state)["reason"] == "revoked"
        done("revoke", "token", value, *trust, "--lift")
        assert facts(*words, *state)["permitted"]
    done("revoke", "session", url, *trust)
    assert facts(*words, *state)["reason"] == "revoked"


def test_what_is_no_token_of_anybody_is_not_noted(home: Path) -> None:
    """An entry that means nothing would look as if it did."""
    for value in ("https://cdn.example/film/x.m4s", "/film/x.m4s?cat=garbage", "a.b.c"):
        assert isinstance(run("revoke", "token", value).exception, TokenError)


async def test_what_the_server_in_the_url_has_revoked_is_refused_here_too(home: Path) -> None:
    import asyncio

    async with fake_parent() as parent:
        token = parent.issuer.issue("film", now_s=time.time(), session_id="s")  # noqa: TID251
        url = f"{parent.url}/t/{token}/film/x.m4s"
        found = await asyncio.to_thread(facts, "verify", url)
        assert found["permitted"]
        parent.revoke("session", "s")
        for command in ("explain", "verify"):
            found = await asyncio.to_thread(facts, command, url)
            assert found["reason"] == "revoked", command


def test_it_is_said_when_nobody_looked_for_revocations(home: Path) -> None:
    token = done("mint", "--title", "film")
    url = f"/t/{token}/film/x.m4s"
    assert any("--state" in note for note in facts("explain", url)["notes"])
    assert "revocations were not looked for" in run("verify", url).stderr
    done("revoke", "session", "s2")
    assert not facts("explain", url, "--state", str(home / "state.sqlite"))["notes"][1:]


def test_a_state_that_is_not_there_is_no_state_without_revocations(home: Path) -> None:
    token, typo = done("mint", "--title", "film"), home / "sate.sqlite"
    result = run("explain", token, "--state", str(typo))
    assert isinstance(result.exception, MissingFileError)
    assert not typo.exists()
    first = run("revoke", "session", "s3", "--state", str(typo))
    assert "was not there and was made" in first.stderr
    assert "was made" not in run("revoke", "session", "s4", "--state", str(typo)).stderr
