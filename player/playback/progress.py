"""How far a playback can go on with what is here, told whenever that may have changed.

What can be played is decided in ``player.playback.agenda``, what playback does with it in
``player.playback.states``; here the one is told to the other, and to the log.
"""

from __future__ import annotations

from player.config import PlayerConfig
from player.playback.agenda import Agenda
from player.playback.recorder import Recorder
from player.playback.recovery import Recovery
from player.playback.states import Playback


class Progress:
    """Tells a playback what is ready."""

    def __init__(
        self,
        agenda: Agenda,
        config: PlayerConfig,
        *,
        playback: Playback,
        recorder: Recorder,
        recovery: Recovery,
    ) -> None:
        self._agenda = agenda
        self._config = config
        self._playback = playback
        self._recorder = recorder
        self._recovery = recovery

    def __repr__(self) -> str:
        return f"<Progress of {self._agenda!r}>"

    def update(self, now_s: float) -> None:
        """Something arrived, or will not come any more."""
        if not self._agenda.has_begun:
            return
        self._recovery.found()
        agenda, is_apart = self._agenda, self._config.has_own_buffers
        changes = self._playback.media_ready(
            agenda.sound_s if is_apart else agenda.ready_s,
            picture_s=agenda.picture_s if is_apart else None,
            complete=agenda.is_all_playable,
            now_s=now_s,
        )
        self._recorder.add_changes(changes)
