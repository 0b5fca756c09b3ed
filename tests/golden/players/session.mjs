// One made-up playback that asks a player's own ABR code, and what is written down of it.
//
// Whole milliseconds and bytes throughout, so that a recording has no rounding of its own.
// Rows of a recording:
//   [0, now, buffer, rung, wait]        asked for the next segment: its answer
//   [1, now, received, buffer, rung]    asked about the download under way; -1 carries on,
//                                       a lower rung is asked for at once instead, and the
//                                       time of the first byte follows
//   [2, first byte, end, buffer]        the download is complete, buffer with it

// --- time and chance that we hold -------------------------------------------------------

export const clock = { now: 0, timers: new Map(), next: 1 };
const RealDate = Date;
const EPOCH = 1_600_000_000_000;

class FakeDate extends RealDate {
  constructor(...given) {
    given.length ? super(...given) : super(EPOCH + clock.now);
  }
  static now() {
    return EPOCH + clock.now;
  }
}

function later(run, ms, every) {
  const id = clock.next++;
  const step = Math.max(ms || 0, 1);
  clock.timers.set(id, { run, at: clock.now + step, every: every ? step : 0 });
  return id;
}

export function holdTime() {
  globalThis.Date = FakeDate;
  globalThis.window = globalThis;
  globalThis.self = globalThis;
  globalThis.performance.now = () => clock.now;
  globalThis.setTimeout = (run, ms) => later(run, ms, false);
  globalThis.setInterval = (run, ms) => later(run, ms, true);
  globalThis.clearTimeout = (id) => clock.timers.delete(id);
  globalThis.clearInterval = globalThis.clearTimeout;
}

/** Go on to `to`, running on the way what the player's timers want; moved(ms) first. */
function advance(to, moved) {
  for (;;) {
    let due = null;
    for (const [id, timer] of clock.timers) {
      if (timer.at <= to && (!due || timer.at < due[1].at)) due = [id, timer];
    }
    const at = due ? Math.max(due[1].at, clock.now) : to;
    moved(at - clock.now);
    clock.now = at;
    if (!due) return;
    if (due[1].every) due[1].at += due[1].every;
    else clock.timers.delete(due[0]);
    due[1].run();
  }
}

function chance(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// --- the title and the network ----------------------------------------------------------

const LADDERS = [
  [300, 750, 1500, 3000, 6000],
  [230, 331, 477, 688, 991, 1427, 2056, 2962, 5027, 6000],
  [400, 1100, 2600],
  [150, 420, 830, 1650, 2900, 4300, 7800],
  [900],
];

function titleOf(seed, segments) {
  const random = chance(seed);
  const ladder = LADDERS[seed % 9 === 8 ? 4 : seed % 4].map((kbps) => kbps * 1000);
  const segmentMs = [2000, 4000, 6000][Math.floor(random() * 3)];
  const percent = Array.from({ length: segments }, () => 60 + Math.floor(random() * 81));
  return { ladder, segmentMs, percent };
}

export function sizeOf(title, rung, segment) {
  return Math.floor((title.ladder[rung] * title.segmentMs * title.percent[segment]) / 800000);
}

/** Bits per ms from each change on; drawn so that every rung is at times right. */
function networkOf(seed) {
  const random = chance(seed * 7919 + 1);
  const changes = [];
  let at = 0;
  let level = Math.log(1500);
  while (at < 3_600_000) {
    level += (random() - 0.5) * 2.2 + (Math.log(1800) - level) * 0.15;
    const low = random() < 0.06 ? 0.04 : 1;
    changes.push([at, Math.max(20, Math.exp(level) * low)]);
    at += 1500 + Math.floor(random() * 14000);
  }
  return changes;
}

function bitsUntil(changes, from, to) {
  let bits = 0;
  for (let i = 0; i < changes.length; i++) {
    const begin = Math.max(changes[i][0], from);
    const end = Math.min(i + 1 < changes.length ? changes[i + 1][0] : Infinity, to);
    if (end > begin) bits += (end - begin) * changes[i][1];
    if (end >= to) break;
  }
  return bits;
}

// --- the playback -----------------------------------------------------------------------

/**
 * Play one title with `make(title)`, an adapter of the player's code, and record it.
 *
 * An adapter has choose({now, buffer, segment, last}) -> {rung, wait}, delivered(done), and may
 * have fetching(request), progress(under way) -> rung or -1, everyMs and fromMs (how often and
 * how late in a download to ask about it).
 */
export function record(make, seed, { segments = 60, maxBufferMs = 30000 } = {}) {
  clock.now = 0;
  clock.timers.clear();
  const random = chance(seed * 104729 + 5);
  const title = titleOf(seed, segments);
  const network = networkOf(seed);
  const play = { buffer: 0, last: -1 };
  const adapter = make(title, play);
  const moved = (ms) => {
    play.buffer = Math.max(play.buffer - ms, 0);
  };
  const rows = [];
  for (let segment = 0; segment < segments; segment++) {
    const excess = play.buffer + title.segmentMs - maxBufferMs;
    if (excess > 0) advance(clock.now + excess, moved);
    // A player may be kept from asking, and the buffer may be empty by then.
    if (random() < 0.1) advance(clock.now + Math.floor(random() * 1.8 * title.segmentMs), moved);
    const asked = { now: clock.now, buffer: play.buffer, segment, last: play.last };
    const answer = adapter.choose(asked);
    const wait = Math.round(answer.wait ?? 0);
    rows.push([0, clock.now, asked.buffer, answer.rung, answer.wait ?? 0]);
    if (wait > 0) advance(clock.now + wait, moved);
    let rung = answer.rung;
    let request = begin(rung);
    let ask = request.start + (adapter.fromMs?.(title) ?? 0);
    for (;;) {
      const end = endOf(request);
      const next = adapter.progress && rung > 0 ? ask : Infinity;
      if (next >= end) {
        advance(end, moved);
        break;
      }
      advance(next, moved);
      ask = next + adapter.everyMs;
      const received = Math.floor(bitsUntil(network, request.first, clock.now) / 8);
      const seen = { ...request, received, now: clock.now, buffer: play.buffer };
      const to = adapter.progress(seen);
      if (to === null) continue;
      rows.push([1, clock.now, received, play.buffer, to]);
      if (to < 0) continue;
      rows.at(-1).push(request.first);
      rung = to;
      request = begin(rung);
      ask = request.start + (adapter.fromMs?.(title) ?? 0);
    }
    const low = play.buffer;
    play.buffer += title.segmentMs;
    play.last = rung;
    rows.push([2, request.first, clock.now, play.buffer]);
    adapter.delivered({ ...request, end: clock.now, low, buffer: play.buffer });

    function begin(rung) {
      const slow = random() < 0.05 ? 700 : 0;
      const first = clock.now + 8 + Math.floor(random() * 140) + slow;
      const request = { segment, rung, size: sizeOf(title, rung, segment), start: clock.now, first };
      adapter.fetching?.(request);
      return request;
    }
  }
  return { seed, ...title, maxBufferMs, rows };

  function endOf(request) {
    let low = request.first + 1;
    let high = request.first + 3_000_000;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (bitsUntil(network, request.first, middle) >= 8 * request.size) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
