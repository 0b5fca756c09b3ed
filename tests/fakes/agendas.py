"""What is fetched next in a playback that has just begun, and the room for it."""

from __future__ import annotations

from player.config import PlayerConfig
from player.playback.actions import TrackName
from player.playback.agenda import Agenda
from player.playback.headroom import Headroom
from player.playback.source import Source
from player.playback.states import Playback
from tests.fakes.titles import URL, FakeTitle


def begun(title: FakeTitle | None = None, **config: object) -> tuple[Agenda, Headroom]:
    """With the playlists of rung 0 and, if there is any, of the audio."""
    title = title or FakeTitle(segments=3)
    known = Source(URL)
    (first,) = known.first_wants
    wants = known.take(first, title.multivariant(), url=URL, shown="x")
    for want in wants:
        text = title.media(-1 if want.track == "audio" else want.rung)
        known.take(want, text, url=want.url, shown="x")
    settings = PlayerConfig(**config)  # type: ignore[arg-type]  # passed on
    agenda = Agenda(known, settings)
    headroom = Headroom(known, agenda, settings)
    assert known.presentation is not None
    agenda.begin(known.presentation)
    headroom.begin(known.presentation)
    return agenda, headroom


def bring(agenda: Agenda, track: TrackName, rung: int = 0) -> None:
    """The next segment of a track arrives, and all that it needs."""
    ref = agenda.find(track, rung)
    assert ref is not None
    agenda.add(agenda.want(ref, track, ref.index, rung))
    for need in agenda.needs(ref, track, rung):
        agenda.add(need)


def playing(ahead_s: float) -> Playback:
    """Playback of 4 s segments, from 0 s on, with so much ahead."""
    playback = Playback()
    playback.set_durations([4.0] * 3)
    playback.media_ready(ahead_s, complete=False, now_s=0.0)
    return playback
