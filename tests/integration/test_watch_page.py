"""The watch page of ``abr serve``, as a browser asks for it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bench.stack.config import ServeConfig
from bench.stack.stack import Stack
from bench.stack.watch import Reach, WatchSite, is_own_name
from tests.fakes.packages import write_package
from transcode.packaging.index import PresentationIndex

PAGE = Path(__file__).parents[2] / "bench/stack/page"


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    write_package(tmp_path / "film", sides=True)
    write_package(tmp_path / "other")
    config = ServeConfig(edges=1, cmcd_log=str(tmp_path / "view.jsonl"))
    folders = [tmp_path / "film", tmp_path / "other"]
    async with Stack(folders, keys=tmp_path / "keys", config=config) as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_the_page_and_its_files_are_there_and_may_ask_the_servers_of_the_stack_only(
    stack: Stack, client: aiohttp.ClientSession
) -> None:
    async with client.get(stack.watch_url) as answer:
        policy = answer.headers["Content-Security-Policy"]
        text = await answer.text()
        assert (answer.status, answer.content_type) == (200, "text/html")
    for each in stack.listeners:
        assert each.url in policy
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["worker-src"] == "'self'"
    assert "unsafe" not in policy
    for name in re.findall(r'(?:src|href)="([^"#/][^"]*)"', text):
        async with client.get(stack.watch_url + name) as answer:
            assert answer.status == 200
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "Access-Control-Allow-Origin" not in answer.headers


def test_our_files_name_no_other_site_and_hold_no_script_or_style_inline() -> None:
    for path in PAGE.iterdir():
        if path.is_file():
            text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"\b(https?|wss?):", text), path
            assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text), path


async def test_a_file_that_has_not_changed_is_not_sent_again(
    stack: Stack, client: aiohttp.ClientSession
) -> None:
    async with client.get(f"{stack.watch_url}watch.js") as answer:
        tag = answer.headers["ETag"]
    async with client.get(f"{stack.watch_url}watch.js", headers={"If-None-Match": tag}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")


async def test_the_page_is_told_of_titles_caches_and_reports(
    stack: Stack, client: aiohttp.ClientSession
) -> None:
    async with client.get(f"{stack.watch_url}watch.json") as answer:
        facts = await answer.json()
    assert facts["tiers"] == {"regional": "regional", "isp-1": "isp"}
    assert facts["takes_reports"] is True
    assert facts["titles"]["other"]["pictures"] is None
    assert facts["titles"]["film"]["pictures"] == {
        "folder": "t0", "columns": 2, "rows": 1, "count": 2, "width": 160, "height": 90,
    }  # fmt: skip
    async with client.get(f"{stack.watch_url}pictures/film") as answer:
        assert (answer.content_type, len(await answer.read())) == ("image/jpeg", 70)
    async with client.get(f"{stack.watch_url}pictures/other") as answer:
        assert answer.status == 404


async def test_what_the_page_is_granted_plays_through_the_edge(
    stack: Stack, client: aiohttp.ClientSession
) -> None:
    async with client.get(f"{stack.watch_url}v1/titles") as answer:
        listed = [each["title"] for each in (await answer.json())["titles"]]
    assert listed == ["film", "other"]
    granted = await grant(stack, client, title="film")
    async with client.get(granted["manifest_url"]) as answer:
        assert answer.status == 200
        assert "isp-1" in answer.headers["Cache-Status"]
        assert "Cache-Status" in answer.headers["Access-Control-Expose-Headers"]
        assert answer.headers["Timing-Allow-Origin"] == "*"
    for body, status in (('{"title": "none"}', 404), ("[]", 400), ("{", 400)):
        async with client.post(f"{stack.watch_url}v1/playback", data=body) as answer:
            assert answer.status == status


async def grant(stack: Stack, client: aiohttp.ClientSession, *, title: str) -> dict[str, Any]:
    """What the page gets when it asks to play a title."""
    asked = {"title": title, "device": "test"}
    async with client.post(f"{stack.watch_url}v1/playback", json=asked) as answer:
        assert answer.status == 200
        granted: dict[str, Any] = await answer.json()
        return granted


async def test_reports_of_a_player_are_written_to_the_log_without_its_token(
    stack: Stack, client: aiohttp.ClientSession
) -> None:
    granted = await grant(stack, client, title="film")
    asked = "?CMCD=bl%3D%285000%29%2Cot%3Dm%2Csid%3D%22one%22%2Cv%3D2"
    async with client.get(granted["manifest_url"] + asked) as answer:
        assert answer.status == 200
    log = Path(stack.config.cmcd_log)
    await stack.__aexit__(None, None, None)  # what waits is written at the end
    (line,) = log.read_text().splitlines()
    assert json.loads(line)["session"] == "one"
    assert json.loads(line)["buffer_s"] == 5.0
    assert granted["token"][:20] not in line


async def test_nobody_is_answered_by_another_name_and_nothing_is_written(
    stack: Stack, client: aiohttp.ClientSession
) -> None:
    async with client.get(stack.watch_url, headers={"Host": "films.example"}) as answer:
        assert answer.status == 421
    async with client.post(stack.watch_url, data="x") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
    for path in ("../stack.py", "%2e%2e/stack.py", "hls", "nothing"):
        async with client.get(f"{stack.watch_url}{path}") as answer:
            assert answer.status == 404


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.1:8084", True),
        ("localhost", True),
        ("LOCALHOST:1", True),
        ("[::1]:8084", True),
        ("[::1]", True),
        ("", False),
        ("localhost.example:80", False),
        ("127.0.0.1.example", False),
    ],
)
def test_addresses_and_localhost_are_own_names(host: str, is_ours: bool) -> None:
    assert is_own_name(host) is is_ours


class NoTitles:
    """A store of nothing."""

    def titles(self) -> tuple[str, ...]:
        return ()

    def index(self, title: str) -> PresentationIndex | None:
        return None

    def open(self, title: str, path: str) -> None:
        return None


async def refuse(_request: Any) -> Any:
    raise AssertionError("nothing asks the service here")


def test_without_hls_js_the_page_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "page").mkdir()
    (tmp_path / "page/index.html").write_text("<!doctype html>")
    monkeypatch.setattr("bench.stack.watch.files", lambda _package: tmp_path)
    site = WatchSite(NoTitles(), refuse, Reach(tiers={}, urls=[]))
    assert site.facts()["hls_js"] is None
    (tmp_path / "page/hls").mkdir()
    (tmp_path / "page/hls/version.json").write_text('{"hls.js": "1.7.4"}')
    assert WatchSite(NoTitles(), refuse, Reach(tiers={}, urls=[])).facts()["hls_js"] == "1.7.4"
