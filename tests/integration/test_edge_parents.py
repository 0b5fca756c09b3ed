"""Asking several parents: failover, hedging, breakers, with scripted parents in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from abr.errors import UpstreamError
from edge.config import EdgeConfig
from edge.parents.limit import LimitRules, Urgency
from edge.parents.parents import Parent, ParentRules, Parents
from edge.server.parents import ParentsClient
from edge.server.upstream import Upstream
from origin.breaker import BreakerRules

A, B, C = "http://a", "http://b", "http://c"
RULES = ParentRules(breaker=BreakerRules(in_a_row=3), hedge_unknown_s=0.02, hedge_least_s=0.02)


class Answer:
    """What a test needs of an answer."""

    def __init__(self, name: str, status: int) -> None:
        self.name, self.status = name, status


class FakeParent:
    """A parent whose state a test sets: a status, ``refuses`` or ``frozen``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state: int | str = 200
        self.asked = 0
        self.under_way = 0

    async def open(self) -> None:
        """Nothing to prepare."""

    async def close(self) -> None:
        """Nothing to close."""

    def retire(self) -> None:
        """Nothing to close, either."""

    @asynccontextmanager
    async def ask(self, _method: str, _target: str, **_how: Any) -> AsyncIterator[Answer]:
        """Answer as the state says."""
        self.asked += 1
        self.under_way += 1
        try:
            if self.state == "frozen":
                await asyncio.Event().wait()
            if isinstance(self.state, str):
                raise UpstreamError(f"{self.name}: refused")
            yield Answer(self.name, self.state)
        finally:
            self.under_way -= 1


class Tree:
    """A client of three fake parents, and the order for the key ``k``."""

    def __init__(self) -> None:
        self.fakes = {name: FakeParent(name) for name in (A, B, C)}
        self.client = ParentsClient(
            EdgeConfig(),
            Parents([Parent(name=name) for name in self.fakes], RULES),
            make=lambda name: cast("Upstream", self.fakes[name]),
            now=asyncio.get_running_loop().time,
        )
        order = self.client.parents.choose("k", now_s=0.0).names
        self.home, self.second, self.third = (self.fakes[name] for name in order)

    async def ask(self, method: str = "GET", *, body: bytes | None = None) -> Answer:
        """Ask for the key ``k``."""
        async with self.client.ask(method, "/k", headers=[], body=body, key="k") as answer:
            return cast("Answer", answer)


@pytest.fixture
async def tree() -> AsyncIterator[Tree]:
    """Opened, and closed at the end; nothing may be under way then."""
    made = Tree()
    await made.client.open()
    yield made
    await made.client.close()
    assert all(fake.under_way == 0 for fake in made.fakes.values())


async def test_a_well_parent_is_asked_alone(tree: Tree) -> None:
    """The key's own parent answers; nobody else hears of it."""
    assert (await tree.ask()).name == tree.home.name
    assert (tree.second.asked, tree.third.asked) == (0, 0)
    assert tree.client.counters.asked["content"] == 1


async def test_after_a_refusal_the_next_parent_is_asked_at_once(tree: Tree) -> None:
    """The viewer sees no failure; after three the breaker is open and nothing is retried."""
    tree.home.state = "refuses"
    for _ in range(5):
        assert (await tree.ask()).name == tree.second.name
    assert tree.home.asked == 3
    assert tree.client.counters.retries == 3
    assert tree.client.counters.asked["health"] == 2


async def test_a_frozen_parent_is_hedged_and_then_left_alone(tree: Tree) -> None:
    """It never answers and never fails; three overtaken requests open its breaker."""
    tree.home.state = "frozen"
    for _ in range(6):
        assert (await tree.ask()).name == tree.second.name
    assert tree.home.asked == 3
    assert tree.client.counters.hedges == 3


async def test_the_first_answer_wins_although_the_other_was_asked_later(tree: Tree) -> None:
    """A hedge that loses does not count against its parent."""
    tree.second.state = "frozen"
    tree.home.state = "frozen"
    waiting = asyncio.create_task(tree.ask())
    while tree.second.asked == 0:  # noqa: ASYNC110 -- the hedge has no event to wait for
        await asyncio.sleep(0.001)
    tree.third.state = "refuses"
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert set(tree.client.parents.states(0.0).values()) == {"closed"}


async def test_a_parent_that_cannot_reach_its_own_is_passed_over(tree: Tree) -> None:
    """503 of the first, 200 of the second; when all say 503 the first answer is passed on."""
    tree.home.state = 503
    answer = await tree.ask()
    assert (answer.name, answer.status) == (tree.second.name, 200)
    tree.second.state = tree.third.state = 502
    answer = await tree.ask()
    assert answer.status in {502, 503}


async def test_a_missing_object_is_an_answer(tree: Tree) -> None:
    """404 is not asked for elsewhere."""
    tree.home.state = 404
    assert (await tree.ask()).status == 404
    assert tree.second.asked == 0


@pytest.mark.parametrize(("method", "body"), [("POST", None), ("PUT", b"x"), ("GET", b"x")])
async def test_what_is_not_safe_to_repeat_is_sent_once(
    tree: Tree, method: str, body: bytes | None
) -> None:
    """A failed POST is reported, not repeated."""
    tree.home.state = "refuses"
    with pytest.raises(UpstreamError, match="refused"):
        await tree.ask(method, body=body)
    assert (tree.home.asked, tree.second.asked) == (1, 0)


async def test_with_every_breaker_open_a_request_fails_at_once_and_says_when_to_come_back(
    tree: Tree,
) -> None:
    """Nobody is asked any more."""
    for fake in tree.fakes.values():
        fake.state = "refuses"
    for _ in range(3):
        with pytest.raises(UpstreamError):
            await tree.ask()
    asked = sum(fake.asked for fake in tree.fakes.values())
    with pytest.raises(UpstreamError, match=r"no parent may be asked now .*; asked again in"):
        await tree.ask()
    assert sum(fake.asked for fake in tree.fakes.values()) == asked
    assert tree.client.counters.refused == 1


async def test_requests_beyond_the_limit_wait_for_room_and_prefetch_does_not() -> None:
    """A parent may have two at a time: the third waits, prefetch is refused at once."""
    fake = FakeParent(A)
    fake.state = "frozen"
    rules = ParentRules(limit=LimitRules(initial=2, least=2, most=2))
    client = ParentsClient(
        EdgeConfig(first_byte_limit_s=5.0),
        Parents([Parent(name=A)], rules),
        make=lambda _name: cast("Upstream", fake),
        now=asyncio.get_running_loop().time,
    )
    await client.open()

    async def ask(urgency: Urgency = "playback") -> None:
        async with client.ask("GET", "/k", headers=[], urgency=urgency):
            pass

    first = [asyncio.create_task(ask()) for _ in range(2)]
    while fake.asked < 2:  # noqa: ASYNC110 -- the fake has no event for it
        await asyncio.sleep(0)
    third = asyncio.create_task(ask())
    with pytest.raises(UpstreamError, match="all are busy"):
        await ask("prefetch")
    assert fake.asked == 2
    fake.state = 200
    first[0].cancel()
    await third
    first[1].cancel()
    await asyncio.gather(*first, return_exceptions=True)
    await client.close()


async def test_a_new_list_of_parents_is_used_at_once(tree: Tree) -> None:
    """A reload replaces parents without a restart."""
    tree.fakes["http://d"] = FakeParent("http://d")
    await tree.client.set_parents((Parent(name="http://d"),))
    assert (await tree.ask()).name == "http://d"
