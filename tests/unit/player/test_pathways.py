"""Which place of a rung is used."""

from __future__ import annotations

from player.playback.ladder import Place
from player.playback.pathways import Pathways

A, B, C = (
    Place(video_url=f"http://{way}/v", audio_url=f"http://{way}/a", pathway=way) for way in "abc"
)


def test_places_are_used_as_listed_until_they_are_ranked() -> None:
    pathways = Pathways()
    assert pathways.choose([A, B]) is A
    pathways.prefer("b")
    assert pathways.choose([A, B]) is B
    pathways.rank(["c", "a", "b"])
    assert pathways.choose([A, B, C]) is C
    assert pathways.choose([B]) is B


def test_a_pathway_that_is_not_ranked_is_not_used_while_there_is_one_that_is() -> None:
    pathways = Pathways()
    pathways.rank(["b", "unknown"])
    assert pathways.choose([A, B]) is B
    assert pathways.elsewhere(B, [A, B]) is None
    assert pathways.choose([A, C]) is A


def test_a_place_that_failed_is_left_out_for_a_while() -> None:
    pathways = Pathways()
    pathways.leave_out("http://a/a", 60.0)
    assert pathways.choose([A, B]) is B
    assert pathways.elsewhere(B, [A, B]) is None
    pathways.forgive(59.0)
    assert pathways.choose([A, B]) is B
    pathways.forgive(60.0, but={"http://a/a"})
    assert pathways.choose([A, B]) is B
    pathways.forgive(60.0)
    assert pathways.choose([A, B]) is A


def test_a_pathway_whose_server_fails_is_left_out_as_a_whole() -> None:
    pathways = Pathways()
    pathways.leave_out_way(A, 300.0)
    other = Place(video_url="http://a/else", pathway="a")
    assert pathways.is_out(other)
    assert pathways.choose([other, B]) is B


def test_when_all_failed_the_one_that_failed_first_is_used() -> None:
    pathways = Pathways()
    pathways.leave_out("http://b/v", 60.0)
    pathways.leave_out("http://a/v", 61.0)
    assert pathways.choose([A, B]) is B
    assert repr(pathways) == "<Pathways as listed; 2 left out>"
