"""Pathways, redundant variants and steering, over scripted titles and a virtual link."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from abr.link import SharedLink
from abr.log import SessionLog
from abr.qoe import summary
from abr.trace import Trace
from player import replay
from player.config import PlayerConfig
from player.drivers.replay import differences
from player.drivers.virtual import VirtualDriver, VirtualResponse
from player.playback.actions import Want
from player.playback.session import PlaybackSession
from tests.fakes.titles import FakeTitle, fixed

Refusal = Callable[[str, Want, float], VirtualResponse | None]
GONE = VirtualResponse(0, status=503)


def host_of(want: Want) -> str:
    """Which server is asked."""
    return (urlsplit(want.url).hostname or "").removesuffix(".test")


class Clocked(PlaybackSession):
    """Tells the time to who scripts the answers."""

    now_s = 0.0

    def _enter(self, now_s: float) -> bool:
        Clocked.now_s = now_s
        return super()._enter(now_s)


def play_ways(
    refuse: Refusal, *, config: PlayerConfig | None = None, **title: Any
) -> tuple[SessionLog, FakeTitle]:
    """Play a title of twelve segments on two pathways; and replay it."""
    Clocked.now_s = 0.0
    made = FakeTitle(segments=12, **{"ways": ("a", "b"), **title})
    made.refuse = lambda want: refuse(host_of(want), want, Clocked.now_s)
    config = config or PlayerConfig(max_buffer_s=12.0)
    session = Clocked(made.url, fixed(1), config)
    log = VirtualDriver(session, made, SharedLink(Trace.constant(20e6), rtt_s=0.04)).run()
    assert differences(log, replay(log, algorithm=fixed(1))) == []
    return log, made


def segments(title: FakeTitle) -> list[tuple[str, str, int, int]]:
    """Host, track, rung and index of each segment in the order asked for."""
    wants = [want for want in title.asked if want.kind == "segment"]
    return [(host_of(want), want.track, want.rung, want.segment) for want in wants]


@pytest.mark.parametrize("is_redundant", [False, True])
def test_a_pathway_that_dies_is_left_within_its_first_failed_request(is_redundant: bool) -> None:
    """With eight seconds of buffer nobody notices; sound goes the same way; the rung stays."""

    def refuse(host: str, _want: Want, now_s: float) -> VirtualResponse | None:
        return GONE if host == "a" and now_s > 10.0 else None

    log, _ = play_ways(refuse, is_redundant=is_redundant)
    found = summary(log)
    assert (found.ended, found.stall_events, set(found.rungs)) == ("complete", 0, {1})
    failed = [(r["t"], r["status"]) for r in log.of("failed")]
    assert [status for _, status in failed] == [503]
    after = [r for r in log.of("fetch") if r["t"] >= failed[0][0]]
    assert after[0]["t"] == failed[0][0]
    assert {urlsplit(r["uri"]).hostname for r in after} == {"b.test"}
    way = "server a.test" if is_redundant else "pathway a"
    assert f"{way} is left out for 300 s" in next(log.of("note"))["text"]


def test_a_pathway_that_falls_silent_is_left_after_four_seconds() -> None:
    """Not after the twenty that a first byte may take where there is no other."""
    title = FakeTitle(segments=12, ways=("a", "b"))

    class Deaf(SharedLink):
        def request(self, flow: int, size_bytes: float, now_s: float) -> None:
            if now_s < 10.0 or host_of(title.asked[-1]) != "a":
                super().request(flow, size_bytes, now_s)

    session = PlaybackSession(title.url, fixed(1), PlayerConfig(max_buffer_s=12.0))
    link = Deaf(Trace.constant(20e6), rtt_s=0.04)
    link.received_bytes = lambda _flow, _now_s: 0.0  # type: ignore[method-assign, assignment]  # of no flow too
    log = VirtualDriver(session, title, link).run()
    assert (summary(log).ended, summary(log).stall_events) == ("complete", 0)
    (left,) = (r for r in log.of("abort") if r["why"] == "timeout")
    asked_s = next(r["t"] for r in log.of("fetch") if r["id"] == left["id"])
    assert left["t"] - asked_s == pytest.approx(4.0)


def test_when_all_pathways_fail_there_is_still_patience() -> None:
    """Both are gone for six seconds; whichever comes back is used."""

    def refuse(_host: str, want: Want, now_s: float) -> VirtualResponse | None:
        return GONE if want.kind == "segment" and 10.0 < now_s < 16.0 else None

    log, _ = play_ways(refuse)
    assert (summary(log).ended, summary(log).stall_events) == ("complete", 0)


def test_what_one_pathway_lacks_is_had_from_the_other_at_the_same_rung() -> None:
    """A 404 costs one request, and the pathway is used on for the rest."""

    def refuse(host: str, want: Want, _now_s: float) -> VirtualResponse | None:
        is_gone = host == "a" and want.track == "audio" and want.kind == "media"
        return VirtualResponse(0, status=404) if is_gone else None

    log, title = play_ways(refuse)
    assert (summary(log).ended, set(summary(log).rungs)) == ("complete", {1})
    assert {host for host, track, *_ in segments(title) if track == "audio"} == {"b"}


def steered(*answers: VirtualResponse | dict[str, Any]) -> Callable[[Want], VirtualResponse]:
    """A steering server with these answers, the last one again and again."""
    left = list(answers)

    def answer(_want: Want) -> VirtualResponse:
        told = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(told, VirtualResponse):
            return told
        body = json.dumps({"VERSION": 1, "TTL": 10, **told}).encode()
        return VirtualResponse(len(body), body)

    return answer


def play_steered(*answers: VirtualResponse | dict[str, Any]) -> tuple[SessionLog, FakeTitle]:
    """Play with a steering server."""
    steer = steered(*answers)
    return play_ways(
        lambda _host, want, _now_s: steer(want) if want.kind == "steering" else None,
        steering="http://steer.test/s?k=1",
    )


A_FIRST, B_FIRST = {"PATHWAY-PRIORITY": ["a", "b"]}, {"PATHWAY-PRIORITY": ["b", "a"]}


def test_the_steering_server_moves_a_playback_within_its_ttl() -> None:
    """Asked at 0, 10, 20 s ...; from the second answer on everything comes from b."""
    log, title = play_steered(A_FIRST, B_FIRST)
    asked = [r for r in log.of("fetch") if r["kind"] == "steering"]
    assert [round(r["t"]) for r in asked[:3]] == [0, 10, 20]
    told_s = asked[1]["t"] + 1.0
    later = [r for r in log.of("fetch") if r["kind"] == "segment" and r["t"] > told_s]
    assert {urlsplit(r["uri"]).hostname for r in later} == {"b.test"}
    assert summary(log).ended == "complete"
    assert [r["text"] for r in log.of("note")] == ["pathway b from now on"]
    queries = [want.url.partition("?")[2] for want in title.asked if want.kind == "steering"]
    assert queries[1].startswith("k=1&_HLS_pathway=%22a%22&_HLS_throughput=")
    assert "_HLS_pathway=%22b%22" in queries[2]


def test_a_clone_is_a_pathway_of_its_own() -> None:
    clone = {"BASE-ID": "a", "ID": "c", "URI-REPLACEMENT": {"HOST": "c.test"}}
    log, title = play_steered({"PATHWAY-PRIORITY": ["c", "a"], "PATHWAY-CLONES": [clone]})
    assert summary(log).ended == "complete"
    assert {host for host, *_ in segments(title)[2:]} == {"c"}


def test_secrets_that_a_clone_adds_are_not_in_the_log_and_it_replays() -> None:
    """In the manifest they are as they are, in URLs percent-encoded; ``play_ways`` replays."""
    params = {"token": "SeCr3t/+=SeCr3t", "plain": "SeCr3tSeCr3t"}
    clone = {"BASE-ID": "a", "ID": "c", "URI-REPLACEMENT": {"HOST": "c.test", "PARAMS": params}}
    log, title = play_steered({"PATHWAY-PRIORITY": ["c", "a"], "PATHWAY-CLONES": [clone]})
    assert any("token=SeCr3t%2F%2B%3DSeCr3t" in want.url for want in title.asked)
    assert "SeCr3t" not in json.dumps(log.records)


def test_a_steering_server_that_fails_is_told_of() -> None:
    log, _ = play_steered(VirtualResponse(0, status=404))
    (text,) = (r["text"] for r in log.of("note"))
    assert text == "http://steer.test/s: status 404; pathways stay as they are"


@pytest.mark.parametrize(
    ("answer", "asked"),
    [
        (VirtualResponse(0, status=410), 1),
        (VirtualResponse(0, status=404), 1),
        (VirtualResponse(5, b"<html>"), 1),
        ({"PATHWAY-PRIORITY": ["unknown"]}, 4),
        ({"PATHWAY-PRIORITY": ["b"], "TTL": 0}, 1),
    ],
)
def test_a_steering_server_never_ends_a_playback(
    answer: VirtualResponse | dict[str, Any], asked: int
) -> None:
    """Gone, missing, nonsense, pathways that there are not, a TTL of nothing."""
    log, title = play_steered(answer)
    assert summary(log).ended == "complete"
    assert sum(want.kind == "steering" for want in title.asked) == asked


def test_what_a_steering_server_gives_away_stays_out_of_the_log() -> None:
    """Its session, and the parameters of clones; the replay, which knows neither, is the same."""
    clone = {"BASE-ID": "a", "ID": "c", "URI-REPLACEMENT": {"PARAMS": {"token": "Zp7wq0kQ91xL"}}}
    told = {
        "PATHWAY-PRIORITY": ["c", "a"],
        "PATHWAY-CLONES": [clone],
        "RELOAD-URI": "/again?session=9fK2mXw81qPz",
    }
    log, title = play_steered(told)
    assert any("token=Zp7wq0kQ91xL" in want.url for want in title.asked)
    assert any("session=9fK2mXw81qPz" in want.url for want in title.asked)
    assert "Zp7wq0kQ91xL" not in log.dumps()
    assert "9fK2mXw81qPz" not in log.dumps()
