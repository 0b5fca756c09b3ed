"""Streams as they are found in the world are played, or refused in one line.

All of them: ``python -m tests.perf.odd_streams``. Here are those that need no waiting.
"""

from __future__ import annotations

import pytest

from tests.odd.every import ALL
from tests.odd.media import Media, make_media
from tests.odd.run import play_all
from tests.odd.server import OddServer

QUICK = [odd for odd in ALL if odd.is_quick]


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    return make_media(tmp_path_factory.mktemp("odd") / "media")


async def test_refusals_come_at_once_and_say_why(media: Media) -> None:
    assert len(QUICK) > 10
    async with OddServer().listening() as server:
        rows = await play_all(server, QUICK, media)
    assert [f"{row.odd.name}: {row.fault}" for row in rows if not row.is_right] == []
