"""One edge in several processes: one fetch per object, one cache, nothing lost with a worker."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from yarl import URL

from origin.tokens.carriage import to_segment
from origin.tokens.jws import sign_jws
from origin.tokens.shortform import mint_short
from origin.tokens.signingkeys import SigningKey
from tests.fakes.parent import FakeParent, fake_parent

BODY = os.urandom(1 << 20)


@dataclass(slots=True)
class Edge:
    """An edge with workers, as its users start it."""

    url: str
    process: asyncio.subprocess.Process

    def workers(self) -> list[int]:
        """Process ids of its workers."""
        pid = self.process.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    async def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes, str]:
        """Ask on a connection of its own, so that any worker may answer."""
        url = URL(self.url + path, encoded=True)
        async with aiohttp.ClientSession() as client, client.get(url, headers=headers) as answer:
            return answer.status, await answer.read(), answer.headers.get("Cache-Status", "")

    async def facts(self) -> dict[str, Any]:
        """What one of its workers says about all."""
        _, body, _ = await self.get("/.abr/healthz")
        facts = json.loads(body)
        assert isinstance(facts, dict)
        return facts

    async def samples(self, name: str) -> dict[str, float]:
        """A metric by worker."""
        _, body, _ = await self.get("/.abr/metrics")
        return {
            sample.labels["worker"]: sample.value
            for family in text_string_to_metric_families(body.decode())
            for sample in family.samples
            if sample.name == name
        }


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what happens in another process, for at most ten seconds."""
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 -- no event tells of other processes
            await asyncio.sleep(0.02)


@asynccontextmanager
async def edge_with_workers(
    parent: FakeParent, folder: Path, *more: str, workers: int = 2, checks: bool = False
) -> AsyncIterator[Edge]:
    command = [sys.executable, "-m", "abr", "edge", "--port", "0", "--json"]
    command += [] if checks else ["--no-token"]
    command += ["--workers", str(workers), "--parent", parent.url, "--cache-dir", str(folder)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, *more, stdout=pipe, stderr=pipe)
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        assert line, await process.communicate()
        yield Edge(json.loads(line)["listeners"][0]["url"], process)
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.communicate(), 20)


@pytest.fixture
async def parent() -> AsyncIterator[FakeParent]:
    async with fake_parent() as running:
        yield running


async def test_a_hundred_clients_of_two_workers_cause_one_fetch(
    parent: FakeParent, tmp_path: Path
) -> None:
    parent.add("/film/a", BODY, first_byte_s=0.3, body_s=0.4)
    async with edge_with_workers(parent, tmp_path) as edge:
        found = await asyncio.gather(*(edge.get("/film/a") for _ in range(100)))
        assert Counter((status, body == BODY) for status, body, _ in found) == {(200, True): 100}
        assert parent.asked == ["/film/a"]
        assert (await edge.facts())["objects"] == 1


async def test_every_worker_refuses_what_was_revoked(parent: FakeParent, tmp_path: Path) -> None:
    """Each listens to the parent for itself, so none waits for another."""
    parent.add("/film/0", b"x")
    async with edge_with_workers(parent, tmp_path, workers=2, checks=True) as edge:
        token = parent.issuer.issue("film", now_s=parent.now(), session_id="s")
        asked = [edge.get(f"/t/{token}/film/0") for _ in range(12)]
        assert {status for status, _, _ in await asyncio.gather(*asked)} == {200}
        parent.revoke("session", "s")
        refused = 0
        async with asyncio.timeout(5):
            while refused < 12:
                status, _, _ = await edge.get(f"/t/{token}/film/0")
                refused = refused + 1 if status == 403 else 0


async def test_a_token_for_one_address_opens_what_any_worker_holds(
    parent: FakeParent, tmp_path: Path
) -> None:
    """The worker that passes a request on says whose it is, and no client can say so."""
    secret = bytes(32)
    key = {"kty": "oct", "kid": "k", "k": base64.urlsafe_b64encode(secret).decode().rstrip("=")}
    trust = tmp_path / "trust.json"
    trust.write_text(json.dumps({"App": {"keys": [key], "forms": ["hmac"]}}))
    trust.chmod(0o600)
    paths = [f"/film/{number}" for number in range(12)]
    for path in paths:
        parent.add(path, b"x")
    more = ("--trust", str(trust))
    async with edge_with_workers(parent, tmp_path / "c", *more, workers=3, checks=True) as edge:
        for address, expected in (("127.0.0.1", 200), ("192.0.2.1", 403)):
            token = mint_short(["/film/*"], expires_s=2**31, secret=secret, address=address)
            told = {"Abr-Client": "http 192.0.2.1"}
            found = [await edge.get(f"/t/{to_segment(token)}{path}", told) for path in paths]
            assert {status for status, _, _ in found} == {expected}


async def test_a_token_that_may_be_used_once_is_used_once_at_all_workers(
    parent: FakeParent, tmp_path: Path
) -> None:
    """Also for what each of them could answer from the cache."""
    secret = bytes(32)
    key = {"kty": "oct", "kid": "k", "k": base64.urlsafe_b64encode(secret).decode().rstrip("=")}
    trust = tmp_path / "trust.json"
    trust.write_text(json.dumps({"App": {"keys": [key], "forms": ["uri-signing"]}}))
    trust.chmod(0o600)
    parent.add("/film/0", b"x")
    more = ("--trust", str(trust))
    async with edge_with_workers(parent, tmp_path / "c", *more, workers=3, checks=True) as edge:
        own = parent.issuer.issue("film", now_s=parent.now(), session_id="s")
        asked = [edge.get(f"/t/{own}/film/0") for _ in range(12)]
        assert {status for status, _, _ in await asyncio.gather(*asked)} == {200}
        claims = {"iss": "App", "exp": 2**31, "jti": "once", "cdniuc": "regex:.*/film/.*"}
        once = sign_jws(claims, SigningKey(kid="k", algorithm="HS256", key=secret))
        found = [(await edge.get(f"/t/{once}/film/0"))[0] for _ in range(15)]
        assert (found.count(200), found.count(403)) == (1, 14)


async def test_every_worker_answers_from_the_one_cache_and_uses_are_reported(
    parent: FakeParent, tmp_path: Path
) -> None:
    paths = [f"/film/{number}" for number in range(8)]
    for path in paths:
        parent.add(path, path.encode() * 5000)
    async with edge_with_workers(parent, tmp_path) as edge:
        for turn in range(10):
            for path in paths:
                _, body, status = await edge.get(path)
                assert (body, "hit" in status) == (path.encode() * 5000, turn > 0)
        assert sorted(parent.asked) == sorted(paths)
        facts = await edge.facts()
        assert (facts["workers"], facts["objects"]) == (2, 8)
        requests = await edge.samples("abr_edge_requests_total")
        assert sum(requests.values()) == 80
        assert min(requests.values()) > 0
        hits = await edge.samples("abr_edge_hits_total")
        assert sum(hits.values()) == 72


async def test_a_change_at_the_parent_reaches_all_workers(
    parent: FakeParent, tmp_path: Path
) -> None:
    parent.add("/film/a", b"old")
    async with edge_with_workers(parent, tmp_path) as edge:
        for _ in range(12):
            assert (await edge.get("/film/a"))[1] == b"old"
        parent.add("/film/a", b"new")
        async with (
            aiohttp.ClientSession() as client,
            client.put(edge.url + "/film/a", data=b"new" * 100_000) as answer,
        ):
            assert answer.status == 200
        async with asyncio.timeout(5):  # the others are told at once, but not before the answer
            while any([(await edge.get("/film/a"))[1] != b"new" for _ in range(12)]):
                pass


async def test_a_killed_worker_loses_nothing_and_is_replaced(
    parent: FakeParent, tmp_path: Path
) -> None:
    paths = [f"/film/{number}" for number in range(40)]
    for path in paths:
        parent.add(path, path.encode() * 1000)
    outcomes: Counter[str] = Counter()
    async with edge_with_workers(parent, tmp_path) as edge:
        for path in paths[:20]:
            await edge.get(path)
        first = edge.workers()
        enough = asyncio.Event()

        async def load(number: int) -> None:
            turn = number
            while not enough.is_set():
                path = paths[turn % len(paths)]
                turn += 7
                try:
                    status, body, _ = await edge.get(path)
                except aiohttp.ClientError:
                    outcomes["cut off"] += 1  # it was on the worker that was killed
                else:
                    outcomes["ok" if (status, body) == (200, path.encode() * 1000) else "bad"] += 1

        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(load(number))
            await asyncio.sleep(0.3)
            os.kill(first[0], signal.SIGKILL)
            await until(lambda: len(edge.workers()) == 2 and first[0] not in edge.workers())
            before = outcomes["ok"]
            await until(lambda: outcomes["ok"] >= before + 50)
            enough.set()
        assert outcomes["bad"] == 0
        assert outcomes["cut off"] <= 4, outcomes  # one for each client
        for path in paths:
            assert (await edge.get(path))[1] == path.encode() * 1000
        async with asyncio.timeout(5):
            while (await edge.facts())["objects"] != 40:
                pass
        assert len(list((tmp_path / "objects").rglob("*.json"))) == 40
        # Only what was being fetched when the worker died may have been asked for twice.
        assert len(parent.asked) <= 40 + 4


async def test_workers_end_with_their_supervisor(parent: FakeParent, tmp_path: Path) -> None:
    async with edge_with_workers(parent, tmp_path) as edge:
        workers = edge.workers()
        edge.process.kill()
        await edge.process.wait()
        await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


async def test_sigterm_ends_all_with_code_0(parent: FakeParent, tmp_path: Path) -> None:
    async with edge_with_workers(parent, tmp_path, workers=3) as edge:
        workers = edge.workers()
        assert len(workers) == 3
        edge.process.terminate()
        _, said = await asyncio.wait_for(edge.process.communicate(), 20)
        assert (edge.process.returncode, said) == (0, b"")
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


async def test_a_folder_in_use_is_refused_before_any_worker_starts(
    parent: FakeParent, tmp_path: Path
) -> None:
    async with edge_with_workers(parent, tmp_path):
        with pytest.raises(AssertionError, match="in use by another edge"):
            async with edge_with_workers(parent, tmp_path):
                pass


async def test_a_purge_reaches_all_workers_before_it_is_answered(
    parent: FakeParent, tmp_path: Path
) -> None:
    paths = [f"/film/{number}" for number in range(10)]
    for path in paths:
        parent.add(path, b"old")
    async with edge_with_workers(parent, tmp_path, "--open") as edge:
        for path in paths * 3:
            assert (await edge.get(path))[1] == b"old"
        for path in paths:
            parent.add(path, b"new")
        url = edge.url + "/.abr/purge?prefix=/film/"
        async with aiohttp.ClientSession() as client, client.post(url) as answer:
            assert await answer.json() == {"purged": 10}
        for path in paths * 2:
            assert (await edge.get(path))[1] == b"new"


async def test_a_frozen_worker_holds_up_nobody_who_came_to_another(
    parent: FakeParent, tmp_path: Path
) -> None:
    paths = [f"/film/{number}" for number in range(12)]
    for path in paths:
        parent.add(path, path.encode())
    async with edge_with_workers(parent, tmp_path) as edge:
        frozen, _ = edge.workers()
        one_of = {name: await _connected_to(edge, name) for name in edge.workers()}
        os.kill(frozen, signal.SIGSTOP)
        try:
            reader, writer = next(pair for pid, pair in one_of.items() if pid != frozen)
            for path in paths:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 8)
                assert head.startswith(b"HTTP/1.1 200")
                await asyncio.wait_for(reader.readexactly(len(path)), 8)
            writer.close()
        finally:
            os.kill(frozen, signal.SIGCONT)
        for _, writer in one_of.values():
            writer.close()


async def _connected_to(edge: Edge, pid: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to one worker: the kernel chooses, so several may be needed."""
    port = int(edge.url.rpartition(":")[2])
    for _ in range(200):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /.abr/metrics HTTP/1.1\r\nHost: h\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
        if _holds(pid, port, writer.get_extra_info("sockname")[1]):
            return reader, writer
        writer.close()
    raise AssertionError("the kernel never chose that worker")


def _holds(pid: int, port: int, client_port: int) -> bool:
    """Whether the server's end of a connection is a descriptor of this process."""
    ends = f":{port:04X}", f":{client_port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if (fields[1][8:], fields[2][8:]) == ends:
            held = set()
            for each in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(FileNotFoundError):  # closed meanwhile
                    held.add(os.readlink(each))
            return f"socket:[{fields[9]}]" in held
    return False
