"""The director over HTTP: registration, steering, health."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from edge.parents.parents import Parent
from edge.server.clock import wall_clock_s
from edge.server.director import DIRECTOR, Director, make_app
from edge.server.registration import Registrar
from edge.tiers.config import DirectorConfig
from edge.tiers.leases import ServerState
from edge.tiers.topology import Server, parse_topology
from origin.server.answers import json_response
from origin.server.httpserver import listening, make_application
from tests.fakes.parent import LIMITS, fake_parent, running_edge

TREE = """
[[tier]]
name = "isp"
[[tier]]
name = "origin"
cost_per_gb = 0.05
[[server]]
name = "origin"
tier = "origin"
url = "{origin}"
"""

CONFIG = DirectorConfig(
    port=0, check_interval_s=0.02, check_limit_s=1.0, lease_s=0.6, secret="word of the tree"
)


@asynccontextmanager
async def healthy() -> AsyncIterator[str]:
    """A server that says it is well; its URL."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return json_response({"status": "ok"})

    async with listening(make_application(answer), host="127.0.0.1", port=0, limits=LIMITS) as at:
        yield at.url


@pytest.fixture
async def tree() -> AsyncIterator[tuple[str, Director, str]]:
    """URL of a director, the director, and the URL of its origin."""
    async with healthy() as origin:
        topology = parse_topology(TREE.format(origin=origin), where="tree")
        app = make_app(CONFIG, topology, now=asyncio.get_running_loop().time)
        async with listening(app, host="127.0.0.1", port=0, limits=LIMITS) as at:
            yield at.url, app[DIRECTOR], origin


def edge_at(url: str, name: str = "isp-1") -> Server:
    """A cache of the first tier."""
    return Server(name=name, tier="isp", address=url, region="eu")


async def until(condition: object) -> None:
    """Wait until ``condition()`` is true; the test's time limit bounds it."""
    assert callable(condition)
    while not condition():  # noqa: ASYNC110 -- the state of another task has no event
        await asyncio.sleep(0.005)


async def test_a_cache_that_registers_is_told_whom_to_ask_and_is_steered_to(
    tree: tuple[str, Director, str],
) -> None:
    """And when it leaves nobody is sent to it any more."""
    url, director, origin = tree
    told: list[tuple[Parent, ...]] = []

    async def set_parents(parents: tuple[Parent, ...]) -> None:
        told.append(parents)

    async with healthy() as edge, aiohttp.ClientSession() as session:
        registrar = Registrar(
            url,
            secret=CONFIG.secret,
            server=edge_at(edge),
            state=lambda: ServerState(sent_bytes=3_000_000_000),
            set_parents=set_parents,
        )
        task = asyncio.create_task(registrar.run())
        await until(lambda: told)
        assert told == [(Parent(name=origin),)]
        host = edge.removeprefix("http://127.0.0.1")
        steer = f"{url}/steering?session=s1&base=127.0.0.2{host}&_HLS_pathway=%22x%22"
        async with session.get(steer) as response:
            found = await response.json()
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert found["PATHWAY-PRIORITY"] == ["isp-1"]
        async with session.get(f"{url}/v1/servers") as response:
            tiers = (await response.json())["tiers"]
        assert tiers == [
            {"name": "isp", "sent_bytes": 3_000_000_000, "cost": 0.0},
            {"name": "origin", "sent_bytes": 0, "cost": 0.0},
        ]
        assert found["PATHWAY-CLONES"][0]["URI-REPLACEMENT"] == {"HOST": "127.0.0.1"}
        assert found["RELOAD-URI"].startswith("/steering?session=s1&base=127.0.0.2")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert set(director.leases.alive(0.0)) == {"origin"}
        async with session.get(f"{url}/steering") as response:
            assert response.status == 503
            assert response.headers["Retry-After"] == "10"


async def test_the_lease_of_a_silent_cache_ends_and_that_of_a_live_one_does_not(
    tree: tuple[str, Director, str],
) -> None:
    """One registers once, the other goes on: after a lease only the other is there."""
    url, director, _ = tree
    now = asyncio.get_running_loop().time

    async def set_parents(_parents: tuple[Parent, ...]) -> None:
        return

    async with healthy() as one, healthy() as two:
        registrar = Registrar(
            url,
            secret=CONFIG.secret,
            server=edge_at(two, "live"),
            state=ServerState,
            set_parents=set_parents,
        )
        director.leases.register(edge_at(one, "silent"), ServerState(), now_s=now())
        task = asyncio.create_task(registrar.run())
        await until(lambda: "silent" not in director.leases.alive(now()))
        assert "live" in director.leases.alive(now())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_players_are_sent_away_from_a_server_that_fails_its_checks(
    tree: tuple[str, Director, str],
) -> None:
    """It holds its lease, but nothing listens there."""
    url, director, _ = tree
    now = asyncio.get_running_loop().time
    long = replace(CONFIG, lease_s=60)
    director.leases.lease_s = long.lease_s
    async with healthy() as edge, aiohttp.ClientSession() as session:
        director.leases.register(edge_at(edge, "well"), ServerState(load=0.5), now_s=now())
        gone = edge_at("http://127.0.0.1:9", "gone")
        director.leases.register(gone, ServerState(), now_s=now())
        await until(lambda: director.health.is_down("gone") and not director.health.is_down("well"))
        async with session.get(f"{url}/steering?session=s") as response:
            assert (await response.json())["PATHWAY-PRIORITY"] == ["well"]
        async with session.get(f"{url}/v1/servers") as response:
            listed = (await response.json())["servers"]
        assert {each["name"]: each["well"] for each in listed} == {
            "origin": True,
            "well": True,
            "gone": False,
        }


async def test_the_first_keys_come_from_the_parent_that_the_director_names(tmp_path: Path) -> None:
    """What happens to listen at the parent of the settings is not asked."""
    async with fake_parent() as origin, fake_parent() as stranger:
        topology = parse_topology(TREE.format(origin=origin.url), where="tree")
        app = make_app(CONFIG, topology, now=asyncio.get_running_loop().time)
        place = {"name": "isp-1", "tier": "isp", "director_secret": CONFIG.secret, "port": 1}
        async with (
            listening(app, host="127.0.0.1", port=0, limits=LIMITS) as director,
            running_edge(stranger.url, tmp_path, director=director.url, **place) as running,
        ):
            assert running.edge.trouble == ""
            assert running.edge.upstream.parents.names == (origin.url,)
            assert (origin.key_sets_asked, stranger.key_sets_asked) == (1, 0)


async def test_a_player_is_steered_by_the_edge_it_plays_from(
    tree: tuple[str, Director, str], tmp_path: Path
) -> None:
    """Its own edge is the base pathway; it asks there again, under its token; others cannot."""
    url, director, _ = tree
    director.leases.lease_s = 60.0
    async with (
        fake_parent() as parent,
        running_edge(parent.url, tmp_path, director=url, port=1, region="eu") as edge,
        aiohttp.ClientSession() as session,
    ):
        now_s = asyncio.get_running_loop().time()
        director.leases.register(edge_at(edge.url), ServerState(), now_s=now_s)
        token = parent.issuer.issue(
            "film", now_s=wall_clock_s(), session_id="s", ttl_s=60, session_s=60
        )
        async with session.get(
            f"{edge.url}/t/{token}/film/steering?_HLS_pathway=%22.%22&_HLS_throughput=5000000"
        ) as response:
            found = await response.json()
        assert found["RELOAD-URI"] == "steering"
        assert "." in found["PATHWAY-PRIORITY"]
        assert parent.asked == []
        async with session.get(f"{edge.url}/t/x/film/steering") as response:
            assert response.status == 403
        assert token not in str(found)


async def test_without_a_director_steering_ends(tmp_path: Path) -> None:
    """410 tells a player not to ask again."""
    async with (
        fake_parent() as parent,
        running_edge(parent.url, tmp_path) as edge,
        aiohttp.ClientSession() as session,
    ):
        token = parent.issuer.issue(
            "film", now_s=wall_clock_s(), session_id="s", ttl_s=60, session_s=60
        )
        async with session.get(f"{edge.url}/t/{token}/film/steering") as response:
            assert response.status == 410


@pytest.mark.parametrize(
    ("body", "secret", "status"),
    [
        (b"{}", "", 401),
        (b"{}", "wrong", 401),
        (b"{}", CONFIG.secret, 400),
        (b"[1", CONFIG.secret, 400),
        (b'{"server": {"name": "a", "tier": "moon", "url": "http://a"}}', CONFIG.secret, 400),
        (b'{"server": {"name": "a/b", "tier": "isp", "url": "http://a"}}', CONFIG.secret, 400),
        (
            b'{"server": {"name": "a", "tier": "isp", "url": "http://a"}, "state": {"load": 2}}',
            CONFIG.secret,
            400,
        ),
    ],
)
async def test_a_wrong_registration_is_refused_in_words(
    tree: tuple[str, Director, str], body: bytes, secret: str, status: int
) -> None:
    """And changes nothing."""
    url, director, _ = tree
    fields = {"Authorization": f"Bearer {secret}"} if secret else {}
    async with (
        aiohttp.ClientSession(headers=fields) as session,
        session.post(f"{url}/v1/servers", data=body) as response,
    ):
        assert response.status == status
        assert (await response.json())["message"]
    assert set(director.leases.alive(0.0)) == {"origin"}
