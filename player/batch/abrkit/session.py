"""One session as our own player plays it over a link of its own.

The compiled form of ``player.playback.session.PlaybackSession``, driven by
``player.drivers.virtual`` over ``abr.link.SharedLink``, for a presentation that is given
whole: what comes out is that log, field by field. The first request opens a connection,
later ones reuse it, an abandoned download closes it. Where a presentation has audio of its
own, each segment's follows its video, as with ``tracks = "in-turn"``. Here is how a session
begins and ends; what happens between is in ``player.batch.abrkit.segment``, what is fetched
beside segments in ``player.batch.abrkit.side``.

What it leaves to the player itself: a request that meets a limit in time ends the session
here as ``BEYOND``, because what follows is drawn by chance, and so does one that finds the
link still in use; ``player.batch.run.batch`` has the player play those. ``can_play`` says
what it does not play at all: tracks fetched together, audio out of step with the video.
"""

from __future__ import annotations

import math
from itertools import accumulate, pairwise
from typing import Any

from abr.decision import Downloads
from abr.media import Presentation
from abr.trace import Trace
from player.batch.abrkit.position import Position
from player.batch.abrkit.segment import Moment, play_segment
from player.batch.abrkit.side import NOTHING, fetch_first_playlists
from player.batch.abrkit.timeline import (
    At,
    Options,
    begin_session,
    leave,
    note_stall,
    play_out,
)
from player.batch.hooks import HAS_SIDE_FILES
from player.batch.tables import (
    COMPLETE,
    MOST_TOGETHER,
    LinkTable,
    Out,
    PresentationTable,
    clear_totals,
    link_of,
    sum_rungs,
)
from player.config import PlayerConfig
from player.playback.playhead import ENDED as HAS_ENDED
from player.playback.playhead import STALLED as IS_STALLED
from player.playback.playhead import Thresholds, shown_at_s, thresholds_of

__all__ = ["Options", "can_play", "link_for", "session"]

SIZE = Downloads._fields.index("size_bytes")
"""Row of a history, which has a column per segment here: each is finished once, in order."""
MOST_RUNGS = 50
"""Of presentations with side files, which are counted by bits."""


def can_play(presentation: Presentation, config: PlayerConfig) -> bool:
    """Whether this simulator plays ``presentation`` with ``config``; else the player must."""
    side = presentation.side_files
    if side is not None:
        if config.connections < MOST_TOGETHER or presentation.rungs > MOST_RUNGS:
            return False
        keys = [] if side.keys is None else side.keys.tolist()
        # Keys come in order, so the newest tells which are here.
        if any(b < a for a, b in pairwise(keys)) or (keys and side.init_key > keys[0]):
            return False
    if config.fast_switch:
        return False
    if presentation.audio_sizes_bytes is None:
        return True
    return config.tracks == "in-turn" and _is_audio_in_turn(presentation)


def _is_audio_in_turn(presentation: Presentation) -> bool:
    """Whether the audio of every segment is due after its video and before the next."""
    if presentation.audio_durations_s is None:
        return True
    ends_s = list(accumulate(presentation.audio_durations_s.tolist(), initial=0.0))
    video_s = list(accumulate(presentation.durations_s.tolist(), initial=0.0))
    middles = [(a + b) / 2 for a, b in pairwise(ends_s)]
    return all(
        begin <= middle < end
        for middle, (begin, end) in zip(middles, pairwise(video_s), strict=True)
    )


def link_for(trace: Trace, options: Options) -> LinkTable:
    """The tables of a trace, whatever its end rule."""
    return link_of(trace, rtt_s=options.rtt_s, ever_s=math.inf)


def session(
    params: Any,
    state: Any,
    presentation: PresentationTable,
    link: LinkTable,
    options: Options,
    out: Out,
) -> None:
    """Play one session and fill ``out``."""
    thresholds = thresholds_of(options)
    moment = begin(presentation, link, options, thresholds, out)
    while goes_on(presentation, moment):
        moment = play_segment(params, state, presentation, link, options, thresholds, out, moment)
    end(presentation, options, thresholds, out, moment)


def begin(
    presentation: PresentationTable,
    link: LinkTable,
    options: Options,
    thresholds: Thresholds,
    out: Out,
) -> Moment:
    """Play is asked for; until the first segment may be."""
    clear(out)
    at, have = begin_session(thresholds), NOTHING
    if HAS_SIDE_FILES:
        at, have = fetch_first_playlists(
            at, presentation, link, options, thresholds, out.totals, out.room, out.known_bytes
        )
    return Moment(at, 0.0, Position(0, -1, 0, have))


def goes_on(presentation: PresentationTable, moment: Moment) -> bool:
    """Whether there is another segment to play."""
    return moment.at.outcome == COMPLETE and moment.position.segment < len(presentation.durations_s)


def end(
    presentation: PresentationTable,
    options: Options,
    thresholds: Thresholds,
    out: Out,
    moment: Moment,
) -> None:
    """Play to the end, if all is here, and sum up; a stall still open counts up to now."""
    at, totals = moment.at, out.totals
    if at.outcome == COMPLETE:
        at = play_out(at, options, thresholds, totals)
    if at.outcome != COMPLETE:
        leave(at.head, at.now_s, totals)
        segment = moment.position.segment
        if at.head.state == IS_STALLED and segment < len(presentation.durations_s):
            note_stall(out, segment, at.head.since_s, at.now_s)
    totals.ended_s = at.now_s
    totals.outcome = at.outcome
    shown = count_shown(presentation, at, moment.fetched_s, out)
    sum_rungs(presentation, out, shown, totals.played_s)


def clear(out: Out) -> None:
    """Forget the session before."""
    clear_totals(out.totals)
    out.totals.startup_s = math.nan
    for segment in range(len(out.rungs)):
        out.rungs[segment] = -1.0
    for row in range(out.columns.shape[0]):
        for segment in range(out.columns.shape[1]):
            out.columns[row, segment] = 0.0


def count_shown(presentation: PresentationTable, at: At, fetched_s: float, out: Out) -> int:
    """Of how many segments something was shown; the bytes of all others were wasted."""
    start_s, shown, segments = 0.0, 0, len(presentation.durations_s)
    if at.head.state == HAS_ENDED and at.head.ready_s >= fetched_s:
        return segments  # so the last one began before all that is ready had been played
    while shown < segments:
        if out.rungs[shown] < 0 or shown_at_s(at.head, start_s) > at.now_s:
            break
        start_s += presentation.durations_s[shown]
        shown += 1
    for segment in range(shown, segments):
        if out.rungs[segment] >= 0:
            out.totals.wasted_bytes += out.history[SIZE, segment]
    return shown
