"""Fields for players in web pages of other sites."""

from __future__ import annotations

from origin.cors import CORS, PREFLIGHT


def listed(fields: tuple[tuple[str, str], ...], name: str) -> set[str]:
    (value,) = (value for field, value in fields if field == name)
    return {each.strip().lower() for each in value.split(",")}


def test_authorization_is_named_because_a_star_does_not_cover_it() -> None:
    """Fetch standard, "CORS non-wildcard request-header name"."""
    allowed = listed(PREFLIGHT, "Access-Control-Allow-Headers")
    assert {"authorization", "range", "cmcd-session", "*"} <= allowed


def test_a_page_can_read_what_players_go_by() -> None:
    exposed = listed(CORS, "Access-Control-Expose-Headers")
    assert {"abr-refusal", "content-range", "etag", "retry-after", "cache-status"} <= exposed


def test_credentials_are_never_allowed() -> None:
    """With ``*`` as the origin they could not be; tokens travel in the path or a field."""
    names = {field.lower() for field, _ in PREFLIGHT}
    assert "access-control-allow-credentials" not in names
    assert listed(CORS, "Access-Control-Allow-Origin") == {"*"}


def test_a_preflight_is_answered_with_all_that_every_response_has() -> None:
    assert PREFLIGHT[: len(CORS)] == CORS
