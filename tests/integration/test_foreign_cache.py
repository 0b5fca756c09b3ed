"""nginx with ``proxy_cache`` in front of a cache gives nothing to whoever has no valid token.

Its settings are the default ones. It knows requests by their URL, and nothing of tokens.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from origin.tokens.revocation import Revocation
from tests.fakes.nginx import NGINX, foreign_cache
from tests.integration.test_cat_tiers import TRUST as CAT_TRUST
from tests.integration.test_cat_tiers import cat
from tests.integration.test_token_carriage import (
    CONTENT,
    NOW_S,
    PLACES,
    PLAYLIST,
    SEGMENT,
    TRUST,
    Tiers,
    packages,
    run,
    signed,
)
from tests.integration.test_token_carriage import (
    FORMS as USUAL_FORMS,
)

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")

__all__ = ["packages"]

FORMS: dict[str, Callable[[Tiers], str]] = {**USUAL_FORMS, "cat": lambda _served: cat()}


class Fronted:
    """Tiers with nginx before them."""

    def __init__(self, tiers: Tiers, front: str) -> None:
        self.tiers, self._front = tiers, front

    async def ask(
        self, path: str, headers: dict[str, str] | None = None, *, method: str = "GET"
    ) -> tuple[int, bytes, Any]:
        """Status, body and fields, through nginx; whatever comes, nginx had it not."""
        url = URL(f"{self._front}/{path}", encoded=True)
        async with self.tiers.client.request(
            method, url, headers=headers, allow_redirects=False
        ) as answer:
            assert answer.headers["X-Foreign"] in ("MISS", ""), path
            return answer.status, await answer.read(), answer.headers


@pytest.fixture
async def fronted(packages: Path, tmp_path: Path) -> AsyncIterator[Fronted]:
    async with (
        run(packages, tmp_path, trusted={**TRUST, **CAT_TRUST}) as tiers,
        foreign_cache(tiers.edge_url, tmp_path / "nginx") as front,
    ):
        yield Fronted(tiers, front)


def requests(token: str) -> list[tuple[str, str, dict[str, str]]]:
    """Place of the token, path and fields, for each place and some paths."""
    paths = (SEGMENT, PLAYLIST, "film/multivariant.m3u8")
    return [(place, *PLACES[place](path, token)) for place in PLACES for path in paths]


@pytest.mark.parametrize("form", FORMS)
async def test_nobody_gets_what_a_viewer_fetched(form: str, fronted: Fronted) -> None:
    """Neither at the same URL without the token, nor with it once it has ended."""
    asked = requests(FORMS[form](fronted.tiers))
    for place, path, headers in asked * 2:
        moves = place in ("parameter", "query") and ".m3u8" in path
        status, body, _ = await fronted.ask(path, headers)
        assert status == (307 if moves else 200)
        assert body == CONTENT or ".m4s" not in path
        part = {**headers, "Range": "bytes=0-3"}
        assert (await fronted.ask(path, part))[0] in (200, 206, 307)
        assert (await fronted.ask(path, headers, method="HEAD"))[0] in (200, 307)
    for place, path, _ in asked:
        if place in ("header", "field", "cookie"):
            status, _, fields = await fronted.ask(path)
            assert (status, fields["Abr-Refusal"]) == (403, "missing")
    fronted.tiers.clock.now_s = NOW_S + 61
    for _, path, headers in asked:
        status, _, fields = await fronted.ask(path, headers)
        assert (status, fields["Abr-Refusal"]) == (403, "expired")


async def test_a_viewer_who_is_revoked_gets_nothing_more(fronted: Fronted) -> None:
    asked = requests(FORMS["own"](fronted.tiers))
    for _, path, headers in asked:
        assert (await fronted.ask(path, headers))[0] in (200, 307)
    entry = Revocation(kind="session", value="s", until_s=NOW_S + 600, changed_ms=1)
    fronted.tiers.edge.admission.tokens.denied.merge([entry], now_s=NOW_S)
    for _, path, headers in asked:
        status, _, fields = await fronted.ask(path, headers)
        assert (status, fields["Abr-Refusal"]) == (403, "revoked")


async def test_answers_that_renew_a_token_are_for_one_viewer(fronted: Fronted) -> None:
    cookie = {"Cookie": f"URISigningPackage={signed(cdnistt=1, cdniets=30)}"}
    for _ in range(2):
        status, _, fields = await fronted.ask(SEGMENT, cookie)
        assert (status, "Set-Cookie" in fields) == (200, True)
    assert (await fronted.ask(SEGMENT))[0] == 403


async def test_a_refusal_keeps_nobody_out_who_has_a_token(fronted: Fronted) -> None:
    for headers, expected in (
        ({}, 403),
        (PLACES["header"]("", FORMS["own"](fronted.tiers))[1], 200),
    ):
        for _ in range(2):
            assert (await fronted.ask(SEGMENT, headers))[0] == expected


async def test_what_a_token_says_of_its_own_refusal_is_for_one_viewer(fronted: Fronted) -> None:
    catif = {4: [302, {"Location": "https://a.example/sign-in"}, None]}
    refused = {"Authorization": f"Bearer {cat(catif=catif, exp=int(NOW_S))}"}
    _, permitted = PLACES["header"](SEGMENT, FORMS["own"](fronted.tiers))
    for headers, expected in ((refused, 302), (permitted, 200)) * 2:
        assert (await fronted.ask(SEGMENT, headers))[0] == expected
