"""The file of issuers: what it may hold, and what is said of one that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from abr.errors import ConfigError, MissingFileError
from origin.files.trustfile import read_trust
from origin.tokens.trust import MAX_KEYS, Trust, parse_trust

OCT = {
    "kty": "oct",
    "kid": "First Key",
    "alg": "HS256",
    "k": "Kh_RkUMj-fzbD37qBnDf_3e_RvQ3RP9PaSmVEpE24AM",
}
SECOND = {**OCT, "kid": "Second Key", "k": "fZBpDBNbk2GqhwoB_DGBAsBxqQZVix04rIoLJ7p_RlE"}
X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
PUBLIC = {"kty": "OKP", "crv": "Ed25519", "kid": "p", "x": X}
"""Published in the documentation of Traffic Server's plugin, and in RFC 8037."""


def trust(**entry: Any) -> Trust:
    return parse_trust(json.dumps({"App": {"keys": [OCT, SECOND], **entry}}), where="trust.json")


def test_what_traffic_server_reads_is_read() -> None:
    found = trust(renewal_kid="Second Key", strip_token=True, id="mycdn")
    (issuer,) = found.issuers
    assert (issuer.name, issuer.audience, issuer.forms) == (
        "App",
        "mycdn",
        frozenset({"uri-signing"}),
    )
    assert [key.kid for key in issuer.keys] == ["First Key", "Second Key"]
    assert issuer.renewing is not None
    assert issuer.renewing.kid == "Second Key"
    assert found.has_secrets
    assert [form.name for form in found.forms()] == ["uri-signing"]


def test_what_is_ours_is_read_too() -> None:
    enc = {"kty": "oct", "kid": "c", "use": "enc", "k": "4uFxxV7fhNmrtiah2d1fFg"}
    found = trust(
        forms=["hmac", "uri-signing"],
        base="HTTPS://CDN.example:443/",
        titles=["film"],
        nonce="name",
        keys=[OCT, PUBLIC, enc],
    )
    (issuer,) = found.issuers
    assert (issuer.base, issuer.titles) == ("https://cdn.example", frozenset({"film"}))
    assert issuer.ignores_nonce
    assert len(issuer.secrets["c"]) == 16
    assert {key.kid for key in issuer.keys} == {"First Key", "p"}
    assert {form.name for form in found.forms()} == {"hmac", "uri-signing"}


def test_public_keys_alone_are_no_secrets() -> None:
    assert not trust(keys=[PUBLIC]).has_secrets
    assert Trust().forms() == ()


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"keys": []}, "none of its keys"),
        ({"keys": "all"}, 'list "keys"'),
        ({"keys": [3]}, "list of JSON Web Keys"),
        ({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}, "none of its keys"),
        ({"keys": [{**OCT, "k": "c2hvcnQ"}]}, "not a usable oct key"),
        ({"keys": [OCT] * (MAX_KEYS + 1)}, "at most"),
        ({"forms": ["jwt"]}, "found 'jwt'"),
        ({"forms": "hmac"}, "list of texts"),
        ({"renewal_kid": "Third Key"}, "no key 'Third Key'"),
        ({"renewal_kid": "p", "keys": [PUBLIC]}, "public only"),
        ({"base": "cdn.example"}, "base: no absolute URI"),
        ({"base": "https://cdn.example/path"}, "expected scheme and host"),
        ({"nonce": "twice"}, "found 'twice'"),
        ({"titels": ["film"]}, "unknown member 'titels'"),
        ({"auth_directives": []}, "not supported"),
        ({"strip_token": False}, "expected true"),
        ({"id": 5}, "id: expected text"),
        ({"keys": [OCT, {"kty": "oct", "kid": "c", "use": "enc", "k": "AAAA"}]}, "16, 24 or 32"),
    ],
)
def test_a_member_that_cannot_be_used_is_named(entry: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=f"trust.json: issuer 'App': .*{says}") as caught:
        trust(**entry)
    assert str(OCT["k"]) not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '"x"', '{"A": 1}', '{"A": {"keys": []}, "A": {"keys": []}}', "[" * 100_000],
)
def test_what_is_no_file_of_issuers_is_our_error(text: str) -> None:
    with pytest.raises(ConfigError, match=r"trust\.json: "):
        parse_trust(text, where="trust.json")


def test_a_file_with_secrets_must_be_private(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    path.write_text(json.dumps({"App": {"keys": [OCT]}}))
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_trust(str(path))
    path.chmod(0o600)
    assert read_trust(str(path)).issuers
    path.write_text(json.dumps({"App": {"keys": [PUBLIC]}}))
    path.chmod(0o644)
    assert read_trust(str(path)).issuers


def test_no_file_trusts_nobody_and_a_missing_one_is_named(tmp_path: Path) -> None:
    assert read_trust("") == Trust()
    with pytest.raises(MissingFileError, match=r"none\.json: "):
        read_trust(str(tmp_path / "none.json"))
