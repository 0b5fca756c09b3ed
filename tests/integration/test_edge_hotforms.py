"""Hot objects for tokens of every form: as ready as for our own, and as closed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.server.hotpath import HotObject, HotObjects, HotPart
from origin.server.lanes import Client
from origin.simplehead import SimpleHead
from origin.tokens.carriage import to_segment
from origin.tokens.revocation import Revocation
from origin.tokens.shortform import mint_short
from tests.integration.test_token_carriage import (
    CONTENT,
    FORMS,
    NOW_S,
    SECRET,
    SEGMENT,
    Tiers,
    packages,
    run,
    signed,
)

__all__ = ["packages"]

END_S = int(NOW_S) + 60
OTHER = "film/v0/00001.m4s"


@pytest.fixture
async def served(packages: Path, tmp_path: Path) -> AsyncIterator[Tiers]:
    async with run(packages, tmp_path) as running:
        yield running


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> list[HotObject | HotPart]:
    """What the short cut answered."""
    found: list[HotObject | HotPart] = []
    find = HotObjects.find

    def note(self: HotObjects, head: SimpleHead, client: Client) -> HotObject | HotPart | None:
        answer = find(self, head, client)
        if answer is not None:
            found.append(answer)
        return answer

    monkeypatch.setattr(HotObjects, "find", note)
    return found


async def heat(served: Tiers) -> None:
    """Have both segments fetched, and answered from the cache."""
    token = FORMS["own"](served)
    for path in (SEGMENT, OTHER) * 3:
        assert (await served.ask(f"t/{token}/{path}"))[0] == 200


@pytest.mark.parametrize("form", FORMS)
async def test_a_token_of_every_form_gets_what_is_ready(
    form: str, served: Tiers, ready: list[HotObject | HotPart]
) -> None:
    await heat(served)
    token = to_segment(FORMS[form](served))
    ready.clear()
    for _ in range(2):
        status, body, _ = await served.ask(f"t/{token}/{SEGMENT}")
        assert (status, body) == (200, CONTENT)
    assert len(ready) == 2


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (signed(cdniuc="regex:https://cdn\\.example/film/v0/00001\\..*"), "wrong-uri"),
        (signed(cdniuc="regex:https://cdn\\.example/film/.*\\?profile=hd"), "wrong-uri"),
        (signed(exp=NOW_S), "expired"),
        (mint_short([f"/{OTHER}"], expires_s=END_S, secret=SECRET), "wrong-uri"),
        (mint_short(["/film/*"], expires_s=END_S, secret=SECRET, address="192.0.2.1"),
         "wrong-address"),
        (mint_short(["/film/*"], expires_s=END_S, secret=bytes(32)), "bad-signature"),
    ],
)  # fmt: skip
async def test_what_a_token_limits_holds_for_what_is_ready_too(
    token: str, reason: str, served: Tiers, ready: list[HotObject | HotPart]
) -> None:
    await heat(served)
    ready.clear()
    status, _, fields = await served.ask(f"t/{to_segment(token)}/{SEGMENT}")
    assert (status, fields["Abr-Refusal"], ready) == (403, reason, [])


async def test_limits_that_a_request_fits_are_met_by_what_is_ready(
    served: Tiers, ready: list[HotObject | HotPart]
) -> None:
    """Its path and its address; one that is compared with a query is the ordinary path's."""
    await heat(served)
    ready.clear()
    for token, query in (
        (signed(cdniuc="regex:https://cdn\\.example/film/v0/00000\\.m4s"), ""),
        (signed(cdniuc="regex:https://cdn\\.example/film/.*\\?profile=hd"), "?profile=hd"),
        (mint_short([f"/{SEGMENT}"], expires_s=END_S, secret=SECRET, address="127.0.0.0/8"), ""),
    ):
        assert (await served.ask(f"t/{to_segment(token)}/{SEGMENT}{query}"))[0] == 200
    assert len(ready) == 2


async def test_a_token_that_may_be_used_once_gets_nothing_that_is_ready(
    served: Tiers, ready: list[HotObject | HotPart]
) -> None:
    await heat(served)
    ready.clear()
    url = f"t/{signed(jti='once')}/{SEGMENT}"
    assert [(await served.ask(url))[0] for _ in range(2)] == [200, 403]
    assert ready == []


async def test_what_is_revoked_is_not_ready(
    served: Tiers, ready: list[HotObject | HotPart]
) -> None:
    """By session, by issuer's key and by title; a short token by its HMAC."""
    await heat(served)
    short = mint_short(["/film/*"], expires_s=END_S, secret=SECRET, session="s")
    denied = served.edge.admission.tokens.denied
    for token, kind, value in (
        (short, "session", "s"),
        (short, "token", short.rpartition("=")[2][:32]),
        (signed(), "key", "k"),
        (signed(), "title", "film"),
    ):
        url = f"t/{to_segment(token)}/{SEGMENT}"
        assert (await served.ask(url))[0] == 200
        entry = Revocation(kind=kind, value=value, until_s=END_S, changed_ms=1)  # type: ignore[arg-type]  # a kind
        denied.merge([entry], now_s=NOW_S)
        ready.clear()
        status, _, fields = await served.ask(url)
        assert (status, fields["Abr-Refusal"], ready) == (403, "revoked", [])
        lifted = Revocation(
            kind=kind,  # type: ignore[arg-type]  # as above
            value=value,
            until_s=END_S,
            changed_ms=2,
            is_lifted=True,
        )
        denied.merge([lifted], now_s=NOW_S)
