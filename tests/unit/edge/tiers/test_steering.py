"""Leases, ranking and steering manifests."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from abr.errors import ConfigError
from edge.tiers.cost import Ledger, account
from edge.tiers.leases import Leases, ServerState
from edge.tiers.ranking import Candidate, Viewer, rank
from edge.tiers.steering import Request, manifest, parse_request
from edge.tiers.topology import Server, Tier, Topology

TIERS = {"isp": 0, "regional": 1}


def server(name: str, *, tier: str = "isp", region: str = "eu", zone: str = "") -> Server:
    """A server whose host is its name."""
    return Server(name=name, tier=tier, address=f"http://{name}:80", region=region, zone=zone)


def ranked(*candidates: Candidate, viewer: Viewer) -> list[str]:
    """Names, best first."""
    return [each.server.name for each in rank(candidates, viewer, tier_rank=TIERS)]


def test_a_lease_that_is_not_renewed_ends() -> None:
    """Renewed at 5 s it holds until 15 s."""
    leases = Leases(10.0)
    leases.register(server("a"), ServerState(), now_s=0.0)
    leases.register(server("a"), ServerState(load=0.5), now_s=5.0)
    assert leases.alive(14.9)["a"][1].load == 0.5
    assert leases.alive(15.0) == {}
    assert leases.expire(15.0) == ("a",)


def test_listed_servers_need_no_lease_and_cannot_be_moved_by_a_registration() -> None:
    """A registration from elsewhere under a listed name is refused."""
    leases = Leases(10.0, [server("a")])
    assert set(leases.alive(1e9)) == {"a"}
    moved = Server(name="a", tier="isp", address="http://evil:80")
    with pytest.raises(ConfigError, match="is at http://a:80 in the topology"):
        leases.register(moved, ServerState(), now_s=0.0)


def test_an_address_belongs_to_one_live_server() -> None:
    """Two names at one address are refused until the first lease has ended."""
    leases = Leases(10.0)
    leases.register(server("a"), ServerState(), now_s=0.0)
    second = Server(name="b", tier="isp", address="http://a:80")
    with pytest.raises(ConfigError, match="registered as 'a'"):
        leases.register(second, ServerState(), now_s=9.0)
    leases.register(second, ServerState(), now_s=10.0)
    assert set(leases.alive(10.0)) == {"b"}


def test_the_nearest_server_that_is_well_and_has_room_comes_first() -> None:
    """Zone before region before elsewhere; full, draining and ill ones give way."""
    viewer = Viewer(session="s", title="film", region="eu", zone="berlin")
    near = Candidate(server=server("near", zone="berlin"), state=ServerState())
    same = Candidate(server=server("same", zone="paris"), state=ServerState())
    far = Candidate(server=server("far", region="us"), state=ServerState())
    assert ranked(far, same, near, viewer=viewer) == ["near", "same", "far"]
    full = Candidate(server=near.server, state=ServerState(load=0.95))
    assert ranked(far, same, full, viewer=viewer) == ["same", "far", "near"]
    leaving = Candidate(server=near.server, state=ServerState(draining=True))
    assert ranked(far, same, leaving, viewer=viewer) == ["same", "far", "near"]
    ill = Candidate(server=near.server, state=ServerState(), is_well=False)
    assert ranked(far, same, ill, viewer=viewer) == ["same", "far"]
    assert ranked(ill, viewer=viewer) == ["near"]


def test_of_equally_near_servers_the_holder_comes_first() -> None:
    """Holding the title counts more than a somewhat lower load."""
    viewer = Viewer(session="s", title="film", region="eu")
    holder = Candidate(server=server("a"), state=ServerState(load=0.6, titles=frozenset({"film"})))
    idle = Candidate(server=server("b"), state=ServerState(load=0.1))
    assert ranked(idle, holder, viewer=viewer) == ["a", "b"]
    other = Viewer(session="s", title="other", region="eu")
    assert ranked(idle, holder, viewer=other) == ["b", "a"]


def test_sessions_spread_over_equals_and_each_keeps_its_server() -> None:
    """Of 3,000 sessions each of three servers gets a third, in any order of listing."""
    equals = [Candidate(server=server(name), state=ServerState()) for name in ("a", "b", "c")]
    first = Counter[str]()
    for number in range(3000):
        viewer = Viewer(session=f"s{number}", region="eu")
        names = ranked(*equals, viewer=viewer)
        assert names == ranked(*reversed(equals), viewer=viewer)
        first[names[0]] += 1
    assert all(abs(count - 1000) < 150 for count in first.values())


def test_a_manifest_clones_every_server_but_the_base() -> None:
    """The base is the server whose host made the playlist; the others are hosts to replace it."""
    candidates = [Candidate(server=server(name), state=ServerState()) for name in ("a", "b", "c")]
    request = Request(session="s 1", title="film", base="b:80")
    found = json.loads(manifest(candidates, request, ttl_s=10, path="/steering"))
    assert found["VERSION"] == 1
    assert found["TTL"] == 10
    assert found["PATHWAY-PRIORITY"] == ["a", ".", "c"]
    assert found["PATHWAY-CLONES"] == [
        {"BASE-ID": ".", "ID": "a", "URI-REPLACEMENT": {"HOST": "a"}},
        {"BASE-ID": ".", "ID": "c", "URI-REPLACEMENT": {"HOST": "c"}},
    ]
    assert found["RELOAD-URI"] == "/steering?session=s+1&title=film&base=b%3A80"


def test_servers_on_another_port_are_no_clones() -> None:
    """A clone replaces the host alone; with nothing else left the base is named."""
    addresses = {"a": "http://[::1]:8080", "b": "http://10.0.0.1:8080", "c": "http://10.0.0.1:81"}
    candidates = [
        Candidate(server=Server(name=name, tier="isp", address=url), state=ServerState())
        for name, url in addresses.items()
    ]
    found = json.loads(manifest(candidates, Request(base="10.0.0.9:8080"), ttl_s=1, path="/s"))
    assert found["PATHWAY-PRIORITY"] == ["a", "b"]
    hosts = [each["URI-REPLACEMENT"]["HOST"] for each in found["PATHWAY-CLONES"]]
    assert hosts == ["[::1]", "10.0.0.1"]
    alone = json.loads(manifest(candidates, Request(base="10.0.0.9"), ttl_s=1, path="/s"))
    assert alone["PATHWAY-PRIORITY"] == ["."]
    assert "PATHWAY-CLONES" not in alone


def test_a_request_takes_what_it_understands() -> None:
    """Quotes of the pathway are taken off; nonsense and oversized values count as absent."""
    found = parse_request(
        [
            ("session", "s1"),
            ("session", "s2"),
            ("_HLS_pathway", '"isp-1"'),
            ("_HLS_throughput", "5140000"),
            ("region", "e\nu"),
            ("zone", "z" * 257),
            ("other", "x"),
        ]
    )
    assert found == Request(session="s1", pathway="isp-1", throughput_bps=5140000)
    assert parse_request([("_HLS_throughput", "-1")]).throughput_bps is None


def test_a_server_that_starts_anew_loses_no_bytes() -> None:
    """100, then 250, then a restart with 40: 290 in all."""
    ledger = Ledger()
    for sent in (100, 250, 250, 40):
        ledger.note("a", "isp", sent)
    ledger.note("b", "origin", 7)
    assert ledger.sent_bytes() == {"isp": 290, "origin": 7}


def test_costs_follow_the_tier_that_a_byte_left() -> None:
    """2 GB from regional at 0.01 cost 0.02; an unknown tier is an error."""
    topology = Topology(tiers=(Tier(name="isp"), Tier(name="regional", cost_per_gb=0.01)))
    lines = account({"regional": 2_000_000_000, "isp": 5}, topology)
    assert [(line.tier, line.cost) for line in lines] == [("isp", 0.0), ("regional", 0.02)]
    with pytest.raises(ConfigError, match="tier 'x' is not in the topology"):
        account({"x": 1}, topology)
