"""dash.js with default settings: throughput or BOLA, depending on the buffer, and three caps.

Below 12 s of buffer (6 s once it was above) the throughput decides: the highest rung
within 0.9 of the estimate. Above, BOLA with a placeholder buffer decides. The result is
the lowest of that rung and two others: that of InsufficientBufferRule, which downloads
within 0.7 of the buffer, and that of SwitchHistoryRule, which stays below a rung that was
left too often. A download that would take more than 1.8 segments is abandoned for the rung
that its own throughput sustains, and there are no switches up for 10 s afterwards.

The throughput sample of a download is its bytes over the time from first to last byte, in
integer kbit/s, with a weight of 1.5 times those seconds in two means with half-lives of 3
and 8; the estimate is the lower mean, rounded again. Downloads of no duration are ignored.

Source: npm package dashjs 5.2.1: ``AbrController.checkPlaybackQuality``,
``ABRRulesCollection``, ``ThroughputRule``, ``BolaRule``, ``InsufficientBufferRule``,
``SwitchHistoryRule``, ``AbandonRequestsRule``, ``ThroughputModel`` and
``ThroughputController``; parameters from ``Settings``. Its decisions for video on demand
are reproduced. (BOLA: Spiteri, Urgaonkar, Sitaraman, INFOCOM 2016; the switching between
rules: Spiteri, Sitaraman, Sparacio, MMSys 2018.)

deviation: the buffer limit is that of the player here; dash.js fills to 18 s, and at the
top rung to 30 s (60 s for presentations of ten minutes or more).

deviation: segments in the buffer are not replaced after a switch up, as dash.js does.

deviation: dash.js waits for six progress reports before it abandons. Here they are assumed
to have arrived half a second after the first byte, the first of them empty. dash.js checks
at each report; here the player asks.

deviation: dropped frames, screen size and hints from servers are not considered, and
responses from the browser's cache are not recognised. No estimate is carried over from an
earlier playback: the first rung is the highest within 1 Mbit/s.

deviation: if segments differ in length, the nominal length is their median.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from abr.decision import Decision, Download, Observation, Progress, Rule
from abr.media import FloatArray

_STAY, _THROUGHPUT, _BOLA, _BUFFER, _HISTORY, _ABANDON, _WAIT = 0, 1, 2, 3, 4, 5, 6
_ABSENT, _STARTUP, _STEADY = 0.0, 1.0, 2.0
_LOW_BUFFER_S = 10.0
"""Buffer level at which BOLA leaves the lowest rung."""
_PER_RUNG_S = 2.0
"""BOLA's range of buffer levels grows by this much with each rung."""
_DECAY = 0.99
_EMPTY_S = 0.3
"""A buffer up to this level counts as empty."""
_WEIGHT_PER_S = 1.5
# Differences of times are uncertain by this much; "more than 0.5 s" must not depend on it.
_ROUNDING_S = 1e-9


class Params(NamedTuple):
    """Parameters of ``dashjs``, each with the name of the setting in the package."""

    safety: float = 0.9
    """Fraction of the throughput relied on; ``bandwidthSafetyFactor``."""
    half_life_fast_s: float = 3.0
    """Half-life of the fast mean; ``throughputFastHalfLifeSeconds``."""
    half_life_slow_s: float = 8.0
    """Half-life of the slow mean; ``throughputSlowHalfLifeSeconds``."""
    initial_bps: float = 1e6
    """The first rung is the highest within this; ``DEFAULT_VIDEO_BITRATE``."""
    bola_from_s: float = 12.0
    """Buffer from which BOLA decides, and down to half of it; ``hybridSwitchBufferTime``."""
    buffer_time_s: float = 18.0
    """BOLA's target, and the highest level at which it abandons; ``bufferTimeDefault``."""
    buffer_rule: bool = True
    """Whether InsufficientBufferRule is active."""
    buffer_safety: float = 0.7
    """Its fraction of buffer times throughput; ``throughputSafetyFactor``."""
    buffer_ignores: int = 2
    """Number of segments before it applies; ``segmentIgnoreCount``."""
    history_rule: bool = True
    """Whether SwitchHistoryRule is active."""
    history_size: int = 8
    """Number of past decisions it considers; ``sampleSize``."""
    history_ratio: float = 0.075
    """Permitted switches down per other decision; ``switchPercentageThreshold``."""
    abandon: bool = True
    """Whether AbandonRequestsRule is active."""
    abandon_after_s: float = 0.5
    """Time since the first byte before it may act; ``minSegmentDownloadTimeThresholdInMs``."""
    abandon_ratio: float = 1.8
    """Time a download may take, in segment durations; ``abandonDurationMultiplier``."""
    abandon_hold_s: float = 10.0
    """Time without switches up after abandoning; ``abandonLoadTimeout``."""


class Throughput(NamedTuple):
    """Throughput estimate of dash.js: two means of integer kbit/s."""

    half_lives_s: FloatArray
    """Fast and slow, shape (2,)."""
    mean_kbps: FloatArray
    """Uncorrected means, starting at 0, shape (2,)."""
    weight: FloatArray
    """Sum of the weights of the samples, shape (1,)."""
    last_kbps: FloatArray
    """The newest sample; nan before the first, shape (1,)."""


def throughput_start(fast_s: float, slow_s: float) -> Throughput:
    """Create an estimate without samples."""
    return Throughput(np.array([fast_s, slow_s]), np.zeros(2), np.zeros(1), np.full(1, np.nan))


def take_sample(seen: Throughput, download: Download) -> float:
    """Note the sample of a finished download; its weight in the means, 0 if there is none."""
    transfer_ms = _ms(download.end_s - download.first_byte_s)
    if not transfer_ms > 0:
        return 0.0
    seen.last_kbps[0] = math.floor(8 * download.size_bytes / transfer_ms + 0.5)
    return _WEIGHT_PER_S * transfer_ms / 1e3


def throughput_add(seen: Throughput, download: Download) -> None:
    """Add the sample of a finished download."""
    weight = take_sample(seen, download)
    if not weight > 0:
        return
    for i in range(2):
        kept = 0.5 ** (weight / seen.half_lives_s[i])
        seen.mean_kbps[i] = (1 - kept) * seen.last_kbps[0] + kept * seen.mean_kbps[i]
    seen.weight[0] += weight


def average_kbps(seen: Throughput) -> float:
    """The lower mean in integer kbit/s; nan before the first sample."""
    if seen.weight[0] <= 0:
        return math.nan
    lowest = math.inf
    for i in range(2):
        bias = 1 - 0.5 ** (seen.weight[0] / seen.half_lives_s[i])
        lowest = min(lowest, seen.mean_kbps[i] / bias)
    return float(math.floor(lowest + 0.5))


def rung_within(kbps: float, ladder_bps: FloatArray) -> int:
    """The highest rung of at most ``kbps``, or the lowest."""
    rung = 0
    for q in range(1, len(ladder_bps)):
        if ladder_bps[q] / 1e3 <= kbps:
            rung = q
    return rung


def _ms(time_s: float) -> float:
    """Convert a duration to milliseconds, rounded to the nanosecond.

    Otherwise rounding in a difference of times would decide samples halfway between two
    values in kbit/s.
    """
    return math.floor(1e9 * time_s + 0.5) / 1e6


class Bola(NamedTuple):
    """State of BolaRule; every array has shape (1,)."""

    phase: FloatArray
    """One of ``_ABSENT`` (not yet asked), ``_STARTUP`` and ``_STEADY``."""
    rung: FloatArray
    """The rung it assumes to be current."""
    placeholder_s: FloatArray
    """Virtual addition to the buffer level."""
    finished_s: FloatArray
    """End of the newest download since it was last asked in the steady phase, or nan."""
    asked_s: FloatArray
    """When it was last asked in the steady phase, or nan."""
    has_segment: FloatArray
    """1 once a segment arrived after it was first asked."""
    segment_s: FloatArray
    """Length of that segment."""


class State(NamedTuple):
    """State of one playback."""

    throughput: Throughput
    bola: Bola
    uses_bola: FloatArray
    """1 while BOLA decides, shape (1,)."""
    has_buffer: FloatArray
    """1 unless the buffer counts as empty, shape (1,)."""
    segments: FloatArray
    """Segments downloaded, shape (1,)."""
    drops: FloatArray
    """Number of recent switches down from each rung, shape (R,)."""
    others: FloatArray
    """Number of other recent decisions at each rung, shape (R,)."""
    history: FloatArray
    """Ring of these decisions: rung q, or -1 - q for a switch down from it."""
    decided: FloatArray
    """Number of decisions since the history was cleared, shape (1,)."""
    abandoned: FloatArray
    """Time and segment of the last abandonment, shape (2,)."""
    segment_s: FloatArray
    """Nominal length of a segment, shape (1,)."""


def start(params: Params, ladder_bps: FloatArray, durations_s: FloatArray) -> State:
    """Create the state of one playback."""
    rungs = len(ladder_bps)
    return State(
        throughput_start(params.half_life_fast_s, params.half_life_slow_s),
        Bola(
            np.zeros(1),
            np.zeros(1),
            np.zeros(1),
            np.full(1, np.nan),
            np.full(1, np.nan),
            np.zeros(1),
            np.zeros(1),
        ),
        np.zeros(1),
        np.zeros(1),
        np.zeros(1),
        np.zeros(rungs),
        np.zeros(rungs),
        np.zeros(params.history_size),
        np.zeros(1),
        np.array([-np.inf, -1.0]),
        np.full(1, np.median(durations_s)),
    )


def choose(params: Params, state: State, seen: Observation) -> Decision:
    """Choose the lowest rung any active rule asks for; if none does, keep the rung."""
    ladder_bps = seen.ladder_bps
    current = seen.last_rung
    if current < 0:
        current = rung_within(params.initial_bps / 1e3, ladder_bps)
    _buffer_level(params, state, seen.buffer_s)
    is_held = seen.now_s - state.abandoned[0] < params.abandon_hold_s - _ROUNDING_S
    kbps = average_kbps(state.throughput)
    rung, wait_s, reason = -1, 0.0, _STAY
    if state.uses_bola[0] > 0:
        if len(ladder_bps) > 1:
            rung, wait_s = _bola(params, state, seen, params.safety * kbps)
            reason = _BOLA if wait_s == 0 else _WAIT
    elif not math.isnan(kbps) and state.has_buffer[0] > 0 and not is_held:
        rung, reason = rung_within(params.safety * kbps, ladder_bps), _THROUGHPUT
    cap = _buffer_cap(params, state, seen, kbps)
    if cap >= 0 and (rung < 0 or cap < rung):
        rung, reason = cap, _BUFFER
    cap = _history_cap(params, state)
    if cap >= 0 and (rung < 0 or cap < rung):
        rung, reason = cap, _HISTORY
    if rung < 0:
        return Decision(current, wait_s, _STAY)
    _remember(params, state, current, rung)
    if rung > current and is_held:
        return Decision(current, wait_s, _STAY)
    if rung != current:
        state.bola.rung[0] = rung
    return Decision(rung, wait_s, reason)


def reconsider(params: Params, state: State, seen: Observation, progress: Progress) -> Decision:
    """AbandonRequestsRule: abandon a slow download for the rung its throughput sustains."""
    stay = Decision(progress.rung, 0.0, _STAY)
    _buffer_level(params, state, progress.buffer_s)
    if not params.abandon or progress.rung == 0 or progress.segment == state.abandoned[1]:
        return stay
    transfer_s = progress.now_s - progress.first_byte_s
    # Written so that it is also true for nan: there is no transfer time before the first byte.
    if not transfer_s > params.abandon_after_s + _ROUNDING_S:
        return stay
    left_bytes = progress.size_bytes - progress.received_bytes
    if left_bytes <= 0 or progress.buffer_s > params.buffer_time_s:
        return stay
    kbps = math.floor(8 * progress.received_bytes / max(_ms(transfer_s), 1.0) + 0.5)
    segment_s = seen.durations_s[progress.segment]
    if kbps > 0:
        takes_s = math.floor(100 * (8 * progress.size_bytes / kbps / 1e3) + 0.5) / 100
        if takes_s < segment_s * params.abandon_ratio:
            return stay
    ladder_bps = seen.ladder_bps
    rung = rung_within(kbps, ladder_bps)
    if left_bytes <= progress.size_bytes * ladder_bps[rung] / ladder_bps[progress.rung]:
        return stay
    if rung >= progress.rung:
        return stay
    state.abandoned[0] = progress.now_s
    state.abandoned[1] = progress.segment
    state.decided[0] = 0.0
    for q in range(len(ladder_bps)):
        state.drops[q] = 0.0
        state.others[q] = 0.0
    bola = state.bola
    bola.rung[0] = rung
    if bola.phase[0] != _ABSENT:
        want_s = _LOW_BUFFER_S
        if rung > 0:
            want_s = _min_buffer_s(params, ladder_bps, rung)
        max_s = max(0.0, want_s - progress.buffer_s)
        bola.placeholder_s[0] = min(bola.placeholder_s[0], max_s)
    return Decision(rung, 0.0, _ABANDON)


def delivered(params: Params, state: State, seen: Observation, download: Download) -> None:
    """Update the state from a finished download; ``seen.buffer_s`` includes its segment."""
    segment_s = seen.durations_s[download.segment]
    before_s = max(seen.buffer_s - segment_s, 0.0)
    _buffer_level(params, state, before_s)
    throughput_add(state.throughput, download)
    bola = state.bola
    if bola.phase[0] != _ABSENT:
        bola.rung[0] = download.rung
        bola.has_segment[0] = 1.0
        bola.segment_s[0] = segment_s
        bola.finished_s[0] = download.end_s
        # BolaRule: the placeholder decays, and is limited so that BOLA would not have waited
        # before the last request.
        at_request_s = before_s + (download.end_s - download.start_s)
        max_s = max(0.0, _max_buffer_s(params, seen.ladder_bps, download.rung) - at_request_s)
        bola.placeholder_s[0] = min(max_s, bola.placeholder_s[0] * _DECAY)
    state.segments[0] += 1
    _buffer_level(params, state, seen.buffer_s)


def _buffer_level(params: Params, state: State, buffer_s: float) -> None:
    """Set which rule decides at this buffer level, and whether the buffer ran empty."""
    from_s = params.bola_from_s if state.uses_bola[0] == 0 else 0.5 * params.bola_from_s
    state.uses_bola[0] = 1.0 if buffer_s >= from_s else 0.0
    if buffer_s > _EMPTY_S:
        state.has_buffer[0] = 1.0
    elif state.has_buffer[0] > 0:
        state.has_buffer[0] = 0.0
        if state.bola.phase[0] == _STEADY:
            state.bola.placeholder_s[0] = 0.0


def _buffer_cap(params: Params, state: State, seen: Observation, kbps: float) -> int:
    """InsufficientBufferRule: what downloads before the buffer is empty; -1 for no cap."""
    if not params.buffer_rule or state.segments[0] < params.buffer_ignores:
        return -1
    if state.has_buffer[0] == 0:
        return 0
    max_kbps = kbps * params.buffer_safety * seen.buffer_s / state.segment_s[0]
    if not max_kbps > 0:
        return -1
    return rung_within(max_kbps, seen.ladder_bps)


def _history_cap(params: Params, state: State) -> int:
    """SwitchHistoryRule: stay below a rung that was left too often; -1 for no cap."""
    if not params.history_rule:
        return -1
    drops, others = 0.0, 0.0
    for q in range(len(state.drops)):
        drops += state.drops[q]
        others += state.others[q]
        if drops + others < params.history_size or drops == 0:
            continue
        if others == 0 or drops / others > params.history_ratio:
            return q - 1 if q > 0 and state.drops[q] > 0 else q
    return -1


def _remember(params: Params, state: State, current: int, rung: int) -> None:
    """Record a decision, and drop the oldest if there are more than ``history_size``."""
    slot = int(state.decided[0]) % params.history_size
    if state.decided[0] >= params.history_size:
        old = state.history[slot]
        if old < 0:
            state.drops[int(-old) - 1] -= 1
        else:
            state.others[int(old)] -= 1
    if rung < current:
        state.drops[current] += 1
        state.history[slot] = -(current + 1.0)
    else:
        state.others[current] += 1
        state.history[slot] = float(current)
    state.decided[0] += 1


def _weights(params: Params, ladder_bps: FloatArray) -> tuple[float, float]:
    """BOLA's gp and Vp, derived from its range of buffer levels."""
    ends_s = max(params.buffer_time_s, _LOW_BUFFER_S + _PER_RUNG_S * len(ladder_bps))
    gp = _log_ratio(ladder_bps, len(ladder_bps) - 1) / (ends_s / _LOW_BUFFER_S - 1)
    return gp, _LOW_BUFFER_S / gp


def _log_ratio(ladder_bps: FloatArray, rung: int) -> float:
    """Utility of a rung, 0 for the lowest."""
    return math.log(ladder_bps[rung]) - math.log(ladder_bps[0])


def _max_buffer_s(params: Params, ladder_bps: FloatArray, rung: int) -> float:
    """The buffer level above which BOLA would wait rather than download ``rung``.

    As in dash.js, the utility here is larger by 1 than that of the score.
    """
    gp, vp = _weights(params, ladder_bps)
    return vp * (_log_ratio(ladder_bps, rung) + 1 + gp)


def _min_buffer_s(params: Params, ladder_bps: FloatArray, rung: int) -> float:
    """The buffer level from which, by dash.js, BOLA prefers ``rung`` to all lower ones."""
    gp, vp = _weights(params, ladder_bps)
    bps, utility = ladder_bps[rung], _log_ratio(ladder_bps, rung) + 1
    min_s = 0.0
    for q in range(rung):
        lower = bps * (_log_ratio(ladder_bps, q) + 1) - ladder_bps[q] * utility
        min_s = max(min_s, vp * (gp + lower / (bps - ladder_bps[q])))
    return min_s


def _bola(params: Params, state: State, seen: Observation, safe_kbps: float) -> tuple[int, float]:
    """The rung of BolaRule (-1 for none) and the wait it asks for."""
    bola, ladder_bps, buffer_s = state.bola, seen.ladder_bps, seen.buffer_s
    if bola.phase[0] != _STEADY:
        bola.phase[0] = _STARTUP
        if math.isnan(safe_kbps):
            return -1, 0.0
        rung = rung_within(safe_kbps, ladder_bps)
        min_s = _min_buffer_s(params, ladder_bps, rung)
        bola.placeholder_s[0] = max(0.0, min_s - buffer_s)
        bola.rung[0] = rung
        if bola.has_segment[0] > 0 and buffer_s >= bola.segment_s[0]:
            bola.phase[0] = _STEADY
        return rung, 0.0
    # Time without a download must not look like consumed buffer, so the placeholder grows.
    since_s = bola.asked_s[0] if math.isnan(bola.finished_s[0]) else bola.finished_s[0]
    if not math.isnan(since_s):
        bola.placeholder_s[0] += max(0.0, seen.now_s - since_s)
    bola.asked_s[0] = seen.now_s
    bola.finished_s[0] = math.nan
    gp, vp = _weights(params, ladder_bps)
    level_s = buffer_s + bola.placeholder_s[0]
    rung, best = 0, -math.inf
    for q in range(len(ladder_bps)):
        score = (vp * (_log_ratio(ladder_bps, q) + gp) - level_s) / ladder_bps[q]
        if score >= best:
            rung, best = q, score
    sustained, last = rung_within(safe_kbps, ladder_bps), int(bola.rung[0])
    if rung > last and rung > sustained:
        rung = max(sustained, last)
    bola.rung[0] = rung
    wait_s = max(0.0, level_s - _max_buffer_s(params, ladder_bps, rung))
    if wait_s <= bola.placeholder_s[0]:
        bola.placeholder_s[0] -= wait_s
        return rung, 0.0
    wait_s -= bola.placeholder_s[0]
    bola.placeholder_s[0] = 0.0
    return rung, wait_s if rung < len(ladder_bps) - 1 else 0.0


def make(**params: float) -> Rule:
    """Create the algorithm with the given parameters; see ``Params``.

    Raises:
        ValueError: a parameter is out of range.
    """
    made = Params(**params)  # type: ignore[arg-type]  # the registry checked the types
    if not (made.safety > 0 and made.half_life_fast_s > 0 and made.half_life_slow_s > 0):
        raise ValueError("safety and the half-lives must be more than 0")
    if made.history_size < 1:
        raise ValueError("history_size must be 1 or more")
    if not made.buffer_time_s > 0:
        raise ValueError("buffer_time_s must be more than 0")
    if not made.initial_bps >= 0:
        raise ValueError("initial_bps must be 0 or more")
    return Rule(
        name="dashjs",
        params=made,
        start=start,
        choose=choose,
        reconsider=reconsider,
        delivered=delivered,
        reasons=(
            "stays",
            "throughput",
            "BOLA",
            "insufficient buffer",
            "switch history",
            "too slow",
            "BOLA, waits",
        ),
    )
