"""Many sessions of our own player, a row of numbers each, stepped in one loop.

What environments are made of: ``player.batch.abrkit.stepping`` fetches a segment at the rung
that someone else says, and here is what surrounds it: which episode a copy is at, what
its segment was gained, and the vector of ``abr.neural`` that it shows.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from abr.compilable import uncounted
from abr.media import FloatArray, Presentation
from abr.neural import PAST, clip, encode_size, encode_throughput, fill_current
from abr.qoe import Bound
from player.batch.abrkit.stepping import NOW, PLACES, PLAYLISTS, SEGMENT, STATE, at_of, reset, step
from player.batch.abrkit.timeline import Options
from player.batch.many import Links, bare_links, link_at
from player.batch.tables import (
    COMPLETE,
    MOST_TOGETHER,
    TOTALS_DTYPE,
    PresentationTable,
    Room,
    presentation_table_of,
)
from player.playback.playhead import PLAYING, buffer_s
from player.playback.sizes import nearest_read

NEXT_STEP, SAME_STEP, DISABLED = 0, 1, 2
"""When a copy whose episode is over begins another: with the next step, whose action is
not looked at; at once; or only when it is told to."""

LAST_RUNG, EPISODE, BEGUN, IS_OVER = range(4)
"""Places in a row of ``Copies.numbers``: rung of the segment before, number of the episode,
episodes begun so far, and 1 when it is over, 2 when cut short."""

STALL, BUFFER, TIME, RETURN = range(4)
"""Places in a row of ``Copies.news``: seconds stalled in the step, buffer now, time now,
and what the episode has come to so far."""


STALLED, RISE, FALL, STARTUP, WORTH = range(5)
"""Places in a row of ``Rewards.weights``, those of ``abr.qoe.Weights``."""


class PresentationTables(NamedTuple):
    """F presentations of R rungs, with room for the longest."""

    ladder_bps: FloatArray
    """Shape (F, R)."""
    sizes_bytes: FloatArray
    """Shape (F, R, N)."""
    durations_s: FloatArray
    """Shape (F, N)."""
    durations_ms: FloatArray
    """Shape (F, N)."""
    utility: FloatArray
    """Shape (F, R)."""
    utility_change: FloatArray
    """Shape (F, R*R)."""
    audio_bytes: FloatArray
    """Shape (F, N), or (F, 0) where there is none apart from the video."""
    audio_ends_s: FloatArray
    """Shape (F, N), or (F, 0) where they all end with the video."""
    playlist_bytes: FloatArray
    """This and what follows are of side files. Shape (F, R), or (F, 0) where there are none."""
    init_bytes: FloatArray
    """Shape (F, R), or (F, 0)."""
    keys: FloatArray
    """Shape (F, N), or (F, 0) where nothing is encrypted."""
    listed_bytes: FloatArray
    """Shape (F, R, N), or (F, 0, 0)."""
    listed_rates_bps: FloatArray
    """Shape (F, R), or (F, 0)."""
    side_numbers: FloatArray
    """Shape (F, 5), or (F, 0)."""
    goals_s: FloatArray
    """Shape (F, 0): here it is the same for all rungs."""
    sizes_shown: FloatArray
    """What the vector says of each segment whose size is known, and of the one after the
    last, shape (F, N+1, R)."""
    segments: NDArray[np.int64]
    """Shape (F,)."""


class Course(NamedTuple):
    """The episodes, and in which order they come."""

    presentation: NDArray[np.int64]
    """Presentation of each episode, shape (E,)."""
    trace: NDArray[np.int64]
    """Trace of each, shape (E,)."""
    order: NDArray[np.int64]
    """Numbers of episodes, gone through over and over, shape (O,)."""


class Rewards(NamedTuple):
    """What a segment of F presentations is gained: its utility, less what it costs."""

    utility: FloatArray
    """Of every rung and segment, shape (F, R, N)."""
    weights: FloatArray
    """Of each presentation, shape (F, 5)."""


class Copies(NamedTuple):
    """n sessions that stand still."""

    places: FloatArray
    """Of ``player.batch.abrkit.stepping``, shape (n, 11)."""
    numbers: FloatArray
    """Shape (n, 4)."""
    totals: NDArray[Any]
    """Records of ``TOTALS_DTYPE``, shape (n,)."""
    past: FloatArray
    """What the vector says of past downloads, shape (n, 2 PAST)."""
    news: FloatArray
    """Shape (n, 4)."""
    responses: FloatArray
    """Of ``player.batch.abrkit.together.Room``, for one copy at a time."""
    changes: FloatArray
    """Of the same."""


class Shown(NamedTuple):
    """What a step tells, a row or cell per copy."""

    vectors: Any
    """Observations, shape (n, W)."""
    last_vectors: Any
    """Of copies that were over and began again in the same step: the last, shape (n, W)."""
    last_news: FloatArray
    """Of the same copies: the last row of ``Copies.news``, shape (n, 4)."""
    last_episodes: NDArray[np.int64]
    """Of the same copies: the number of the episode that is over, shape (n,)."""
    rewards: FloatArray
    """Shape (n,)."""
    terminated: NDArray[np.bool_]
    """All segments are here, shape (n,)."""
    truncated: NDArray[np.bool_]
    """A limit in time was met, shape (n,)."""


def presentation_tables_of(presentations: list[Presentation]) -> PresentationTables:
    """The tables of presentations.

    Raises:
        ValueError: none, or they differ in the number of rungs or in having audio.
    """
    if not presentations:
        raise ValueError("no presentations; give at least one")
    first = presentation_table_of(presentations[0])
    tables = []
    for f, each in enumerate(presentations):
        name = each.title or f"presentation {f}"
        if each.rungs != len(first.ladder_bps):
            raise ValueError(
                f"{name} has {each.rungs} rungs, the first one {len(first.ladder_bps)}; actions "
                "are rungs, so make an environment for each number of them"
            )
        table = presentation_table_of(each)
        for what, field in ALIKE.items():
            if (getattr(table, field).size > 0) != (getattr(first, field).size > 0):
                raise ValueError(f"{name} differs from the first one in having {what}")
        tables.append(table)

    def stacked(field: str) -> FloatArray:
        """One field of all, the last dimension as long as the longest."""
        parts = [getattr(table, field) for table in tables]
        width = max(part.shape[-1] for part in parts)
        room = np.zeros((len(parts), *parts[0].shape[:-1], width))
        for f, part in enumerate(parts):
            room[f, ..., : part.shape[-1]] = part
        return room

    sizes = stacked("sizes_bytes")
    shown = np.zeros((len(sizes), sizes.shape[2] + 1, sizes.shape[1]))
    for f, rung, segment in np.ndindex(sizes.shape):
        shown[f, segment, rung] = encode_size(float(sizes[f, rung, segment]))
    return PresentationTables(
        **{field: stacked(field) for field in PresentationTable._fields},
        sizes_shown=shown,
        segments=np.array([each.segments for each in presentations], dtype=np.int64),
    )


def rewards_of(bounds: list[Bound]) -> Rewards:
    """The tables of a QoE for each presentation."""
    rungs = bounds[0].utility.shape[0]
    utility = np.zeros((len(bounds), rungs, max(each.utility.shape[1] for each in bounds)))
    for f, each in enumerate(bounds):
        utility[f, :, : each.utility.shape[1]] = each.utility
    return Rewards(utility, np.array([tuple(each.weights) for each in bounds]))


ALIKE = {
    "audio of its own": "audio_bytes",
    "audio that ends off the video": "audio_ends_s",
    "side files": "playlist_bytes",
    "encryption": "keys",
}
"""What all presentations of an environment have, or none, by the field that shows it."""


def room_for(copies: int) -> Copies:
    """Copies that have begun nothing."""
    return Copies(
        np.zeros((copies, len(PLACES))),
        np.zeros((copies, 4)),
        np.zeros(copies, TOTALS_DTYPE),
        np.zeros((copies, 2 * PAST)),
        np.zeros((copies, 4)),
        np.zeros((5, MOST_TOGETHER)),
        np.zeros((4, 2 * MOST_TOGETHER)),
    )


def step_many(
    presentations: PresentationTables,
    links: Links,
    course: Course,
    options: Options,
    rewards: Rewards,
    copies: Copies,
    rungs: NDArray[np.int64],
    waits_s: FloatArray,
    shown: Shown,
    autoreset: int,
) -> None:
    """Fetch the next segment of every copy at the rungs given, after the waits given."""
    presentations, links, course = (
        bare_presentations(presentations),
        bare_links(links),
        bare_course(course),
    )
    copies, shown, rewards = bare_copies(copies), bare_shown(shown), bare_rewards(rewards)
    for i in range(len(rungs)):
        step_one(
            presentations,
            links,
            course,
            options,
            rewards,
            copies,
            rungs[i],
            waits_s[i],
            shown,
            autoreset,
            i,
        )


def reset_many(
    presentations: PresentationTables,
    course: Course,
    options: Options,
    copies: Copies,
    which: NDArray[np.bool_],
    shown: Shown,
) -> None:
    """Begin the next episode of the copies of ``which``, whatever they were at."""
    for i in range(len(which)):
        if which[i]:
            begin_next(course, options, copies, i)
            show(presentations, course, copies, i, shown.vectors[i])


def bare_presentations(presentations: PresentationTables) -> PresentationTables:
    """The same arrays, uncounted; see ``abr.compilable.uncounted``."""
    return PresentationTables(
        uncounted(presentations.ladder_bps),
        uncounted(presentations.sizes_bytes),
        uncounted(presentations.durations_s),
        uncounted(presentations.durations_ms),
        uncounted(presentations.utility),
        uncounted(presentations.utility_change),
        uncounted(presentations.audio_bytes),
        uncounted(presentations.audio_ends_s),
        uncounted(presentations.playlist_bytes),
        uncounted(presentations.init_bytes),
        uncounted(presentations.keys),
        uncounted(presentations.listed_bytes),
        uncounted(presentations.listed_rates_bps),
        uncounted(presentations.side_numbers),
        uncounted(presentations.goals_s),
        uncounted(presentations.sizes_shown),
        uncounted(presentations.segments),
    )


def bare_course(course: Course) -> Course:
    """The same arrays, uncounted."""
    return Course(uncounted(course.presentation), uncounted(course.trace), uncounted(course.order))


def bare_rewards(rewards: Rewards) -> Rewards:
    """The same arrays, uncounted."""
    return Rewards(uncounted(rewards.utility), uncounted(rewards.weights))


def bare_copies(copies: Copies) -> Copies:
    """The same arrays, uncounted."""
    return Copies(
        uncounted(copies.places),
        uncounted(copies.numbers),
        copies.totals,
        uncounted(copies.past),
        uncounted(copies.news),
        uncounted(copies.responses),
        uncounted(copies.changes),
    )


def bare_shown(shown: Shown) -> Shown:
    """The same arrays, uncounted."""
    return Shown(
        uncounted(shown.vectors),
        uncounted(shown.last_vectors),
        uncounted(shown.last_news),
        uncounted(shown.last_episodes),
        uncounted(shown.rewards),
        uncounted(shown.terminated),
        uncounted(shown.truncated),
    )


def step_one(
    presentations: PresentationTables,
    links: Links,
    course: Course,
    options: Options,
    rewards: Rewards,
    copies: Copies,
    rung: int,
    wait_s: float,
    shown: Shown,
    autoreset: int,
    i: int,
) -> None:
    """One step of copy ``i``, whatever it is at."""
    shown.terminated[i] = False
    shown.truncated[i] = False
    shown.rewards[i] = 0.0
    if copies.numbers[i, IS_OVER] > 0:
        if autoreset == NEXT_STEP:
            begin_next(course, options, copies, i)
            show(presentations, course, copies, i, shown.vectors[i])
        return
    gained = fetch(presentations, links, course, options, rewards, copies, i, rung, wait_s)
    shown.rewards[i] = gained
    copies.news[i, RETURN] += gained
    if copies.numbers[i, IS_OVER] > 0:
        shown.terminated[i] = copies.numbers[i, IS_OVER] == 1
        shown.truncated[i] = copies.numbers[i, IS_OVER] == 2
        if autoreset == SAME_STEP:
            show(presentations, course, copies, i, shown.last_vectors[i])
            for k in range(4):
                shown.last_news[i, k] = copies.news[i, k]
            shown.last_episodes[i] = int(copies.numbers[i, EPISODE])
            begin_next(course, options, copies, i)
    show(presentations, course, copies, i, shown.vectors[i])


def begin_next(course: Course, options: Options, copies: Copies, i: int) -> None:
    """Copy ``i`` begins its next episode; nothing of the one before is left.

    The k-th episode of copy i of n is at place i + k n of the order.
    """
    row = copies.numbers[i]
    begun = int(row[BEGUN])
    reset(copies.places[i], copies.totals[i], options)
    row[LAST_RUNG], row[IS_OVER], row[BEGUN] = -1.0, 0.0, begun + 1
    row[EPISODE] = course.order[(i + begun * copies.numbers.shape[0]) % len(course.order)]
    for k in range(4):
        copies.news[i, k] = 0.0
    for k in range(2 * PAST):
        copies.past[i, k] = 0.0


def presentation_at(presentations: PresentationTables, f: int) -> PresentationTable:
    """Presentation ``f``; its sizes may go on after its last segment."""
    segments = presentations.segments[f]
    return PresentationTable(
        presentations.ladder_bps[f],
        presentations.sizes_bytes[f],
        presentations.durations_s[f, :segments],
        presentations.durations_ms[f, :segments],
        presentations.utility[f],
        presentations.utility_change[f],
        presentations.audio_bytes[f],
        presentations.audio_ends_s[f],
        presentations.playlist_bytes[f],
        presentations.init_bytes[f],
        presentations.keys[f],
        presentations.listed_bytes[f],
        presentations.listed_rates_bps[f],
        presentations.side_numbers[f],
        presentations.goals_s[f],
    )


def fetch(
    presentations: PresentationTables,
    links: Links,
    course: Course,
    options: Options,
    rewards: Rewards,
    copies: Copies,
    i: int,
    rung: int,
    wait_s: float,
) -> float:
    """Copy ``i`` fetches its next segment at ``rung`` after ``wait_s``; what that is gained."""
    row, totals, place = copies.numbers[i], copies.totals[i], copies.places[i]
    episode = int(row[EPISODE])
    presentation = presentation_at(presentations, course.presentation[episode])
    segment, f = int(place[SEGMENT]), course.presentation[episode]
    utility, weights = rewards.utility[f], rewards.weights[f]
    was_startup, room = math.isnan(totals.startup_s), Room(copies.responses, copies.changes)
    link = link_at(links, course.trace[episode])
    done = step(presentation, link, options, place, totals, room, rung, wait_s)
    gained = -weights[STALLED] * done.stall_s
    if was_startup and not math.isnan(totals.startup_s):
        gained -= weights[STARTUP] * totals.startup_s
    copies.news[i, STALL] = done.stall_s
    if math.isnan(done.end_s):
        row[IS_OVER] = 2.0
        return float(gained)
    gained += weights[WORTH] * utility[rung, segment]
    if row[LAST_RUNG] >= 0:
        change = utility[rung, segment] - utility[int(row[LAST_RUNG]), segment - 1]
        gained -= weights[RISE] * change if change > 0 else -weights[FALL] * change
    past, taken_s = copies.past[i], done.end_s - done.start_s
    for k in range(2 * PAST - 1):
        past[k] = past[k + 1]
    past[PAST - 1] = encode_throughput(done.size_bytes, taken_s)
    past[2 * PAST - 1] = clip(taken_s / 10)
    row[LAST_RUNG] = rung
    if done.is_over:
        is_complete = at_of(place).outcome == COMPLETE
        row[IS_OVER] = 1.0 if is_complete else 2.0
    return float(gained)


def show(
    presentations: PresentationTables, course: Course, copies: Copies, i: int, vector: Any
) -> None:
    """Write what copy ``i`` looks like now."""
    row, place = copies.numbers[i], copies.places[i]
    f = course.presentation[int(row[EPISODE])]
    level_s = buffer_s(at_of(place).head, place[NOW])
    copies.news[i, BUFFER], copies.news[i, TIME] = level_s, place[NOW]
    segment, segments = int(place[SEGMENT]), presentations.segments[f]
    fill_current(
        vector,
        (row[LAST_RUNG] + 1) / presentations.ladder_bps.shape[1],
        level_s,
        (segments - segment) / segments,
        presentations.durations_s[f, segment] if segment < segments else 0.0,
        int(place[STATE]) == PLAYING,
    )
    for k in range(2 * PAST):
        vector[5 + k] = copies.past[i, k]
    for rung in range(presentations.ladder_bps.shape[1]):
        if presentations.playlist_bytes.shape[1] > 0 and segment < segments:
            near = nearest_read(
                rung, presentations.ladder_bps.shape[1], max(int(place[PLAYLISTS]), 1)
            )
            ratio = (
                presentations.listed_rates_bps[f, rung] / presentations.listed_rates_bps[f, near]
            )
            size_bytes = presentations.listed_bytes[f, near, segment] * ratio
            vector[5 + 2 * PAST + rung] = encode_size(size_bytes)
        else:
            vector[5 + 2 * PAST + rung] = presentations.sizes_shown[f, segment, rung]
