"""What a token in a URL means to a playback."""

from __future__ import annotations

import pytest

from abr.errors import PlaybackError
from player.playback.actions import Want
from player.playback.checking import Body, check_body
from player.playback.tokenrenewal import TokenRenewal
from tests.fakes.titles import TOKEN, URL

NEW = "new.body.signature"


def test_the_source_says_where_its_token_is_renewed() -> None:
    """Under the title, with the old token."""
    want = TokenRenewal(URL).want
    assert want is not None
    assert (want.kind, want.url) == ("token", URL.replace("multivariant.m3u8", "renew"))


def test_after_a_renewal_urls_with_our_token_have_the_new_one() -> None:
    """Others stay as they are: another server's token is none of ours."""
    renewal = TokenRenewal(URL)
    foreign = "http://cdn.test/t/other.body.signature/film/v0/0.m4s"
    assert renewal.update_url(URL) == URL
    renewal.take(b'{"token": "new.body.signature", "expires_s": 9}')
    assert renewal.update_url(URL) == URL.replace(TOKEN, NEW)
    assert renewal.update_url(foreign) == foreign
    assert renewal.update_url("http://cdn.test/v0/0.m4s") == "http://cdn.test/v0/0.m4s"


def test_where_there_is_no_token_there_is_nothing_to_renew() -> None:
    renewal = TokenRenewal("http://cdn.test/film/multivariant.m3u8")
    assert renewal.want is None
    assert renewal.update_url("http://cdn.test/film/v0/0.m4s") == "http://cdn.test/film/v0/0.m4s"


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"\xff", b'{"tokens": 1}'])
def test_an_answer_without_a_token_is_an_error(body: bytes) -> None:
    with pytest.raises(PlaybackError, match="renew: the answer holds no token"):
        TokenRenewal(URL).take(body)


def test_repr_shows_the_state_and_no_token() -> None:
    renewal = TokenRenewal(URL)
    assert repr(renewal) == "<TokenRenewal as given>"
    renewal.take(b'{"token": "new.body.signature"}')
    assert repr(renewal) == "<TokenRenewal renewed>"


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b'{"token": 7}', b'{"token": ""}', b"no JSON", b"\xff"]
)
def test_an_answer_without_a_token_is_a_failure_that_another_try_may_mend(body: bytes) -> None:
    """Found where bodies are looked at, so that the log tells of it and a replay follows."""
    want = Want(kind="token", url="renew")
    assert check_body(want, Body(body)) == "an answer that holds no token"
    assert check_body(want, Body(b'{"token": "a.b.c"}')) == ""
