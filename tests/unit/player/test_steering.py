"""Content steering manifests, and when a player asks for the next."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from abr.errors import PlaylistError
from player.playback.retry import Failure
from player.playback.steering import Clone, Steering, read_manifest
from transcode.playlist.model import Steering as SteeringTag

MASTER = "https://cdn.test/film/multivariant.m3u8"
TAG = SteeringTag("/steer?title=film", "b")


def manifest(**changes: Any) -> str:
    """A manifest of version 1 with some fields changed; None takes one away."""
    fields = {"VERSION": 1, "TTL": 30, "PATHWAY-PRIORITY": ["b", "a"]}
    fields |= {name.replace("_", "-"): value for name, value in changes.items()}
    return json.dumps({name: value for name, value in fields.items() if value is not None})


def test_a_manifest_ranks_pathways_and_says_when_to_ask_again() -> None:
    read = read_manifest(manifest())
    assert (read.priority, read.ttl_s, read.reload_uri, read.clones) == (("b", "a"), 30.0, "", ())


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("<html>", "no JSON"),
        ("[]", "no JSON object"),
        (manifest(VERSION=2), "VERSION is 2; expected 1"),
        (manifest(VERSION=None), "VERSION is None"),
        (manifest(PATHWAY_PRIORITY=[]), "no PATHWAY-PRIORITY"),
        (manifest(PATHWAY_PRIORITY="a"), "no PATHWAY-PRIORITY"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_manifest_is_said(text: str, wrong: str) -> None:
    with pytest.raises(PlaylistError, match=wrong):
        read_manifest(text)


@pytest.mark.parametrize(
    ("ttl", "seconds"),
    [(10, 10.0), (0.01, 1.0), (0, 300.0), (-5, 300.0), ("x", 300.0), (None, 300.0), (True, 300.0)],
)
def test_a_ttl_is_at_least_a_second_and_nonsense_is_five_minutes(ttl: Any, seconds: float) -> None:
    """A server that answers TTL 0 must not be asked without end."""
    assert read_manifest(manifest(TTL=ttl)).ttl_s == seconds


def test_a_pathway_ranked_twice_counts_once() -> None:
    assert read_manifest(manifest(PATHWAY_PRIORITY=["b", 3, "b", "", "a"])).priority == ("b", "a")


def test_the_first_question_says_the_pathway_and_later_ones_the_throughput() -> None:
    steering = Steering(TAG, url=MASTER)
    assert (steering.next_s, steering.pathway) == (0.0, "b")
    first = steering.ask("b", math.nan)
    assert first == "https://cdn.test/steer?title=film&_HLS_pathway=%22b%22"
    assert steering.next_s == math.inf
    steering.take(manifest(), url=first, now_s=1.0)
    assert steering.next_s == 31.0
    again = steering.ask("a", 2.5e6)
    assert again == (
        "https://cdn.test/steer?title=film&_HLS_pathway=%22a%22&_HLS_throughput=2500000"
    )


def test_where_to_ask_next_is_relative_to_the_manifest() -> None:
    """Also behind a redirect; what we added is not kept, nor what the server repeats of it."""
    steering = Steering(TAG, url=MASTER)
    steering.ask("b", math.nan)
    text = manifest(RELOAD_URI="next?s=1&_HLS_pathway=%22old%22")
    steering.take(text, url="https://other.test/v1/steer?_HLS_pathway=%22b%22", now_s=0.0)
    assert steering.ask("a", math.nan) == "https://other.test/v1/next?s=1&_HLS_pathway=%22a%22"


def test_a_manifest_in_the_playlist_is_read_once() -> None:
    """A data: URI gets no query, and would say the same again; but it may name a server."""
    steering = Steering(SteeringTag("data:application/json,x", None), url=MASTER)
    assert steering.ask("b", 1e6) == "data:application/json,x"
    steering.take(manifest(), url="data:application/json,x", now_s=0.0)
    assert steering.next_s == math.inf
    steering.take(manifest(RELOAD_URI="https://s.test/r"), url="data:application/json,x", now_s=0.0)
    assert steering.next_s == 30.0


@pytest.mark.parametrize(
    ("failure", "next_s"),
    [
        (Failure("status", 410), math.inf),
        (Failure("status", 429, after_s=7.0), 12.0),
        (Failure("status", 429), 305.0),
        (Failure("status", 503, after_s=7.0), 305.0),
        (Failure("connect"), 305.0),
        (Failure("timeout"), 305.0),
    ],
)
def test_a_server_that_fails_is_asked_later(failure: Failure, next_s: float) -> None:
    """After the TTL, at the time it says with 429, and after 410 never."""
    steering = Steering(TAG, url=MASTER)
    steering.ask("b", math.nan)
    steering.fail(failure, 5.0)
    assert steering.next_s == next_s


def test_an_answer_of_no_use_is_asked_for_after_the_ttl() -> None:
    steering = Steering(TAG, url=MASTER)
    steering.take(manifest(TTL=10), url=MASTER, now_s=0.0)
    steering.ask("b", math.nan)
    with pytest.raises(PlaylistError):
        steering.take("no", url=MASTER, now_s=20.0)
    assert steering.next_s == 30.0


CLONE = {
    "BASE-ID": "a",
    "ID": "c",
    "URI-REPLACEMENT": {
        "HOST": "c.test",
        "PARAMS": {"cdn": "c/1", "old": "new"},
        "PER-VARIANT-URIS": {"v1": "https://else.test/v1.m3u8"},
        "PER-RENDITION-URIS": {"en": "https://else.test/en.m3u8"},
    },
}


def test_a_clone_moves_addresses_to_another_host() -> None:
    (clone,) = read_manifest(manifest(PATHWAY_CLONES=[CLONE])).clones
    assert (clone.base, clone.pathway) == ("a", "c")
    moved = clone.video_url("https://a.test:444/x%2Fy/v.m3u8?old=1&k=2", None)
    assert moved == "https://c.test:444/x%2Fy/v.m3u8?k=2&cdn=c%2F1&old=new"
    assert clone.video_url("https://a.test/v.m3u8", "v1") == "https://else.test/v1.m3u8"
    assert clone.audio_url("https://a.test/en.m3u8", "en") == "https://else.test/en.m3u8"
    assert clone.audio_url("https://a.test/v.m3u8", "v1").startswith("https://c.test/v.m3u8?")


@pytest.mark.parametrize(
    ("host", "url", "moved"),
    [
        ("b.test", "http://a.test/v", "http://b.test/v"),
        ("b.test:81", "http://a.test:80/v", "http://b.test:81/v"),
        ("[::1]", "http://a.test:80/v", "http://[::1]:80/v"),
        ("[::1]:9", "http://[::2]:80/v", "http://[::1]:9/v"),
        ("", "http://a.test/v", "http://a.test/v"),
    ],
)
def test_a_clones_host_may_name_a_port(host: str, url: str, moved: str) -> None:
    assert Clone(base="a", pathway="b", host=host).video_url(url, None) == moved


@pytest.mark.parametrize(
    "broken",
    [
        3,
        {"ID": "c", "URI-REPLACEMENT": {"HOST": "x"}},
        {"BASE-ID": "a", "ID": "", "URI-REPLACEMENT": {}},
        {"BASE-ID": "a", "ID": "c", "URI-REPLACEMENT": "x"},
    ],
)
def test_a_clone_that_lacks_something_is_left_out(broken: object) -> None:
    read = read_manifest(manifest(PATHWAY_CLONES=[broken, CLONE]))
    assert [clone.pathway for clone in read.clones] == ["c"]
    assert read_manifest(manifest(PATHWAY_CLONES="x")).clones == ()


def test_a_host_that_is_more_than_a_host_is_ignored() -> None:
    """It could otherwise name other paths, or who is to log in."""
    odd = {**CLONE, "URI-REPLACEMENT": {"HOST": "evil.test/path?"}}
    (clone,) = read_manifest(manifest(PATHWAY_CLONES=[odd])).clones
    assert clone.host == ""


def test_no_address_is_shown() -> None:
    """URLs and parameters may hold tokens."""
    steering = Steering(SteeringTag("/steer?token=secret"), url=MASTER)
    assert "secret" not in repr(steering)
    (clone,) = read_manifest(manifest(PATHWAY_CLONES=[CLONE])).clones
    assert "c/1" not in repr(clone)
