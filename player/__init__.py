"""The player: the same playback simulated, real or replayed.

``simulate`` over a trace in virtual time, ``simulate_many`` over many to one table, ``play``
over HTTP in real time, ``replay`` of a recorded log; ``PlaybackSession`` for custom drivers.
They are loaded when they are first named, because HTTP and tokens are slow to load and
batches need neither.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from player.api import play, replay, simulate
    from player.batch.run.sweep import simulate_many
    from player.config import PlayerConfig
    from player.playback.cmcd import CmcdConfig
    from player.playback.session import PlaybackSession

__all__ = [
    "CmcdConfig",
    "PlaybackSession",
    "PlayerConfig",
    "play",
    "replay",
    "simulate",
    "simulate_many",
]

_HOMES = {
    "CmcdConfig": "player.playback.cmcd",
    "PlaybackSession": "player.playback.session",
    "PlayerConfig": "player.config",
    "simulate_many": "player.batch.run.sweep",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES.get(name, "player.api")), name)
