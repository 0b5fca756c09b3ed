"""``abr fill`` against a running edge: what it fetches, how often, and what stays."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from abr.cli import main
from edge.server.ahead import Filler, Tokens
from edge.tiers.fillplan import Wanted
from origin.server.clock import Clock
from origin.server.httpserver import listening, make_application
from tests.fakes.parent import LIMITS, FakeParent, RunningEdge, fake_parent, running_edge
from tests.integration.test_edge_workers import edge_with_workers

DAY_S = 86_400.0
KIB = 1 << 10
SIZE = 92 * KIB  # charged 100 KiB
OFTEN = [f"/film/often-{number}.m4s" for number in range(4)]
AT_ONCE = ("--now", "--rate", "1Gbit")


@pytest.fixture
async def parent() -> AsyncIterator[FakeParent]:
    async with fake_parent() as running:
        for path in OFTEN:
            running.add(path, bytes(SIZE))
        yield running


@pytest.fixture
async def edge(parent: FakeParent, tmp_path: Path) -> AsyncIterator[RunningEdge]:
    async with running_edge(
        parent.url, tmp_path / "c", require_token=False, cache_bytes=1000 * KIB
    ) as running:
        yield running


def write_log(path: Path, requests: Iterable[tuple[float, str]]) -> None:
    lines = [json.dumps({"t_s": t_s, "key": key, "size_bytes": SIZE}) for t_s, key in requests]
    path.write_text("\n".join(lines) + "\n")


def days(count: int, *, moves: bool = False) -> list[tuple[float, str]]:
    """The same four every day, or others each day, among many that are asked for once."""
    first_s = Clock()() // DAY_S * DAY_S - count * DAY_S
    found = []
    for day in range(count):
        for lap in range(5):
            t_s = first_s + day * DAY_S + (8 + lap) * 3600
            found += [(t_s, f"/film/once-{day}-{lap}-{number}.m4s") for number in range(60)]
            often = [f"/film/{day}-{number}.m4s" for number in range(4)] if moves else OFTEN
            found += [(t_s + 1, key) for key in often]
    return found


async def run(*words: str) -> int:
    return await asyncio.to_thread(main, ["fill", *words])


async def cache_status(url: str) -> str:
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        await answer.read()
        return answer.headers["Cache-Status"]


async def test_what_will_be_asked_for_is_fetched_once_pinned_and_then_a_hit(
    parent: FakeParent,
    edge: RunningEdge,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The room is what would have paid on the days before, and so more than nothing."""
    log = tmp_path / "a.jsonl"
    write_log(log, days(4))
    words = ("--log", f"a={log}", "--edge", f"a={edge.url}", "--open", *AT_ONCE, "--json")
    assert await run(*words, "--plan") == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["earned_share"] > 0
    assert {each["key"] for each in planned["edges"][0]["objects"]} >= set(OFTEN)
    assert parent.asked == []
    assert await run(*words) == 0  # what was asked for once is gone, which is no failure
    (row,) = json.loads(capsys.readouterr().out)["edges"]
    assert (row["filled"], row["pinned"]) == (4, 4)
    for path in OFTEN:
        assert parent.asked.count(path) == 1
        assert "; hit" in await cache_status(edge.url + path)
    assert set(edge.edge.index.pinned_keys) == set(OFTEN)
    assert {each.headers["Priority"] for each in parent.seen if each.path in OFTEN} == {"u=7"}


async def test_only_what_fits_in_the_room_is_fetched(
    parent: FakeParent, edge: RunningEdge, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "a.jsonl"
    write_log(log, days(1))
    words = ("--log", f"a={log}", "--edge", f"a={edge.url}", "--open", *AT_ONCE)
    assert await run(*words, "--room", "25%") == 0
    assert len(parent.asked) == 2  # of 100 KiB each, with their overhead, in 250 KiB
    assert edge.edge.index.pinned_bytes == 200 * KIB
    assert "2 filled (188 KB), 0 held already" in capsys.readouterr().out
    assert await run(*words, "--room", "25%") == 0
    assert len(parent.asked) == 2
    assert "0 filled (0 B), 2 held already" in capsys.readouterr().out


async def test_where_fills_would_not_have_paid_nothing_is_fetched_and_pins_end(
    parent: FakeParent, edge: RunningEdge, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "a.jsonl"
    write_log(log, days(4))
    words = ("--log", f"a={log}", "--edge", f"a={edge.url}", "--open", *AT_ONCE)
    await run(*words, "--room", "40%")
    assert edge.edge.index.pinned_bytes > 0
    asked = len(parent.asked)
    write_log(log, days(4, moves=True))
    assert await run(*words) == 0
    assert "fills would not have paid" in capsys.readouterr().err
    assert len(parent.asked) == asked
    assert edge.edge.index.pinned_bytes == 0


@pytest.fixture
async def origin(parent: FakeParent) -> AsyncIterator[str]:
    """Gives tokens of the fake parent to who has the secret."""

    async def answer(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer hush":
            return web.Response(status=401)
        token = parent.issuer.issue(
            "film", now_s=Clock()(), session_id="fill", ttl_s=300, session_s=3000
        )
        return web.json_response({"token": token, "ttl_s": 300})

    app = make_application(answer)
    async with listening(app, host="127.0.0.1", port=0, limits=LIMITS) as where:
        yield where.url


async def test_an_edge_that_checks_tokens_is_filled_with_tokens_that_are_not_printed(
    parent: FakeParent,
    origin: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parent.things[OFTEN[3]].status = 403
    log = tmp_path / "a.jsonl"
    write_log(log, days(1))
    async with running_edge(parent.url, tmp_path / "c", cache_bytes=1000 * KIB) as edge:
        words = ("--log", f"a={log}", "--edge", f"a={edge.url}", "--playback", origin, *AT_ONCE)
        assert await run(*words, "--room", "40%") == 1
        assert "set ABR_FILL_PLAYBACK_SECRET" in capsys.readouterr().err
        monkeypatch.setenv("ABR_FILL_PLAYBACK_SECRET", "hush")
        assert await run(*words, "--room", "40%") == 1  # one of the four is refused
        assert set(edge.edge.index.pinned_keys) == set(OFTEN[:3])
    said = "".join(capsys.readouterr())
    assert "3 filled" in said
    assert "/film/often-3.m4s: answered 403; expected 206" in said
    assert "eyJ" not in said
    assert "/t/" not in said


async def fill_one(edge_url: str, **more: Any) -> Any:
    async with aiohttp.ClientSession() as session:
        filler = Filler(
            session, name="a", url=edge_url, tokens=None, secret="", now=Clock(), retry_s=0.01
        )
        plan = [Wanted(key=key, size_bytes=SIZE, start_s=0.0) for key in OFTEN * 2]
        settings = {"rate_bps": 1e9, "until_s": Clock()() + 60} | more
        return await filler.fill(plan, **settings)


async def test_an_edge_whose_parent_fails_is_given_up_after_a_few_objects(
    parent: FakeParent, edge: RunningEdge
) -> None:
    for thing in parent.things.values():
        thing.status = 503
    report = await fill_one(edge.url)
    assert (report.failed, report.filled, report.pinned) == (5, 0, 0)
    assert report.trouble == "given up after 5 failures in a row; last: answered 503"
    assert not report.is_good


async def test_what_would_not_arrive_before_the_window_ends_is_left(
    parent: FakeParent, edge: RunningEdge
) -> None:
    report = await fill_one(edge.url, rate_bps=SIZE * 8 / 10, until_s=Clock()() + 5)
    assert (report.left, report.filled, parent.asked) == (8, 0, [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--edge", "a=http://h", "--open"), "Missing option '--log'"),
        (("--log", "a=x", "--edge", "a", "--open"), "--edge: found 'a'; expected NAME=URL"),
        (("--log", "a=x", "--edge", "b=http://h", "--open"), "--edge b: has no log"),
        (("--log", "a=x", "--edge", "a=http://h"), "--playback URL, or --open"),
        (("--log", "a=x", "--edge", "a=h", "--open"), "expected a URL such as"),
    ],
)
def test_a_command_line_that_cannot_be_meant_is_refused(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fill", *words]) != 0
    assert said in capsys.readouterr().err


def test_tokens_do_not_show_in_their_holder() -> None:
    assert "hush" not in repr(Tokens(None, "http://o", secret="hush", now=Clock()))  # type: ignore[arg-type]  # not used


async def test_an_edge_in_several_processes_is_filled_as_one(
    parent: FakeParent, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "a.jsonl"
    write_log(log, days(1))
    async with edge_with_workers(parent, tmp_path / "c", "--cache-size", "1MB") as edge:
        words = ("--log", f"a={log}", "--edge", f"a={edge.url}", "--open", *AT_ONCE)
        assert await run(*words, "--room", "410KB") == 0
        assert sorted(parent.asked) == OFTEN
        for path in OFTEN:
            assert "; hit" in (await edge.get(path))[2]
    assert "4 filled" in capsys.readouterr().out


async def test_while_it_waits_for_the_window_an_interruption_ends_it(
    parent: FakeParent, edge: RunningEdge, tmp_path: Path
) -> None:
    log = tmp_path / "a.jsonl"
    write_log(log, days(1))
    start_h = (int(Clock()() // 3600) + 2) % 24
    window = f"{start_h:02}:00-{start_h:02}:59"
    words = ["--log", f"a={log}", "--edge", f"a={edge.url}", "--open", "--window", window]
    command = [sys.executable, "-m", "abr", "fill", *words]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    async with asyncio.timeout(20):
        while b"waiting until" not in (line := await process.stderr.readline()):
            assert line
        process.send_signal(signal.SIGINT)
        assert b"interrupted" in await process.stderr.read()
        assert await process.wait() == 130
    assert parent.asked == []
