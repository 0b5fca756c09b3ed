"""The player: the same playback simulated, real or replayed.

``simulate`` over a trace in virtual time, ``play`` over HTTP in real time, ``replay``
of a recorded log; ``PlaybackSession`` for drivers of one's own.
"""

from player.api import play, replay, simulate
from player.config import PlayerConfig
from player.session import PlaybackSession

__all__ = ["PlaybackSession", "PlayerConfig", "play", "replay", "simulate"]
