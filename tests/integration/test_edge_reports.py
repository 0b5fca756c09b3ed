"""What an edge writes down about requests and players."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from edge.server import linewriter, reports
from edge.server.linewriter import LineWriter
from edge.server.process import EdgeProcess
from tests.fakes.parent import FakeParent, RunningEdge, fake_parent, running_edge

BODY = b"x" * 200_000


@pytest.fixture
async def parent() -> AsyncIterator[FakeParent]:
    async with fake_parent() as running:
        running.add("/film/a", BODY)
        running.add("/b", b"b")
        yield running


@contextmanager
def writing(edge: RunningEdge) -> Iterator[EdgeProcess]:
    """Writes down what is set; everything is in the files when the context closes."""
    with EdgeProcess(edge.edge, edge.door, read=lambda: edge.edge.config) as process:
        yield process


async def until_written(path: Path, count: int) -> None:
    """An answer may be here before its line is; 30 s for a machine that is busy."""
    async with asyncio.timeout(30):
        while not path.exists() or path.read_text().count("\n") < count:  # noqa: ASYNC110  # a thread writes
            await asyncio.sleep(0.01)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_every_request_has_a_line_and_no_line_has_a_token(
    parent: FakeParent, tmp_path: Path
) -> None:
    """A miss, an ordinary hit, one by the short cut, a range, a refusal, and a HEAD."""
    log = tmp_path / "access.jsonl"
    async with running_edge(
        parent.url, tmp_path / "c", require_token=False, name="e1", access_log=str(log)
    ) as edge:
        url = edge.url + "/film/a"
        with writing(edge):
            async with aiohttp.ClientSession() as client:
                for fields in ({}, {}, {}, {"Range": "bytes=10-19"}):
                    async with client.get(url, headers=fields) as answer:
                        await answer.read()
                await (await client.head(url)).read()
                await (await client.get(edge.url + "/t/SECRET/none")).read()
            await until_written(log, 6)
    found = lines(log)
    assert [each["cache"] for each in found] == ["miss", "hit", "hit", "hit", "hit", "miss"]
    assert [each["size_bytes"] for each in found[:4]] == [len(BODY)] * 4
    assert [each["sent_bytes"] for each in found[:5]] == [len(BODY)] * 3 + [10, 0]
    assert [each["status"] for each in found] == [200, 200, 200, 206, 200, 404]
    assert found[0]["reason"] == "content"
    assert {each["key"] for each in found[:5]} == {"/film/a"}
    assert all(0 <= each["ttfb_s"] <= each["took_s"] < 5 for each in found)
    assert "SECRET" not in log.read_text()


async def test_what_players_say_joins_with_what_they_got(
    parent: FakeParent, tmp_path: Path
) -> None:
    """In the query, in fields, and in reports; it chooses nothing in the cache."""
    view = tmp_path / "view.jsonl"
    async with running_edge(
        parent.url, tmp_path / "c", require_token=False, cmcd_log=str(view), strip_cmcd=True
    ) as edge:
        with writing(edge):
            async with aiohttp.ClientSession() as client:
                for number in range(3):
                    said = f"CMCD=br%3D{number + 1}%2Cot%3Dv%2Csid%3D%22s%22"
                    await (await client.get(f"{edge.url}/film/a?{said}")).read()
                fields = {"CMCD-Session": 'sid="s"', "CMCD-Request": "bl=2000"}
                for _ in range(3):
                    await (await client.get(edge.url + "/film/a", headers=fields)).read()
                await (await client.get(edge.url + "/film/a")).read()
                answer = await client.post(edge.url + "/cmcd", data=b'e=rr,bsd=500,sid="s"\nbl=1')
                assert answer.status == 204
            await until_written(view, 8)
    assert parent.asked == ["/film/a"]
    assert parent.seen[0].query_string == ""
    found = lines(view)
    assert [each.get("bitrate_bps") for each in found[:3]] == [1000, 2000, 3000]
    assert [each.get("buffer_s") for each in found[3:6]] == [2.0] * 3
    assert [each.get("cache") for each in found] == ["miss"] + ["hit"] * 5 + [None] * 2
    assert found[6]["stall_s"] == [0.5]


async def test_reports_are_bounded_and_only_taken_where_wanted(
    parent: FakeParent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "REPORTS_PER_S", 3.0)
    async with running_edge(
        parent.url, tmp_path / "c", cmcd_log=str(tmp_path / "view.jsonl")
    ) as edge:
        with writing(edge):
            async with aiohttp.ClientSession() as client:
                url = edge.url + "/cmcd"
                large = await client.post(url, data=b"a" * (reports.MAX_REPORT_BYTES + 1))
                assert large.status == 413
                assert (await client.get(url)).status == 405
                statuses = [(await client.post(url, data=b"e=t")).status for _ in range(6)]
                assert statuses[0] == 204
                assert 429 in statuses
                await edge.edge.reconfigure(replace(edge.edge.config, cmcd_log=""))
                assert (await client.post(url, data=b"e=t")).status != 204
    assert edge.edge.reports.refused >= 2


async def test_a_log_that_cannot_be_written_disturbs_no_request(
    parent: FakeParent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe that nobody reads holds the thread for ever; lines are dropped and counted."""
    monkeypatch.setattr(linewriter, "MOST_WAITING", 5)
    monkeypatch.setattr(linewriter, "CLOSE_S", 0.05)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    async with running_edge(
        parent.url, tmp_path / "c", require_token=False, access_log=str(pipe)
    ) as edge:
        with writing(edge):
            async with aiohttp.ClientSession() as client:
                for _ in range(20):
                    async with client.get(edge.url + "/b") as answer:
                        assert await answer.read() == b"b"
            assert edge.edge.reports.dropped >= 14  # 5 wait, one is being written
    with pipe.open("rb"):  # the thread ends
        pass


def test_lines_go_on_in_a_new_file_after_a_reopening(tmp_path: Path) -> None:
    path, moved = tmp_path / "log", tmp_path / "log.1"
    writer, written = LineWriter(path), threading.Event()

    def first() -> str:
        written.set()
        return "one\n"

    writer.write(first)
    assert written.wait(5)
    while writer.written == 0:
        pass
    path.rename(moved)
    writer.reopen()
    writer.write(lambda: "two\n")
    writer.close()
    assert (moved.read_text(), path.read_text()) == ("one\n", "two\n")


def test_a_folder_that_is_missing_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = LineWriter(tmp_path / "missing" / "log")
    for _ in range(3):
        writer.write(lambda: "line\n")
    writer.close()
    assert (writer.dropped, writer.written) == (3, 0)
    assert len(caplog.records) == 1
