"""Lines of the access log and of the edge view."""

from __future__ import annotations

import json

import pytest

from edge.operations.accesslog import (
    LineFormat,
    Served,
    classify,
    dumps,
    join_session,
    samples,
)
from edge.operations.cmcd import Cmcd, parse_text
from edge.simulation.formats import Troubles, read_access

WITH_TOKENS = LineFormat(edge="e1", tier="isp", has_tokens=True)
OPEN = LineFormat(edge="e1", tier="isp", has_tokens=False)


def served(target: str, cmcd: str = "", **more: object) -> Served:
    facts = {
        "t_s": 1000.0, "method": "GET", "target": target, "status": 200,
        "cache_status": '"e1"; hit; ttl=5', "size_bytes": 10, "sent_bytes": 10,
        "first_byte_s": 0.001, "took_s": 0.002, "cmcd": parse_text(cmcd) if cmcd else Cmcd(),
    }  # fmt: skip
    return Served(**{**facts, **more})  # type: ignore[arg-type]  # tests give the right types


@pytest.mark.parametrize(
    ("cache_status", "status", "outcome"),
    [
        ('"e"; hit; ttl=5', 200, ("hit", "")),
        ('"up"; fwd=uri-miss, "e"; hit; ttl=5', 200, ("hit", "")),
        ('"up"; hit; ttl=5, "e"; fwd=uri-miss; stored', 200, ("miss", "content")),
        ('"e"; hit; ttl=-3', 200, ("stale", "")),
        ('"e"; hit; ttl=-3; detail=parent-failed', 200, ("stale", "health")),
        ('"e"; fwd=uri-miss; collapsed', 200, ("collapsed", "content")),
        ('"e"; fwd=stale; fwd-status=304', 200, ("revalidated", "content")),
        ('"e"; fwd=bypass', 200, ("bypass", "other")),
        ('"e"; fwd=method', 200, ("bypass", "other")),
        ('"e"; fwd=uri-miss', 503, ("error", "health")),
        ("", 504, ("error", "health")),
        ("", 403, ("own", "")),
    ],
)
def test_outcomes_are_those_of_the_last_member(
    cache_status: str, status: int, outcome: tuple[str, str]
) -> None:
    assert classify(cache_status, status) == outcome


def test_keys_are_those_of_the_cache_and_no_token_is_in_them() -> None:
    assert WITH_TOKENS.key_of("/t/SECRET/film/v0/1.m4s?CMCD=br%3D1") == "/film/v0/1.m4s"
    assert WITH_TOKENS.key_of("/film/v0/1.m4s") == "/film/v0/1.m4s"
    found = OPEN.key_of("/a?key=SECRET&CMCD=br%3D1")
    assert found.startswith("/a?")
    assert "SECRET" not in found
    assert found == OPEN.key_of("/a?key=SECRET")
    assert found != OPEN.key_of("/a?key=OTHER")
    assert "SECRET" not in OPEN.key_of("/t/SECRET/film/a")
    assert "SECRET" not in WITH_TOKENS.key_of("/t/SECRET")


def test_the_simulation_reads_what_the_edge_writes() -> None:
    line = dumps(WITH_TOKENS.access(served("/t/SECRET/film/1.m4s", 'sid="s1"')))
    troubles = Troubles("log")
    found = list(read_access([line.encode()], troubles))
    assert [(each.t_s, each.key, each.size_bytes) for each in found] == [
        (1000.0, "/film/1.m4s", 10)
    ]
    assert troubles.count == 0
    assert json.loads(line)["session"] == "s1"


def test_the_edge_view_has_the_words_and_units_of_session_logs() -> None:
    said = 'bl=2100,br=(3000;v 128;a),bs,bsd=(300 200),mtp=25400,ot=v,sid="s1",sta=r,msd=430,v=2'
    line = OPEN.view(parse_text(said), t_s=5.0)
    assert line == {
        "t_s": 5.0, "edge": "e1", "tier": "isp", "session": "s1", "bitrate_bps": 3_000_000.0,
        "buffer_s": 2.1, "throughput_bps": 25_400_000.0, "startup_s": 0.43, "stall_s": [0.3, 0.2],
        "state": "stalled", "kind": "video", "starved": True,
    }  # fmt: skip


def test_sampling_keeps_all_requests_of_a_key_or_none() -> None:
    kept = [key for key in map(str, range(10_000)) if samples(key, 0.1)]
    assert 850 < len(kept) < 1150  # 1,000 expected, standard deviation 30
    assert all(samples(key, 0.1) for key in kept)
    assert samples("any", 1.0)
    assert not samples("any", 0.0)


def test_a_session_joins_over_edges_and_a_cut_line_is_passed_over() -> None:
    other = LineFormat(edge="e2", tier="isp", has_tokens=False)
    rows = [
        (OPEN, served("/1", 'sid="a",br=1000,ot=v,bl=4000')),
        (other, served("/2", 'sid="a",br=3000,ot=v,bl=500,bs', cache_status='"e"; fwd=uri-miss')),
        (OPEN, served("/3", 'sid="b",br=9000,ot=v')),
        (OPEN, served("/4", 'sid="a",br=128,ot=a')),
    ]
    lines = [dumps(each.view(one.cmcd, t_s=1.0, served=one)) for each, one in rows]
    lines.append(dumps(OPEN.view(parse_text('sid="a",e=rr,bsd=400'), t_s=2.0)))
    found = join_session([*lines, lines[0][:20]], "a")
    assert (found.requests, found.hits, found.sent_bytes) == (3, 2, 30)
    assert (found.starved, found.stalled_s, found.least_buffer_s) == (1, 0.4, 0.5)
    assert (found.mean_bitrate_bps, found.edges) == (2_000_000.0, ("e1", "e2"))


def test_stalls_of_a_player_that_reports_states_only_are_told_by_when_they_began() -> None:
    """Two stalls, of 1.5 s and of 0.25 s up to the last report; reports came out of order."""
    said = [
        "e=ps,sta=s,ts=1000,sn=0",
        "e=ps,sta=r,ts=5000,sn=2",
        "e=ps,sta=p,ts=2000,sn=1",
        "e=t,sta=r,ts=6000,sn=3",
        "e=ps,sta=p,ts=6500,sn=4",
        "e=ps,sta=r,ts=9000,sn=5",
        "e=t,sta=r,ts=9250,sn=6",
    ]
    lines = [dumps(OPEN.view(parse_text(f'sid="a",v=2,{each}'), t_s=1.0)) for each in said]
    assert join_session(lines, "a").stalled_s == 1.75
    sought = [f"e=ps,sta={state},ts={ms}" for state, ms in (("p", 9500), ("k", 9600), ("r", 9700))]
    lines += [dumps(OPEN.view(parse_text(f'sid="a",v=2,{each}'), t_s=1.0)) for each in sought]
    assert join_session(lines, "a").stalled_s == 2.0  # the seek's wait is no stall
    lines.append(dumps(OPEN.view(parse_text('sid="a",v=2,bsda=(900;v)'), t_s=2.0)))
    assert join_session(lines, "a").stalled_s == 0.9  # a player's own total is believed
