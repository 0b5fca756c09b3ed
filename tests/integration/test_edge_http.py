"""An edge over loopback HTTP, in front of a parent that can be slow or broken."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from multidict import CIMultiDictProxy
from prometheus_client.parser import text_string_to_metric_families

from abr.errors import ResourceError
from edge.server import auditing
from tests.fakes.parent import FakeParent, RunningEdge, Thing, fake_parent, running_edge

MIB = 1 << 20
BODY = os.urandom(MIB)


class Clock:
    """Seconds since the epoch, moved by hand."""

    def __init__(self, parent: FakeParent) -> None:
        self.now_s = 1_800_000_000.0
        parent.now = self

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
async def parent() -> AsyncIterator[FakeParent]:
    async with fake_parent() as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


@pytest.fixture
async def edge(parent: FakeParent, tmp_path: Path) -> AsyncIterator[RunningEdge]:
    async with running_edge(
        parent.url, tmp_path / "cache", require_token=False, name="e1"
    ) as running:
        yield running


async def get(
    client: aiohttp.ClientSession, url: str, **headers: str
) -> tuple[int, bytes, CIMultiDictProxy[str]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.get(url, headers=named) as answer:
        return answer.status, await answer.read(), answer.headers


def cached_files(folder: Path) -> list[Path]:
    return [
        path for path in (folder / "cache").rglob("*") if path.is_file() and path.name != "lock"
    ]


async def test_fifty_clients_on_a_cold_object_make_one_fetch_and_the_first_may_leave(
    parent: FakeParent, edge: RunningEdge, client: aiohttp.ClientSession
) -> None:
    parent.add("/film/a", BODY, first_byte_s=0.1, body_s=0.4)
    url = edge.url + "/film/a"

    async def leave_early() -> int:
        async with client.get(url) as answer:
            got = len(await answer.content.readany())
            answer.close()
            return got

    first = asyncio.create_task(leave_early())
    await asyncio.sleep(0.02)
    others = await asyncio.gather(*(get(client, url) for _ in range(49)))
    assert 0 < await first < MIB
    assert [(status, body == BODY) for status, body, _ in others] == [(200, True)] * 49
    assert parent.asked == ["/film/a"]
    assert edge.edge.counters.collapsed == 49
    _, _, headers = await get(client, url)
    assert headers["Cache-Status"].startswith('"e1"; hit; ttl=')
    assert others[0][2]["Cache-Status"] == '"e1"; fwd=uri-miss; stored; collapsed'


async def test_waiting_clients_get_the_first_byte_when_the_parent_sends_it(
    parent: FakeParent,
    edge: RunningEdge,
    client: aiohttp.ClientSession,
) -> None:
    """The parent keeps the end of the body until all 100 clients have its beginning."""
    last_piece = asyncio.Event()
    parent.add("/film/a", BODY, last_piece=last_piece)
    begun = 0

    async def read() -> int:
        nonlocal begun
        async with client.get(edge.url + "/film/a") as answer:
            count = len(await answer.content.readany())
            begun += 1
            if begun == 100:
                last_piece.set()
            while piece := await answer.content.readany():
                count += len(piece)
            return count

    counts = await asyncio.gather(*(read() for _ in range(100)))
    assert parent.asked == ["/film/a"]
    assert counts == [len(BODY)] * 100


async def test_a_reader_that_does_not_read_holds_nobody_up(
    parent: FakeParent, edge: RunningEdge, client: aiohttp.ClientSession
) -> None:
    parent.add("/film/a", BODY * 8, body_s=0.2)
    host, port = edge.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port), limit=1)
    writer.write(b"GET /film/a HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.sleep(0.05)
    _, body, _ = await get(client, edge.url + "/film/a")
    assert body == BODY * 8
    assert edge.edge.counters.sent_bytes < 2 * len(body)
    writer.close()
    assert parent.asked == ["/film/a"]


async def test_the_cache_survives_a_restart(
    parent: FakeParent, tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    parent.add("/film/a", BODY)
    for expected in ("fwd=uri-miss", "hit"):
        async with running_edge(parent.url, tmp_path / "c", require_token=False) as edge:
            _, body, headers = await get(client, edge.url + "/film/a")
            assert body == BODY
            assert expected in headers["Cache-Status"]
    assert parent.asked == ["/film/a"]


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "sidecar", "orphan"])
async def test_damaged_files_are_dropped_after_a_restart(
    damage: str, parent: FakeParent, tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    parent.add("/film/a", BODY)
    async with running_edge(parent.url, tmp_path / "cache", require_token=False) as edge:
        await get(client, edge.url + "/film/a")
    sidecar = next(path for path in cached_files(tmp_path) if path.suffix == ".json")
    body = sidecar.with_suffix("")
    match damage:
        case "flip":
            body.write_bytes(bytes([BODY[0] ^ 1]) + BODY[1:])
        case "cut":
            body.write_bytes(BODY[:-1])
        case "gone":
            body.unlink()
        case "sidecar":
            sidecar.write_text('{"version": 1, "key"')
        case "orphan":
            sidecar.unlink()
    (tmp_path / "cache" / "tmp" / "half").write_bytes(b"x")
    async with running_edge(parent.url, tmp_path / "cache", require_token=False) as edge:
        _, got, headers = await get(client, edge.url + "/film/a")
        assert got == BODY
        assert "fwd=uri-miss; stored" in headers["Cache-Status"]
        await edge.edge.stock.wait()
    assert len(parent.asked) == 2
    assert len(cached_files(tmp_path)) == 2  # one body, one sidecar


async def test_a_body_that_vanishes_while_the_edge_runs_is_fetched_again(
    parent: FakeParent, edge: RunningEdge, tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    parent.add("/film/a", BODY)
    await get(client, edge.url + "/film/a")
    for path in cached_files(tmp_path):
        path.unlink()
    assert (await get(client, edge.url + "/film/a"))[1] == BODY
    assert edge.edge.counters.dropped == 1


async def test_a_body_that_is_damaged_while_the_edge_runs_is_fetched_again(
    parent: FakeParent, edge: RunningEdge, tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    parent.add("/film/a", BODY)
    await get(client, edge.url + "/film/a")
    body = next(path for path in cached_files(tmp_path) if path.suffix != ".json")
    with body.open("r+b") as file:
        file.write(bytes([BODY[0] ^ 1]))
    os.utime(body, ns=(0, 0))  # coarse clocks would hide a write this soon
    assert (await get(client, edge.url + "/film/a"))[1] == BODY
    assert edge.edge.counters.dropped == 1


async def test_two_edges_may_not_share_a_folder(parent: FakeParent, tmp_path: Path) -> None:
    async with running_edge(parent.url, tmp_path):
        with pytest.raises(ResourceError, match="in use by another edge; give each its own"):
            async with running_edge(parent.url, tmp_path):
                pass


async def test_the_cache_stays_within_its_bytes(
    parent: FakeParent, tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    limit = 300_000
    async with running_edge(
        parent.url, tmp_path / "cache", require_token=False, cache_bytes=limit
    ) as edge:
        for number in range(20):
            parent.add(f"/film/{number}", os.urandom(50_000 + number))
            await get(client, f"{edge.url}/film/{number}")
            on_disk = sum(path.stat().st_blocks * 512 for path in cached_files(tmp_path))
            assert on_disk <= limit
            assert edge.edge.index.held_bytes <= limit
        assert edge.edge.counters.evictions == 15  # five of 58 KB fit
        _, _, headers = await get(client, f"{edge.url}/film/19")
        assert "hit" in headers["Cache-Status"]
        parent.add("/film/huge", os.urandom(limit))
        _, body, headers = await get(client, f"{edge.url}/film/huge")
        assert len(body) == limit
        assert headers["Cache-Status"] == '"edge"; fwd=uri-miss'


async def test_a_fill_that_fails_half_way_leaves_nothing(
    parent: FakeParent, edge: RunningEdge, tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    thing = parent.add("/film/a", BODY, body_s=0.1, breaks_after=300_000)
    broken = await asyncio.gather(
        *(get(client, edge.url + "/film/a") for _ in range(5)), return_exceptions=True
    )
    assert [type(each) for each in broken] == [aiohttp.ClientPayloadError] * 5
    assert cached_files(tmp_path) == []
    assert edge.edge.index.reserved_bytes == 0
    assert parent.asked == ["/film/a"]
    assert edge.edge.counters.fills_failed == 1
    thing.breaks_after = None
    assert (await get(client, edge.url + "/film/a"))[1] == BODY


async def test_a_parent_that_is_gone_gives_502_and_a_silent_one_504(
    parent: FakeParent, tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    async with running_edge("http://127.0.0.1:9", tmp_path / "a", require_token=False) as edge:
        status, body, _ = await get(client, edge.url + "/film/a")
        assert (status, b"parent-failed" in body) == (502, True)
    parent.add("/film/a", BODY, first_byte_s=5.0)
    async with running_edge(
        parent.url, tmp_path / "b", require_token=False, first_byte_limit_s=0.1
    ) as edge:
        assert (await get(client, edge.url + "/film/a"))[0] == 504


async def test_ranges_are_answered_while_the_object_fills(
    parent: FakeParent, edge: RunningEdge, client: aiohttp.ClientSession
) -> None:
    parent.add("/film/a", BODY, body_s=0.3)
    asked = ("bytes=0-9", "bytes=500000-500009", "bytes=-10", "bytes=5-5,9-9", "bytes=0-")
    answers = await asyncio.gather(
        *(get(client, edge.url + "/film/a", Range=text) for text in asked)
    )
    assert [status for status, _, _ in answers] == [206] * 5
    assert answers[0][1] == BODY[:10]
    assert answers[1][1] == BODY[500000:500010]
    assert answers[2][1] == BODY[-10:]
    assert answers[3][2]["Content-Type"].startswith("multipart/byteranges")
    assert answers[4][1] == BODY
    assert parent.asked == ["/film/a"]
    assert "Range" not in parent.seen[0].headers
    status, body, headers = await get(client, edge.url + "/film/a", Range="bytes=9999999-")
    assert (status, body, headers["Content-Range"]) == (416, b"", f"bytes */{MIB}")


async def test_bodies_are_sent_where_the_kernel_cannot_copy_files(
    parent: FakeParent,
    edge: RunningEdge,
    client: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some file systems lack sendfile; readers of one file must not disturb each other."""

    async def unavailable(*_args: object) -> int:
        raise asyncio.SendfileNotAvailableError("no such call here")

    monkeypatch.setattr(asyncio.get_running_loop(), "_sendfile_native", unavailable)
    parent.add("/film/a", BODY)
    for _ in range(2):  # while it fills, and from the cache
        answers = await asyncio.gather(*(get(client, edge.url + "/film/a") for _ in range(8)))
        assert [(status, body == BODY) for status, body, _ in answers] == [(200, True)] * 8


async def test_the_head_and_conditions_are_answered_from_the_cache(
    parent: FakeParent, edge: RunningEdge, client: aiohttp.ClientSession
) -> None:
    parent.add("/film/a", BODY, headers={"ETag": '"x"', "Cache-Control": "max-age=60"})
    await get(client, edge.url + "/film/a")
    status, body, headers = await get(client, edge.url + "/film/a", If_None_Match='"x"')
    assert (status, body, headers["ETag"]) == (304, b"", '"x"')
    async with client.head(edge.url + "/film/a") as answer:
        assert answer.headers["Content-Length"] == str(MIB)
        assert "hit" in answer.headers["Cache-Status"]
    assert parent.asked == ["/film/a"]


async def test_a_stale_playlist_is_validated_and_its_age_starts_again(
    parent: FakeParent, tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    clock = Clock(parent)
    thing = parent.add("/p", b"#EXTM3U", headers={"ETag": '"1"', "Cache-Control": "max-age=5"})
    async with running_edge(
        parent.url, tmp_path, require_token=False, name="e", now=clock, stale_if_error_s=0
    ) as edge:
        await get(client, edge.url + "/p")
        clock.now_s += 4
        assert (await get(client, edge.url + "/p"))[2]["Age"] == "4"
        clock.now_s += 2
        status, body, headers = await get(client, edge.url + "/p")
        assert (status, body, headers["Age"]) == (200, b"#EXTM3U", "0")
        assert headers["Cache-Status"] == '"e"; fwd=stale; fwd-status=304'
        clock.now_s += 4
        assert (await get(client, edge.url + "/p"))[2]["Cache-Status"] == '"e"; hit; ttl=1'
        clock.now_s += 2
        thing.headers = {"ETag": '"2"', "Cache-Control": "max-age=5"}
        thing.body = b"#EXTM3U more"
        _, body, headers = await get(client, edge.url + "/p")
        assert (body, headers["Cache-Status"]) == (b"#EXTM3U more", '"e"; fwd=stale; stored')
        assert len(edge.edge.index) == 1
    assert len(parent.asked) == 3


@pytest.mark.parametrize("trouble", ["503", "broken"])
async def test_a_stale_object_is_served_while_the_parent_fails(
    trouble: str, parent: FakeParent, tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    clock = Clock(parent)
    parent.add("/p", b"#EXTM3U", headers={"ETag": '"1"', "Cache-Control": "max-age=5"})
    async with running_edge(
        parent.url, tmp_path, require_token=False, now=clock, stale_if_error_s=60
    ) as edge:
        await get(client, edge.url + "/p")
        if trouble == "503":
            parent.things["/p"] = Thing(b"storm", status=503, headers={})
        else:
            parent.things["/p"] = Thing(b"x" * 99, drops=True)
        clock.now_s += 30
        status, body, headers = await get(client, edge.url + "/p")
        assert (status, body) == (200, b"#EXTM3U")
        assert 'detail="parent-failed"' in headers["Cache-Status"]
        clock.now_s += 60
        assert (await get(client, edge.url + "/p"))[0] == (503 if trouble == "503" else 502)
        assert "/p" in edge.edge.index


async def test_a_stale_object_may_be_served_while_it_is_validated(
    parent: FakeParent, tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    clock = Clock(parent)
    parent.add(
        "/p",
        b"#EXTM3U",
        headers={"ETag": '"1"', "Cache-Control": "max-age=5, stale-while-revalidate=10"},
    )
    async with running_edge(parent.url, tmp_path, require_token=False, name="e", now=clock) as edge:
        await get(client, edge.url + "/p")
        clock.now_s += 8
        parent.things["/p"].first_byte_s = 0.1
        assert (await get(client, edge.url + "/p"))[2]["Cache-Status"] == '"e"; hit; ttl=-3'
        await asyncio.sleep(0.2)
        assert (await get(client, edge.url + "/p"))[2]["Cache-Status"] == '"e"; hit; ttl=5'
    assert len(parent.asked) == 2


async def test_what_is_private_is_neither_stored_nor_shared(
    parent: FakeParent, edge: RunningEdge, client: aiohttp.ClientSession
) -> None:
    parent.add("/me", BODY, headers={"Cache-Control": "private, max-age=60"}, first_byte_s=0.1)
    answers = await asyncio.gather(*(get(client, edge.url + "/me") for _ in range(3)))
    assert all(body == BODY for _, body, _ in answers)
    assert len(parent.asked) == 3
    assert len(edge.edge.index) == 0


async def test_what_says_nothing_of_caching_is_shared_with_nobody(
    parent: FakeParent, edge: RunningEdge, client: aiohttp.ClientSession
) -> None:
    """A page made for one visitor often says nothing; two who come at once each get their own."""
    parent.add("/page", b"yours", headers={}, first_byte_s=0.1)
    answers = await asyncio.gather(*(get(client, edge.url + "/page") for _ in range(3)))
    assert [body for _, body, _ in answers] == [b"yours"] * 3
    assert len(parent.asked) == 3


async def test_an_absence_is_stored_when_it_says_for_how_long(
    parent: FakeParent, edge: RunningEdge, client: aiohttp.ClientSession
) -> None:
    parent.add(
        "/none", b"no", status=404, headers={"Cache-Control": "max-age=60"}, first_byte_s=0.1
    )
    answers = await asyncio.gather(*(get(client, edge.url + "/none") for _ in range(3)))
    assert [(status, body) for status, body, _ in answers] == [(404, b"no")] * 3
    status, body, headers = await get(client, edge.url + "/none", If_None_Match="*")
    assert (status, body) == (404, b"no")
    assert "hit" in headers["Cache-Status"]
    assert len(parent.asked) == 1


async def test_a_body_of_unknown_length_is_stored_when_it_is_whole(
    parent: FakeParent, edge: RunningEdge, client: aiohttp.ClientSession
) -> None:
    thing = parent.add("/film/a", BODY, chunked=True, body_s=0.1, breaks_after=300_000)
    with pytest.raises(aiohttp.ClientPayloadError):
        await get(client, edge.url + "/film/a")
    assert len(edge.edge.index) == 0
    thing.breaks_after = None
    answers = await asyncio.gather(*(get(client, edge.url + "/film/a") for _ in range(3)))
    assert all(body == BODY for _, body, _ in answers)
    # When the head went out nobody knew whether there would be room.
    assert "stored" not in answers[0][2]["Cache-Status"]
    assert len(parent.asked) == 2
    status, body, headers = await get(client, edge.url + "/film/a", Range="bytes=5-9")
    assert (status, body) == (206, BODY[5:10])
    assert "hit" in headers["Cache-Status"]


async def test_a_body_over_the_limit_is_passed_through(
    parent: FakeParent, tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    parent.add("/film/a", BODY)
    async with running_edge(
        parent.url, tmp_path, require_token=False, max_object_bytes=1000
    ) as edge:
        assert (await get(client, edge.url + "/film/a"))[1] == BODY
        parent.things["/film/a"].chunked = True  # nobody knows before its end
        assert (await get(client, edge.url + "/film/a"))[1] == BODY
        assert len(edge.edge.index) == 0


async def test_other_methods_go_through_and_forget_the_object(
    parent: FakeParent, edge: RunningEdge, client: aiohttp.ClientSession
) -> None:
    parent.add("/film/a", b"old")
    await get(client, edge.url + "/film/a")
    parent.things["/film/a"].body = b"new"
    async with client.put(edge.url + "/film/a", data=b"new") as answer:
        assert answer.headers["Cache-Status"] == '"e1"; fwd=method'
    assert parent.seen[-1].method == "PUT"
    assert (await get(client, edge.url + "/film/a"))[1] == b"new"


async def test_each_tier_adds_its_line_to_cache_status(
    parent: FakeParent, tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    parent.add("/film/a", BODY)
    async with (
        running_edge(parent.url, tmp_path / "r", require_token=False, name="regional") as above,
        running_edge(above.url, tmp_path / "1", require_token=False, name="edge-1") as one,
        running_edge(above.url, tmp_path / "2", require_token=False, name="edge-2") as two,
    ):
        seen = [
            (await get(client, edge.url + "/film/a"))[2]["Cache-Status"] for edge in (one, two, two)
        ]
    assert seen[0] == '"regional"; fwd=uri-miss; stored, "edge-1"; fwd=uri-miss; stored'
    assert seen[1].startswith('"regional"; hit; ttl=')
    assert seen[1].endswith(', "edge-2"; fwd=uri-miss; stored')
    assert seen[2].startswith('"regional"; hit; ttl=')
    assert '"edge-2"; hit; ttl=' in seen[2]
    assert parent.asked == ["/film/a"]


async def test_health_and_metrics_tell_what_happened(
    parent: FakeParent, edge: RunningEdge, client: aiohttp.ClientSession
) -> None:
    parent.add("/film/a", BODY)
    for _ in range(4):
        await get(client, edge.url + "/film/a")
    async with client.get(edge.url + "/healthz") as answer:
        facts = await answer.json()
    assert (facts["status"], facts["parent"]["reachable"], facts["objects"]) == ("ok", True, 1)
    _, body, fields = await get(client, edge.url + "/metrics")
    assert fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = body.decode()
    found = {
        sample.name.removeprefix("abr_edge_"): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels == {"edge": "e1", "tier": "edge"}
    }
    expected = {
        "requests_total": 4,
        "hits_total": 3,
        "fills_total": 1,
        "sent_bytes_total": 4 * MIB,
        "hit_bytes_total": 3 * MIB,
        "fetched_bytes_total": MIB,
        "hit_ratio": 0.75,
        "byte_hit_ratio": 0.75,
        "objects": 1,
    }
    assert found.items() >= expected.items()


async def test_a_stale_response_stands_in_for_a_parent_that_is_late(
    parent: FakeParent, tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    """The parent is frozen, not dead: nobody waits for its time limit of ten seconds."""
    thing = parent.add(
        "/film/a", b"x", headers={"Cache-Control": "max-age=0, stale-if-error=600", "ETag": '"1"'}
    )
    async with running_edge(
        parent.url, tmp_path / "late", require_token=False, stale_wait_s=0.05
    ) as edge:
        async with client.get(edge.url + "/film/a") as answer:
            assert answer.status == 200
        thing.first_byte_s = 60.0
        async with client.get(edge.url + "/film/a") as answer:
            assert await answer.read() == b"x"
            assert "parent-failed" in answer.headers["Cache-Status"]


async def test_slow_clients_of_a_large_object_keep_nobody_else_waiting(
    parent: FakeParent, tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    """70 of them, on a body too large to store, and places for 64 requests to the parent."""
    parent.add("/film/large", bytes(8 << 20))
    parent.add("/film/small", b"x")
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        running_edge(
            parent.url, tmp_path / "s", require_token=False, max_object_bytes=1 << 20
        ) as edge,
        aiohttp.ClientSession(connector=connector, read_bufsize=1 << 10) as slow,
    ):
        answers = [await slow.get(edge.url + "/film/large") for _ in range(70)]
        assert [each.status for each in answers] == [200] * 70
        async with client.get(edge.url + "/film/small") as answer:
            assert await answer.read() == b"x"
        for each in answers:
            each.close()


@pytest.mark.parametrize("size_bytes", [1000, MIB])
async def test_a_bit_that_flips_in_a_hot_object_is_found_without_a_restart(
    size_bytes: int,
    parent: FakeParent,
    tmp_path: Path,
    client: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(auditing, "PAUSE_S", 0.01)
    parent.add("/film/a", BODY[:size_bytes])
    async with running_edge(parent.url, tmp_path / "cache", require_token=False) as edge:
        for _ in range(3):
            assert (await get(client, edge.url + "/film/a"))[1] == BODY[:size_bytes]
        body = next(path.with_suffix("") for path in cached_files(tmp_path) if path.suffix)
        written = body.stat()
        with body.open("r+b") as file:
            file.seek(500)
            file.write(bytes([BODY[500] ^ 1]))
        os.utime(body, ns=(written.st_atime_ns, written.st_mtime_ns))
        async with asyncio.timeout(5):
            while not edge.edge.counters.dropped:  # noqa: ASYNC110 -- found by a sampling task
                await asyncio.sleep(0.01)
        assert (await get(client, edge.url + "/film/a"))[1] == BODY[:size_bytes]
    assert parent.asked == ["/film/a"] * 2
    assert sum("differs from its digest" in each for each in caplog.messages) == 1
